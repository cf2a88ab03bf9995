"""Cohorts are written from the records of predictions, read back, and refused where damaged."""

import datetime
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.errors import DataError
from ordergap.histories import Histories
from ordergap.scoring import cohort_records, encoders
from ordergap.scoring.answer import Answer
from ordergap.scoring.cohort_records import from_records
from ordergap.scoring.cohorts import About, Cohort, find, peek

AS_OF = 15_317  # 2011-12-09
MADE = datetime.datetime(2011, 12, 10, 2, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
IN_UTC = MADE.astimezone(datetime.UTC).replace(tzinfo=None)


@pytest.fixture(scope="module")
def records(bundle: Bundle) -> list[dict[str, Any]]:
    """The predictions of forty customers, as a batch transform writes them."""
    owner = np.repeat(np.arange(40), 3)
    day = (AS_OF - 4 - 40 * np.arange(120) % 331).astype(np.int32)
    names = [f"c{i}" for i in range(40)]
    histories = Histories.from_orders(names, owner, day, np.ones(120) * 9)
    lines = encoders.json_lines(Answer(bundle.forecast(histories, AS_OF)))
    return [json.loads(line) for line in lines.splitlines()]


def written(folder: Path, records: list[Any], name: str = "part-00000.jsonl.out") -> Path:
    folder.mkdir(exist_ok=True)
    lines = "".join(f"{json.dumps(each)}\n" for each in records)
    (folder / name).write_text(f"{lines}\n")  # a batch transform ends a part by an empty line
    return folder


def test_a_cohort_has_what_the_records_say(records: list[dict[str, Any]], tmp_path: Path) -> None:
    records = [{**each} for each in records]
    records[3] |= {"order_gap_days": None, "next_order_date_high": None}
    money = {"30": 5.25}, {"30": None}
    for i, each in enumerate(records):
        each.update(dict.fromkeys(cohort_records.MONEY, money[i == 1]))
        each["large_order_probability"] = {"49.5": {"7": None if i == 1 else 0.25}}
    cohort = from_records(written(tmp_path, records), "night", MADE, "challenger")
    assert cohort.about == About(
        AS_OF, "night", "challenger", IN_UTC, records[0]["model_version"], 0.8
    )
    assert str(IN_UTC) == "2011-12-10 01:30:00"
    day = datetime.date(2011, 12, 9)
    for i, each in enumerate(records):
        assert cohort.customer_ids[i] == each["customer_id"]
        high = each["next_order_date_high"]
        ahead = (datetime.date.fromisoformat(high) - day).days if high else np.inf
        assert cohort.high[i] == ahead
        waited = (each["order_gap_days"] or np.inf) - each["days_since_last_order"]
        assert cohort.wait[i] == waited
        assert cohort.last_day[i] == AS_OF - each["days_since_last_order"]
        for horizon, p in each["buy_probability"].items():
            assert cohort.probability[int(horizon)][i] == p
    assert np.isinf([cohort.wait[3], cohort.high[3]]).all()
    assert cohort.money["value_low"][30][0] == 5.25
    assert np.isnan([cohort.money["expected_value"][30][1], cohort.large[49.5][7][1]]).all()


def test_batches_and_files_make_one_cohort(
    records: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = from_records(written(tmp_path / "a", records), "night", MADE)
    monkeypatch.setattr(cohort_records, "BATCH", 7)
    written(tmp_path / "b", records[:11])
    written(tmp_path / "b", records[11:], "part-00001.jsonl.out")
    parts = from_records(tmp_path / "b", "night", MADE)
    for cohort, path in ((whole, tmp_path / "a.parquet"), (parts, tmp_path / "b.parquet")):
        cohort.save(path)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert [*find(tmp_path)] == [tmp_path / "a.parquet", tmp_path / "b.parquet"]


def test_records_without_a_forecast_are_left_out_and_counted(
    records: list[dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    without = [{"customer_id": "odd", "error": "no orders", "buy_probability": None}]
    cohort = from_records(written(tmp_path, without + records), "night", MADE)
    assert len(cohort.customer_ids) == len(records)
    assert "1 records without a forecast" in caplog.text
    assert "such as that of odd" in caplog.text


def cut(records: list[Any], folder: Path) -> None:
    written(folder, records)
    path = folder / "part-00000.jsonl.out"
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cut, "part-00000.jsonl.out is cut or damaged: its line 40 is no JSON"),
        (lambda r, f: written(f, [*r, {**r[0], "as_of": "2011-12-08"}]), "mix days, models"),
        (lambda r, f: written(f, [*r, {**r[0], "model_version": "x"}]), "mix days, models"),
        (lambda r, f: written(f, [*r, r[4]]), "have customer c4 twice"),
        (lambda _, f: written(f, [{"customer_id": "x", "error": "no"}]), "forecast nobody"),
        (lambda r, f: written(f, [*r, {"customer_id": "x", "buy_probability": {}}]), "KeyError"),
        (lambda r, f: written(f, [*r, "x"]), "line 41: is no record"),
        (lambda _, f: f.mkdir(), "no predictions in"),
    ],
)
def test_records_that_make_no_cohort_are_refused(
    change: Any, words: str, records: list[Any], tmp_path: Path
) -> None:
    change(records, tmp_path / "run")
    with pytest.raises(DataError, match=re.escape(words)):
        from_records(tmp_path / "run", "night", MADE)


numbers = st.floats(0, 1e9) | st.just(np.inf)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.text(min_size=1), numbers, st.floats(0, 1)), min_size=1,
                max_size=9, unique_by=lambda row: row[0]))  # fmt: skip
