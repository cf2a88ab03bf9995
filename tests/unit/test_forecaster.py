"""The Python interface: frames and files alike, and the words of the command line and server."""

import datetime
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ordergap
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from flask.testing import FlaskClient
from ordergap import forecaster, inspection
from ordergap.artifacts import Bundle
from ordergap.cli.main import main
from ordergap.errors import (
    DataError,
    InvalidHyperparameters,
    InvalidRequest,
    MissingColumn,
    ModelMismatch,
    ModelNotFound,
    NothingToLearn,
    OrdergapError,
    PlatformError,
    UserError,
)
from ordergap.forecaster import Forecaster
from ordergap.models.xgboost import HazardModel
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings

from local import cdnow
from tests.shop import shop, write_csv

QUICK: dict[str, Any] = {"num_round": 5, "time_bins": 6}
DAY = datetime.date(2024, 10, 15)
TEXT = str(pd.Series(["text"]).dtype)


@pytest.fixture(autouse=True)
def log() -> Iterator[logging.Logger]:
    """The logger as an interpreter has it at first; commands leave a handler there."""
    log = logging.getLogger("ordergap")
    log.handlers, log.level = [], logging.NOTSET
    yield log
    log.handlers, log.level = [], logging.NOTSET


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(80), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def frame(orders: Path) -> pd.DataFrame:
    return pd.read_csv(orders, parse_dates=["InvoiceDate"])


@pytest.fixture(scope="module")
def model(orders: Path) -> Forecaster:
    return ordergap.fit(orders, quiet=True, **QUICK)


