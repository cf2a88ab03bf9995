"""A file of forecasts appears complete or not at all, whatever the size of the batches."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from ordergap import ingest
from ordergap.artifacts import Bundle
from ordergap.contract.orders import Columns
from ordergap.errors import DataError, InvalidHyperparameters, InvalidRequest
from ordergap.histories import Histories, day_of
from ordergap.models.forecasts import Forecasts
from ordergap.scoring import encoders, files
from ordergap.scoring.answer import Answer
from ordergap.scoring.options import Options
from ordergap.scoring.selection import Selection
from ordergap.scoring.tables import to_frame

AS_OF = 15_317  # 2011-12-09
HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"


def test_batches_hold_the_same_customers() -> None:
    owner = np.repeat(np.arange(8), [1, 4, 2, 1, 1, 3, 2, 5])
    day = np.arange(len(owner), dtype=np.int32)
    whole = Histories.from_orders(list("abcdefgh"), owner, day, day.astype(float) + 1)
    parts = list(whole.batches(3))
    assert [part.customer_ids for part in parts] == [list("abc"), list("def"), list("gh")]
    assert [part.order_count.tolist() for part in parts] == [[1, 4, 2], [1, 1, 3], [2, 5]]
    assert np.concatenate([part.day for part in parts]).tolist() == day.tolist()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    rows = (f"{i},85123A,2,2011-11-{1 + i % 28:02},2.5,c{i % 50}\n" for i in range(400))
    path.write_text(HEADER + "".join(rows))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of any form, days as text."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".parquet":
        return pl.read_parquet(path).with_columns(cs.date().cast(pl.String)).to_dicts()
    return pl.read_csv(path).to_dicts()


def test_picked_customers_keep_their_orders_in_the_sequence_asked_for() -> None:
    owner = np.repeat(np.arange(4), [1, 3, 2, 1])
    day = np.arange(7, dtype=np.int32)
    whole = Histories.from_orders(list("abcd"), owner, day, day.astype(float) + 0.5)
    some = whole.pick(np.array([2, 0, 1]))
    assert some.customer_ids == ["c", "a", "b"]
    assert some.day.tolist() == [4, 5, 0, 1, 2, 3]
    assert some.amount.tolist() == [4.5, 5.5, 0.5, 1.5, 2.5, 3.5]
    assert some.offsets.tolist() == [0, 2, 3, 6]
    assert len(whole.pick(np.empty(0, np.int64))) == 0


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_the_size_of_the_batches_does_not_show(
    bundle: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    options = Options(AS_OF)
    counts = files.predict_file(bundle, source, tmp_path / name, options)
    whole = (tmp_path / name).read_bytes()
    assert whole.count(b"\n") == 50 + (name == "out.csv")
    assert counts.total() == 50
    monkeypatch.setattr(files, "BATCH", 7)
    assert files.predict_file(bundle, source, tmp_path / name, options) == counts
    assert (tmp_path / name).read_bytes() == whole


def test_a_failure_half_way_leaves_the_file_of_before(
    bundle: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("before")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(files, "BATCH", 20)
    forecast = Bundle.forecast

    def fails_later(self: Bundle, histories: Histories, *words: object) -> object:
        if histories.customer_ids[:1] > ["c3"]:
            raise MemoryError
        return forecast(self, histories, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Bundle, "forecast", fails_later)
    with pytest.raises(MemoryError):
        files.predict_file(bundle, source, output, Options())
    assert (output.read_text(), sorted(tmp_path.iterdir())) == ("before", before)


def test_the_file_is_read_with_the_columns_the_model_was_trained_with(
    bundle: Bundle, source: Path, tmp_path: Path
) -> None:
    source.write_text(source.read_text().replace("CustomerID", "client"))
    with pytest.raises(DataError, match="CustomerID"):
        files.predict_file(bundle, source, tmp_path / "out.csv", Options())
    files.predict_file(
        bundle, source, tmp_path / "given.csv", Options(), {"customer_column": "client"}
    )
    columns = Columns(customer_column="client")
    renamed = bundle.manifest.hyperparameters.model_copy(update={"columns": columns})
    manifest = bundle.manifest.model_copy(update={"hyperparameters": renamed})
    files.predict_file(Bundle(manifest, bundle.heads), source, tmp_path / "out.csv", Options())
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "given.csv").read_bytes()


def test_an_option_of_the_model_can_be_taken_away_and_a_wrong_one_is_named(bundle: Bundle) -> None:
    columns = Columns(amount_column="Total", customer_column="Email")
    fitted = bundle.manifest.hyperparameters.model_copy(update={"columns": columns})
    model = Bundle(bundle.manifest.model_copy(update={"hyperparameters": fitted}), bundle.heads)
    given = {"amount_column": "", "non_product_codes": "POST, X", "date_column": "Day"}
    assert files.columns_of(model, given) == Columns(
        customer_column="Email", date_column="Day", non_product_codes=("POST", "X")
    )
    assert files.columns_of(model, {}) == columns
    with pytest.raises(InvalidHyperparameters, match="seed is not a column option: give one of"):
        files.columns_of(model, {"seed": 3})


def expected_sequence(
    everybody: list[dict[str, Any]], statuses: set[str], by: str | None
) -> list[str]:
    """The ids, from the rows of everybody."""
    some = [row for row in everybody if not statuses or row["status"] in statuses]
    if by:
        some.sort(  # stable: of equals the smaller id first
            key=lambda row: (
                -row["buy_probability"]["7"] * (row["usual_amount"] if by == "amount" else 1)
            )
        )
    return [row["customer_id"] for row in some]


@pytest.mark.parametrize("statuses", [set(), {"due"}, {"active", "overdue"}])
@pytest.mark.parametrize("by", [None, "probability", "amount"])
@pytest.mark.parametrize("top", [None, 5, 1000])
def test_those_asked_for_are_written_in_their_sequence(
    bundle: Bundle,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    statuses: set[str],
    by: str | None,
    top: int | None,
) -> None:
    monkeypatch.setattr(files, "BATCH", 7)
    everybody = tmp_path / "all.jsonl"
    files.predict_file(bundle, source, everybody, Options(AS_OF))
    selection = Selection.parse(statuses or None, top, by)
    counts = files.predict_file(
        bundle, source, tmp_path / "out.jsonl", Options(AS_OF), selection=selection
    )
    told = rows(tmp_path / "out.jsonl")
    ranked = by or ("probability" if top else None)
    ids = expected_sequence(rows(everybody), statuses, ranked)[:top]
    assert [row["customer_id"] for row in told] == ids
    assert counts.total() == len(ids)
    one_by_one = {row["customer_id"]: row for row in rows(everybody)}
    assert all(row == one_by_one[row["customer_id"]] for row in told)
    frame = to_frame(files.predict(bundle, source, Options(AS_OF), selection=selection), "polars")
    assert frame["customer_id"].to_list() == ids


def test_unknown_amounts_rank_below_the_others_by_probability(bundle: Bundle) -> None:
    owner, day = np.repeat(np.arange(40), 2), np.arange(80, dtype=np.int32) % 40
    amount = np.where(owner % 3 == 0, np.nan, 20.0)
    histories = Histories.from_orders([f"c{i:02}" for i in range(40)], owner, day, amount)
    forecasts = bundle.forecast(histories, 60)
    selection = Selection.parse(None, None, "amount")
    records: list[dict[str, Any]] = forecasts.records()
    ranked = [records[i] for i in selection.chosen(selection.score(forecasts))]
    unknown = [row["usual_amount"] is None for row in ranked]
    assert len(ranked) == 40
    assert unknown == sorted(unknown)
    for each in (False, True):
        chances = [
            row["buy_probability"]["7"] for row in ranked if (row["usual_amount"] is None) == each
        ]
        assert chances == sorted(chances, reverse=True)


def test_parquet_has_the_rows_of_the_other_forms_with_types(
    bundle: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BATCH", 7)
    for name in ("out.csv", "out.parquet"):
        files.predict_file(bundle, source, tmp_path / name, Options(AS_OF))
    assert rows(tmp_path / "out.parquet") == rows(tmp_path / "out.csv")
    schema = pl.read_parquet_schema(tmp_path / "out.parquet")
    assert schema["as_of"] == pl.Date
    assert schema["buy_probability_7"] == pl.Float64


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_where_nobody_is_asked_for_there_are_columns_and_no_rows(
    bundle: Bundle, source: Path, tmp_path: Path, name: str
) -> None:
    none = Selection(frozenset({"none of the words"}))
    files.predict_file(bundle, source, tmp_path / name, Options(AS_OF), selection=none)
    assert rows(tmp_path / name) == []
    if name == "out.parquet":
        files.predict_file(bundle, source, tmp_path / "all.parquet", Options(AS_OF))
        schemas = [pl.read_parquet_schema(tmp_path / each) for each in (name, "all.parquet")]
        assert schemas[0] == schemas[1]


IDS = ["=1+1", "+49 30 1234", "-5", "@SUM(A1)", "\t=1", "plain", "12"]


@pytest.mark.parametrize("guarded", [True, False])
def test_csv_for_people_has_no_formulas_and_the_same_numbers(
    bundle: Bundle, tmp_path: Path, *, guarded: bool
) -> None:
    owner = np.repeat(np.arange(len(IDS)), 2)
    day = (AS_OF - np.tile([20, 3], len(IDS))).astype(np.int32)
    amount = np.full(len(day), 5.0)
    forecasts = bundle.forecast(Histories.from_orders(IDS, owner, day, amount), AS_OF)
    whole = Answer(replace_amounts(forecasts))
    frame = csv.reader(io.StringIO(encoders.csv(whole, guarded=guarded).decode(), newline=""))
    names = [row[0] for row in frame]
    assert names == [f"'{name}" if guarded and name[0] in "=+-@\t" else name for name in IDS]
    rest = [line.split(b",", 1)[1] for line in encoders.csv(whole, guarded=True).splitlines()]
    assert rest == [line.split(b",", 1)[1] for line in encoders.csv(whole).splitlines()]
    assert b"-12.5" in rest[0]


def replace_amounts(forecasts: Forecasts) -> Forecasts:
    """With negative numbers among the amounts, which no spreadsheet runs."""
    customers = replace(forecasts.customers, revenue=np.full(len(forecasts), -12.5))
    return replace(forecasts, customers=customers)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_guards_csv_alone_and_only_where_it_is_not_told_otherwise(
    bundle: Bundle, source: Path, tmp_path: Path, form: str
) -> None:
    source.write_text(source.read_text().replace(",c7\n", ",=7\n"))
    files.predict_file(bundle, source, tmp_path / f"on.{form}", Options(AS_OF))
    files.predict_file(bundle, source, tmp_path / f"off.{form}", Options(AS_OF), guarded=False)
    on, off = (
        [row["customer_id"] for row in rows(tmp_path / f"{n}.{form}")] for n in ("on", "off")
    )
    assert "=7" in off
    assert on == ([f"'{name}" if name == "=7" else name for name in off] if form == "csv" else off)


def test_a_stream_gets_csv(bundle: Bundle, source: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    files.predict_file(bundle, source, stream, Options(AS_OF))
    files.predict_file(bundle, source, tmp_path / "out.csv", Options(AS_OF))
    assert stream.getvalue() == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"status": "du"}, "status = 'du': expected one or more of due, lapsed"),
        ({"status": ["due", "x"]}, "status = "),
        ({"status": ""}, "status = ''"),
        ({"status": 3}, "status = 3"),
        ({"top": 0}, "top = 0: expected a whole number, at least 1"),
        ({"top": "3"}, "top = '3'"),
        ({"by": "revenue"}, "by = 'revenue': expected one of probability, amount, value"),
    ],
)
def test_a_wrong_selection_is_refused(wrong: dict[str, Any], words: str) -> None:
    given = {"status": None, "top": None, "by": None} | wrong
    with pytest.raises(InvalidRequest, match=re.escape(words)):
        Selection.parse(**given)


def test_forecasts_of_a_file_are_those_of_the_server(
    bundle: Bundle, source: Path, tmp_path: Path
) -> None:
    files.predict_file(bundle, source, tmp_path / "out.jsonl", Options(AS_OF))
    cleaned = ingest.read(source, bundle.manifest.hyperparameters.columns)
    expected = bundle.forecast(cleaned.histories, AS_OF).records()
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert told == json.loads(json.dumps(expected))


@pytest.mark.parametrize(("days", "warned"), [(90, False), (91, True)])
def test_a_day_long_after_the_models_data_is_warned_of(
    bundle: Bundle, source: Path, caplog: pytest.LogCaptureFixture, *, days: int, warned: bool
) -> None:
    last = day_of(bundle.manifest.as_of)
    files.predict(bundle, source, Options(last + days))
    assert ("train again on newer orders" in caplog.text) == warned
    assert "stale" not in caplog.text


@pytest.mark.parametrize(("limit", "stale"), [(50, False), (49, True)])
def test_a_file_of_forecasts_says_that_the_model_is_too_old_for_them(
    bundle: Bundle, source: Path, tmp_path: Path, *, limit: int, stale: bool
) -> None:
    limited = replace(bundle, stale_after_days=limit)
    for name in ("out.csv", "out.parquet"):
        files.predict_file(
            limited, source, tmp_path / name, Options(day_of(bundle.manifest.as_of) + 50)
        )
    for frame in (pl.read_csv(tmp_path / "out.csv"), pl.read_parquet(tmp_path / "out.parquet")):
        assert frame["model_age_days"].unique().to_list() == [50]
        assert frame["stale"].unique().to_list() == [stale]