def test_what_is_read_back_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, float]]
) -> None:
    ids, wait, p = (list(each) for each in zip(*rows, strict=True))
    days, chances = np.array(wait), np.array(p)
    about = About(AS_OF, "night", "champion", IN_UTC, "m", 0.8)
    unknown = np.full(len(ids), np.nan)
    cohort = Cohort(
        about, ids, np.full(len(ids), AS_OF - 3), days, days / 2, days + 1,
        {30: chances}, {"expected_value": {30: unknown}}, {0.5: {7: chances}},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("cohort") / "c.parquet"
    cohort.save(path)
    found = Cohort.load(path)
    assert (found.about, found.customer_ids) == (about, ids)
    assert peek(path) == about
    for name in ("last_day", "wait", "low", "high"):
        np.testing.assert_array_equal(getattr(found, name), getattr(cohort, name))
    np.testing.assert_array_equal(found.probability[30], chances)
    np.testing.assert_array_equal(found.large[0.5][7], chances)
    np.testing.assert_array_equal(found.money["expected_value"][30], unknown)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop("wait_days"), "its column wait_days is missing, where Float64 is needed"),
        (lambda f: f.with_columns(pl.col("as_of").cast(pl.String)), "as_of is of type String"),
        (lambda f: f.with_columns(role=pl.lit("guess")), "role be champion or challenger"),
        (lambda f: f.head(0), "has no rows"),
        (lambda f: pl.concat([f, f]), "a customer twice"),
        (lambda f: f.with_columns(run=pl.col("customer_id")), "mixes runs or days"),
        (
            lambda f: f.with_columns(buy_probability_7=pl.lit(1.5)),
            "has 1.5, which is no",
        ),
        (lambda f: f.drop("^buy.*$"), "has no column such as buy_probability_30"),
    ],
)
def test_files_of_another_schema_are_refused(
    change: Any, words: str, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "c.parquet"
    from_records(written(tmp_path / "run", records), "night", MADE).save(path)
    change(pl.read_parquet(path)).write_parquet(path)
    with pytest.raises(DataError, match=re.escape(words)):
        Cohort.load(path)


@pytest.mark.parametrize("left", [0.0, 0.3, 0.99])
def test_a_file_that_is_cut_is_named(
    left: float, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "c.parquet"
    cohort = from_records(written(tmp_path / "run", records), "night", MADE)
    replace(cohort, about=replace(cohort.about, run="x" * 50)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    for read in (Cohort.load, peek):
        with pytest.raises(DataError, match=r"c\.parquet is cut, or no Parquet file"):
            read(path)