@pytest.fixture(scope="module")
def folder(model: Forecaster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model.save(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def but_for_form(files: dict[str, bytes]) -> dict[str, object]:
    """The files without how the cells of the data were written, which reports and manifests say."""
    others: dict[str, object] = {**files}
    del others["report.html"]
    if "manifest.json" in files:
        manifest = json.loads(files["manifest.json"])
        for name in ("conventions", "examples", "notes"):
            del manifest["data"][name]
        others["manifest.json"] = manifest
    return others


@pytest.fixture(scope="module", params=["made up", "CDNOW"])
def data(
    request: pytest.FixtureRequest, orders: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], dict[str, bytes]]:
    """A file, how it is to be read, and the files of the model that the command makes of it."""
    folder = tmp_path_factory.mktemp("data")
    source, columns = orders, {}
    if request.param == "CDNOW":
        source, columns = cdnow.write(folder), cdnow.COLUMNS
        rows = pl.read_csv(source, infer_schema=False)
        rows.filter(pl.col("customer").str.ends_with("7")).write_csv(source)
    words = [f"--{name}={value}" for name, value in (QUICK | columns).items()]
    model_dir = folder / "model"
    assert main(["train", "--file_path", str(source), "--model_dir", str(model_dir), *words]) == 0
    return source, columns, files(model_dir)


def as_kind(kind: str, source: Path, columns: dict[str, str]) -> Any:
    """The file as somebody would read it with a library, dates and numbers as its own types."""
    customer = columns.get("customer_column", "CustomerID")
    day = columns.get("date_column", "InvoiceDate")
    if kind == "pandas":
        return pd.read_csv(source, dtype={customer: str}, parse_dates=[day])
    typed: dict[str, Any] = {"schema_overrides": {customer: pl.String}, "try_parse_dates": True}
    if kind == "lazy":
        return pl.scan_csv(source, **typed)
    table = pl.read_csv(source, **typed)
    return table if kind == "polars" else table.to_arrow()


@pytest.mark.parametrize("kind", ["path", "text", "pandas", "polars", "lazy", "pyarrow"])
def test_a_file_and_every_frame_of_it_give_the_same_model_byte_for_byte(
    kind: str, data: tuple[Path, dict[str, Any], dict[str, bytes]], tmp_path: Path
) -> None:
    source, columns, expected = data
    paths: dict[str, Any] = {"path": source, "text": str(source)}
    given = paths.get(kind) or as_kind(kind, source, columns)
    model = ordergap.fit(given, quiet=True, **QUICK, **columns)
    model.save(tmp_path)
    assert but_for_form(files(tmp_path)) == but_for_form(expected)
    if kind in paths:
        assert files(tmp_path) == expected
    assert {"manifest.json", "metrics.json", "report.html"} < expected.keys()


def test_validation_may_be_a_frame_too(frame: pd.DataFrame, orders: Path, tmp_path: Path) -> None:
    past = frame[frame["InvoiceDate"] < "2024-09-01"]
    made = [ordergap.fit(past, validation=later, quiet=True, **QUICK) for later in (frame, orders)]
    assert len({each.manifest.model_version for each in made}) == 1
    assert made[0].metrics.validated_after < datetime.date(2024, 9, 1)


@pytest.mark.parametrize(
    "horizons", [[14, 7], (7, 14), range(7, 15, 7), np.array([7, 14]), "7,14", "[7, 14]"]
)
def test_hyperparameters_may_be_of_python_and_numpy(horizons: Any, orders: Path) -> None:
    model = ordergap.fit(
        orders, quiet=True, trainer="naive", horizons=horizons, seed=np.int64(3),
        interval_level=np.float64(0.5), calendar=False, amount_column=None,
    )  # fmt: skip
    settings = model.manifest.hyperparameters
    assert (settings.horizons, settings.seed, settings.interval_level) == ((7, 14), 3, 0.5)
    assert settings.calendar == "off"


def rows(frame: Any) -> list[dict[str, Any]]:
    """The rows of a frame of any kind, as `predict` writes them: days as text, missing as None."""
    if isinstance(frame, pd.DataFrame):
        frame = frame.astype(object).where(frame.notna(), None).to_dict("records")
    elif isinstance(frame, pa.Table):
        frame = frame.to_pylist()
    else:
        frame = frame.to_dicts()
    days = datetime.date
    return [{k: str(v)[:10] if isinstance(v, days) else v for k, v in row.items()} for row in frame]


def written(path: Path) -> list[dict[str, Any]]:
    """The records of a file, with a column for each probability and value."""

    def leaves(name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            return {name: value}
        parts = [leaves(f"{name}_{key}", each) for key, each in value.items()]
        return {name: each for part in parts for name, each in part.items()}

    lines = path.read_text().splitlines()
    records = [[leaves(*field) for field in json.loads(line).items()] for line in lines]
    return [{name: each for part in parts for name, each in part.items()} for parts in records]


@pytest.mark.parametrize("kind", ["path", "pandas", "polars", "lazy", "pyarrow"])
def test_predict_gives_the_kind_that_came_in_and_what_the_command_writes(
    kind: str, model: Forecaster, folder: Path, orders: Path, tmp_path: Path
) -> None:
    given = orders if kind == "path" else as_kind(kind, orders, {})
    frame = model.predict(given, as_of="2024-10-15", quiet=True)
    library = {"path": "polars", "lazy": "polars"}.get(kind, kind)
    assert type(frame).__module__.startswith(library)
    words = ["--file_path", str(orders), "--model_dir", str(folder), "--as_of", "2024-10-15"]
    for name in ("out.jsonl", "out.csv"):
        assert main(["predict", *words, "--output", str(tmp_path / name)]) == 0
    assert rows(frame) == written(tmp_path / "out.jsonl")
    header = (tmp_path / "out.csv").read_text().splitlines()[0].split(",")
    assert list(rows(frame)[0]) == header


def test_the_columns_of_a_frame_have_their_types(model: Forecaster, frame: pd.DataFrame) -> None:
    asked: dict[str, Any] = {
        "as_of": "2024-06-30",
        "horizons": [7],
        "interval_level": 0.5,
        "value_horizons": [30],
        "large_thresholds": [60.5],
        "quiet": True,
    }
    forecasts = model.predict(frame, **asked)
    assert {name: str(dtype) for name, dtype in forecasts.dtypes.items()} == {
        "customer_id": TEXT, "as_of": "datetime64[s]", "last_order_date": "datetime64[s]",
        "days_since_last_order": "Int64", "order_count": "Int64", "usual_amount": "float64",
        "revenue": "float64", "order_gap_days": "Int64",
        "next_order_date": "datetime64[s]", "next_order_date_low": "datetime64[s]",
        "next_order_date_high": "datetime64[s]", "interval_level": "float64",
        "typical_gap_days": "Int64", "buy_probability_7": "float64", "status": TEXT,
        "expected_orders_30": "float64", "expected_value_30": "float64", "value_low_30": "float64",
        "value_high_30": "float64", "expected_order_amount": "float64",
        "large_order_probability_60.5_7": "float64",
        "model_age_days": "Int64", "stale": "boolean", "model_version": TEXT,
    }  # fmt: skip
    table = model.predict(pa.Table.from_pandas(frame), **asked)
    assert str(table.schema.field("next_order_date_high").type) == "date32[day]"
    assert str(table.schema.field("order_gap_days").type) == "int64"
    shown = model.predict(pl.from_pandas(frame), **asked)
    assert shown.schema["next_order_date_low"] == pl.Date
    assert shown.schema["buy_probability_7"] == pl.Float64


@pytest.mark.parametrize("some", [{}, {"status": "due,overdue", "top": 7, "by": "amount"}])
def test_predict_file_writes_what_predict_gives(
    some: dict[str, Any], model: Forecaster, frame: pd.DataFrame, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {
        "as_of": DAY, "horizons": [7, 200], "interval_level": 0.5, "quiet": True, **some
    }  # fmt: skip
    model.predict_file(frame, str(tmp_path / "new" / "out.jsonl"), **asked)
    expected = rows(model.predict(frame, **asked))
    assert written(tmp_path / "new" / "out.jsonl") == expected
    with pytest.raises(
        UserError, match=r"out\.xlsx: its name must end in \.csv, \.jsonl or \.parquet"
    ):
        model.predict_file(frame, tmp_path / "out.xlsx")


@pytest.mark.parametrize(
    ("accepted", "column", "value"),
    [
        ({"as_of": "2024-10-15"}, "as_of", DAY),
        ({"as_of": DAY}, "as_of", DAY),
        ({"as_of": datetime.datetime(2024, 10, 15, 23, tzinfo=datetime.UTC)}, "as_of", DAY),
        ({"as_of": pd.Timestamp("2024-10-15 10:00", tz="Asia/Tokyo")}, "as_of", DAY),
        ({"as_of": np.datetime64("2024-10-15T10:00")}, "as_of", DAY),
        ({}, "as_of", datetime.date(2024, 12, 30)),
        ({"interval_level": 0.5}, "interval_level", 0.5),
        ({"interval_level": np.float64(0.5)}, "interval_level", 0.5),
        ({}, "interval_level", 0.8),
    ],
)
def test_options_in_every_form(
    accepted: dict[str, Any], column: str, value: Any, model: Forecaster, orders: Path
) -> None:
    assert set(model.predict(orders, **accepted, quiet=True)[column]) == {value}


@pytest.mark.parametrize(
    ("horizons", "days"),
    [
        ([30, 7, 7], [7, 30]),
        ((7, 30), [7, 30]),
        ({7, 30}, [7, 30]),
        (range(1, 4), [1, 2, 3]),
        (np.array([7, 30]), [7, 30]),
        ((n for n in (7, 30)), [7, 30]),
        (None, [7, 30, 60, 90]),
    ],
)
def test_horizons_in_every_form(
    horizons: Any, days: list[int], model: Forecaster, orders: Path
) -> None:
    names = model.predict(orders, horizons=horizons, quiet=True).columns
    assert [each for each in names if each.startswith("buy_probability")] == [
        f"buy_probability_{n}" for n in days
    ]


def test_a_model_has_value_and_large_orders_unless_nobody_asks(
    model: Forecaster, frame: pd.DataFrame
) -> None:
    usual = model.predict(frame, quiet=True)
    large = [each for each in usual.columns if each.startswith("large_order_probability")]
    assert len(large) == 8
    assert (usual["expected_value_90"] >= usual["expected_value_7"]).all()
    assert (usual["value_low_30"] <= usual["expected_value_30"]).all()
    assert (usual["expected_value_30"].round(2) == usual["expected_value_30"]).all()
    plain = model.predict(frame, value_horizons=(), large_thresholds=(), quiet=True)
    pd.testing.assert_frame_equal(plain, usual[plain.columns])
    assert len(usual.columns) == len(plain.columns) + 4 * 4 + 1 + 8
    some = model.predict(
        frame, value_horizons=np.array([30]), large_thresholds=(n for n in (60, 60.5)), quiet=True
    )
    assert some["expected_value_30"].tolist() == usual["expected_value_30"].tolist()
    assert "large_order_probability_60.5_90" in some.columns


def test_the_customers_worth_most_come_first(
    model: Forecaster, folder: Path, orders: Path, tmp_path: Path
) -> None:
    top = model.predict(orders, by="value", top=5, value_horizons=[90, 30], quiet=True)
    everybody = model.predict(orders, value_horizons=[30], quiet=True)
    best = everybody.sort("expected_value_30", descending=True, maintain_order=True).head(5)
    assert top["customer_id"].to_list() == best["customer_id"].to_list()
    assert top["expected_value_30"].to_list() == best["expected_value_30"].to_list()
    large = model.predict(orders, horizons=[30], large_thresholds=[60, 90], by="value", quiet=True)
    words = ["--file_path", str(orders), "--model_dir", str(folder), "--by", "value"]
    asked = ["--value_horizons", "30", "--large_thresholds", "90,60", "--format", "csv"]
    assert main(["due", *words, *asked, "--output", str(tmp_path / "worth.csv")]) == 0
    listed = pl.read_csv(tmp_path / "worth.csv").join(large, "customer_id", maintain_order="left")
    for amount in (60, 90):
        name = f"large_order_probability_{amount}_30"
        assert listed[name].to_list() == listed[f"{name}_right"].to_list()
    with pytest.raises(InvalidRequest, match="no value is asked"):
        model.predict(orders, by="value", value_horizons=(), quiet=True)


def test_reasons_are_asked_for_alike_everywhere(
    model: Forecaster, folder: Path, frame: pd.DataFrame, orders: Path, tmp_path: Path
) -> None:
    frames = [model.predict(each, explain=3, quiet=True) for each in (frame, pl.from_pandas(frame))]
    expected = [json.loads(text) for text in frames[0]["reasons"]]
    assert [json.loads(text) for text in frames[1]["reasons"]] == expected
    assert {len(reasons) for reasons in expected} <= {1, 2, 3}
    assert {"days_since_last_order"} < {each["feature"] for some in expected for each in some}
    words = ["predict", "--file_path", str(orders), "--model_dir", str(folder), "--explain", "3"]
    for name in ("out.jsonl", "out.csv"):
        assert main([*words, "--output", str(tmp_path / name)]) == 0
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["reasons"] for line in lines] == expected
    column = pd.read_csv(tmp_path / "out.csv")["reasons"]
    assert [json.loads(text) for text in column] == expected


def test_reasons_that_nobody_asks_for_cost_nothing(
    model: Forecaster, folder: Path, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, explained = (tmp_path / name for name in ("plain.csv", "explained.csv"))
    with monkeypatch.context() as patch:
        patch.setattr(HazardModel, "shares", lambda *_: pytest.fail("work that nobody asked for"))
        patch.setattr(HazardModel, "_fitted", property(lambda _: pytest.fail("a second model")))
        ordergap.load(folder).predict_file(orders, plain, quiet=True)
    model.predict_file(orders, explained, explain=3, quiet=True)
    forecasts = pd.read_csv(explained)
    pd.testing.assert_frame_equal(pd.read_csv(plain), forecasts.drop(columns="reasons"))


def test_a_model_without_trees_gives_no_reasons(orders: Path, tmp_path: Path) -> None:
    naive = ordergap.fit(orders, trainer="naive", quiet=True)
    with pytest.raises(InvalidRequest, match=r"kind naive cannot give .* train with trainer = xgb"):
        naive.predict(orders, explain=1, quiet=True)
    with pytest.raises(InvalidRequest, match="kind naive cannot give"):
        naive.predict_file(orders, tmp_path / "out.csv", explain=1, quiet=True)
    assert not [*tmp_path.iterdir()]
    body = {"customer_id": "a", "orders": [{"date": "2024-01-01", "amount": 1}], "explain": 1}
    client = create_app(naive, Settings(), lambda: DAY).test_client()
    answer = client.post("/invocations", json=body)
    assert (answer.status_code, answer.get_json()["error"]["field"]) == (400, "explain")


@pytest.fixture(scope="module")
def client(model: Forecaster) -> FlaskClient:
    return create_app(model, Settings(), lambda: DAY).test_client()


@pytest.mark.parametrize(
    "wrong",
    [
        {"as_of": "1/2/2011"},
        {"as_of": ""},
        {"as_of": 20111209},
        {"as_of": "1650-01-01"},
        {"horizons": []},
        {"horizons": [0]},
        {"horizons": [7.5, 9999]},
        {"horizons": 7},
        {"horizons": "7,30"},
        {"interval_level": 80},
        {"interval_level": "high"},
        {"explain": 11},
        {"explain": True},
        {"explain": "all"},
        {"as_of": "soon", "horizons": ["x"], "interval_level": 0},
    ],
)
def test_a_wrong_option_is_refused_in_the_words_of_the_server(
    wrong: dict[str, Any], model: Forecaster, orders: Path, client: FlaskClient
) -> None:
    body = {"instances": [{"customer_id": "a", "orders": [{"date": "2024-01-01", "amount": 1}]}]}
    answer = client.post("/invocations", json=body | wrong).get_json()
    expected = [(each["message"], each["hint"]) for each in answer["error"]["problems"]]
    with pytest.raises(InvalidRequest) as refused:
        model.predict(orders, **wrong)
    assert [(each.message, each.hint) for each in refused.value.problems] == expected
    for message, hint in expected:
        assert message in str(refused.value)
        assert (hint or "") in str(refused.value)
    with pytest.raises(InvalidRequest, match=re.escape(str(refused.value))):
        model.predict_file(orders, "out.csv", **wrong)


@pytest.mark.parametrize("moment", [pd.NaT, np.datetime64("NaT"), np.datetime64("2024-10")])
def test_a_moment_without_a_day_is_refused(moment: Any, model: Forecaster, orders: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"^as_of = '.*': expected a date \(write a day as 2"):
        model.predict(orders, as_of=moment)


def test_a_model_that_was_saved_is_loaded_as_it_was(
    model: Forecaster, folder: Path, orders: Path, tmp_path: Path
) -> None:
    loaded = ordergap.load(str(folder))
    assert repr(loaded) == repr(model)
    assert loaded.report() == model.report()
    assert loaded.metrics == model.metrics
    loaded.save(tmp_path / "deep" / "copy")
    assert files(tmp_path / "deep" / "copy") == files(folder)
    same = [each.predict(orders, quiet=True) for each in (model, loaded)]
    assert same[0].equals(same[1])


def test_the_report_is_that_of_the_model_even_where_another_took_its_place(
    folder: Path, orders: Path, tmp_path: Path
) -> None:
    ordergap.load(folder).save(tmp_path)
    first = ordergap.load(tmp_path)
    ordergap.fit(orders, quiet=True, trainer="naive").save(tmp_path)
    assert first.manifest.model_version in first.report()
    assert first.manifest.model_version not in ordergap.load(tmp_path).report()


def test_the_report_is_text_a_file_and_shown_by_a_notebook(
    model: Forecaster, folder: Path, tmp_path: Path
) -> None:
    page = model.report(str(tmp_path / "new" / "report.html"))
    assert page == (folder / "report.html").read_text("utf-8")
    assert (tmp_path / "new" / "report.html").read_bytes() == (folder / "report.html").read_bytes()
    assert len(repr(page)) < 50
    shown = page._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert shown.count("<") == 2


def test_a_model_without_its_report_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    Bundle.load(folder).save(tmp_path)
    loaded = ordergap.load(tmp_path)
    with pytest.raises(ModelNotFound, match=r"without its report\.html: put it into the model's"):
        loaded.report()
    loaded.save(tmp_path)
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "metrics.json").read_bytes() == (folder / "metrics.json").read_bytes()


def test_metrics_stand_beside_those_of_the_naive_forecaster(model: Forecaster) -> None:
    scores = pd.DataFrame(model.metrics.tasks["next_order"].scores["at cutoff"])  # type: ignore[index]
    assert list(scores.columns) == ["model", "naive", "BG/NBD"]
    assert scores.loc[["capped_mae", "brier_30"]].gt(0).all(axis=None)


@pytest.mark.usefixtures("few_replicates")
def test_a_backtest_is_that_of_the_command(
    model: Forecaster, orders: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    words = [f"--{name}={value}" for name, value in QUICK.items()]
    command = ["backtest", "--file_path", str(orders), "--cutoffs", "2", *words]
    assert main([*command, "--output", str(tmp_path / "command")]) == 0
    backtest = model.backtest(frame, cutoffs=2, quiet=True)
    backtest.save(str(tmp_path / "new" / "folder"))
    made, of_command = files(tmp_path / "new" / "folder"), files(tmp_path / "command")
    assert but_for_form(made) == but_for_form(of_command)
    for shown in (repr(backtest), str(backtest)):
        assert shown.startswith("2 cutoffs from 2024-")
        assert "Next order, at cutoff" in shown
        verdict = ["Next order: the verdict", *backtest.findings["next_order"].verdict]
        assert "\n".join(verdict) in shown
    metrics = pd.DataFrame(backtest.comparisons["next_order"]["at cutoff"].metrics)  # type: ignore[index]
    assert {"model", "BG/NBD", "customer mean gap"} <= {*metrics.columns}


def test_a_backtest_of_few_days_is_refused(model: Forecaster, tmp_path: Path) -> None:
    few = write_csv(shop(20, days=40), tmp_path / "orders.csv")
    with pytest.raises(NothingToLearn, match="too few for a backtest"):
        model.backtest(few, quiet=True)


SCRIPT = """
import logging, sys
import ordergap
orders, output = sys.argv[1:]

def calls(quiet):
    settings = {"num_round": 5, "learning_rate": 1, "early_stopping_rounds": 3}
    model = ordergap.fit(orders, quiet=quiet, **settings)
    model.predict(orders, as_of="2024-06-30", quiet=quiet)
    model.predict_file(orders, output, quiet=quiet)
    return model

if __name__ == "__main__":
    calls(quiet=True).backtest(orders, cutoffs=2, jobs=2, quiet=True)
    print("until here", flush=True)
    print("until here", flush=True, file=sys.stderr)
    calls(quiet=False)
    log = logging.getLogger("ordergap")
    assert not (log.handlers or log.filters or log.level) and log.propagate
"""


def script(text: str, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """What an interpreter that has set up nothing makes of a script."""
    (folder / "script.py").write_text(text)
    command = [sys.executable, str(folder / "script.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_progress_is_shown_once_and_quiet_is_silent(orders: Path, tmp_path: Path) -> None:
    done = script(SCRIPT, tmp_path, orders, tmp_path / "out.csv")
    assert (done.returncode, done.stderr) == (0, "until here\n")
    quiet, shown = done.stdout.split("until here\n")
    assert quiet == ""
    for once in (
        "learning_rate has no effect", "Splitting in time ...", "Few data: 80 customers",
        "Next order   ", "outlier filter: ", "forecasting 80 customers as of 2024-12-30",
        "these forecasts look better", "wrote 80 forecasts",
    ):  # fmt: skip
        assert shown.count(once) == 1, once
    assert "validation:next_order" not in shown, "which is for the platform"


UNGUARDED = """
import sys
import ordergap
ordergap.load(sys.argv[1]).backtest(sys.argv[2], cutoffs=2, jobs=2, quiet=True)
"""


def test_a_script_that_starts_processes_without_a_guard_is_told_of_it(
    folder: Path, orders: Path, tmp_path: Path
) -> None:
    told = "ordergap.errors.PlatformError: a process of the backtest ended too"
    lines = script(UNGUARDED, tmp_path, folder, orders).stderr.splitlines()
    (error,) = (line for line in lines if line.startswith(told))  # the processes may warn after it
    assert '`if __name__ == "__main__":`' in error


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"CustomerID": [1]}, DataError, "builtins.dict: give a path, or a frame of pandas"),
        ("missing.csv", DataError, "there is no file or folder missing.csv"),
        (Path("empty"), DataError, "has no data files: put CSV, Parquet, JSON Lines or"),
        ("model.tar.gz", DataError, r"model\.tar\.gz is a tar archive: unpack it"),
        (pd.DataFrame({"Email": ["a"]}), MissingColumn, 'no column "CustomerID" .set customer_col'),
    ],
)
def test_orders_that_cannot_be_read_are_refused_with_a_remedy(
    given: Any,
    error: type[OrdergapError],
    words: str,
    model: Forecaster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    archive(tmp_path)
    for call in (ordergap.fit, model.predict, model.backtest):
        with pytest.raises(error, match=words):
            call(given, quiet=True)


def archive(folder: Path) -> None:
    """A model.tar.gz, as a training job leaves it."""
    import tarfile  # noqa: PLC0415

    (folder / "manifest.json").write_text("{}")
    with tarfile.open(folder / "model.tar.gz", "w:gz") as packed:
        packed.add(folder / "manifest.json", "manifest.json")


def test_orders_without_the_columns_of_the_fit_can_say_so(
    model: Forecaster, frame: pd.DataFrame
) -> None:
    other = frame.rename(columns={"CustomerID": "customer_id"})
    with pytest.raises(MissingColumn, match=r'"customer_id".*not set is as the model was fitted'):
        model.predict(other, quiet=True)
    told = model.predict(other, customer_column="customer_id", quiet=True)
    assert told.equals(model.predict(frame, quiet=True))


def test_wrong_hyperparameters_are_all_named(orders: Path) -> None:
    wrong: dict[str, Any] = {"customer_colunm": "Email", "eta": 7, "horizons": [0]}
    with pytest.raises(InvalidHyperparameters) as refused:
        ordergap.fit(orders, **wrong)
    for words in ("did you mean customer_column?", "eta = 7: must be", "horizons = [0]: must be"):
        assert words in str(refused.value)
    with pytest.raises(InvalidHyperparameters, match="trainer = 'prophet': must be one of xgboost"):
        ordergap.fit(orders, trainer="prophet")


def test_where_no_model_is_load_says_so(folder: Path, orders: Path, tmp_path: Path) -> None:
    archive(tmp_path)
    for place, error, words in (
        (tmp_path / "nowhere", ModelNotFound, "nowhere: manifest.json is not there; train one"),
        (tmp_path / "model.tar.gz", ModelNotFound, "is a file: give a model's folder, unpacked"),
        (tmp_path, ModelMismatch, "is not a manifest"),
    ):
        with pytest.raises(error, match=words):
            ordergap.load(place)


def test_a_model_that_cannot_be_saved_says_so(model: Forecaster, orders: Path) -> None:
    with pytest.raises(PlatformError, match="cannot be saved in"):
        model.save(orders)


def test_a_model_describes_itself(model: Forecaster) -> None:
    first, last = model.manifest.first_day, model.manifest.as_of
    assert repr(model) == (
        f"<Forecaster {model.manifest.model_version}: next_order, value, large_order by xgboost, "
        f"learnt from {model.manifest.data.orders:,} orders of {first} to {last}>"
    )


def test_the_package_shows_its_interface_alone() -> None:
    assert dir(ordergap) == ["Forecaster", "__version__", "errors", "fit", "inspect", "load"]
    assert {name: getattr(ordergap, name) for name in dir(ordergap)} == {
        "Forecaster": forecaster.Forecaster,
        "__version__": ordergap.__version__,
        "errors": sys.modules["ordergap.errors"],
        "fit": forecaster.fit,
        "inspect": inspection.inspect,
        "load": forecaster.load,
    }
    with pytest.raises(AttributeError, match="module 'ordergap' has no attribute 'Fit'"):
        ordergap.Fit  # noqa: B018
