"""The Python interface: any form of the orders gives one model, and errors say what to do."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import ordergap
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from ordergap import errors
from ordergap.cli.main import main

from tests.shop import shop, write_csv

FAST: dict[str, Any] = {"num_round": 12, "eta": 0.3, "time_bins": 8}
COLUMNS: dict[str, Any] = {"customer_column": "Email", "date_column": "Created at"}
DAY = "2024-10-01"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    text = write_csv(shop(60), path).read_text(encoding="utf-8")
    path.write_text(text.replace("CustomerID", "Email").replace("InvoiceDate", "Created at"))
    return path


@pytest.fixture(scope="module")
def model(file: Path) -> ordergap.Forecaster:
    return ordergap.fit(file, **COLUMNS, **FAST, quiet=True)


@pytest.fixture(scope="module")
def table(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype={"Email": str, "InvoiceNo": str, "StockCode": str})


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def in_library(table: pd.DataFrame, kind: str) -> Any:
    if kind == "pandas":
        return table
    return pl.from_pandas(table) if kind == "polars" else pa.Table.from_pandas(table)


def as_rows(frame: Any) -> list[tuple[Any, ...]]:
    """The values of a frame of any kind, missing ones as None and days as dates."""
    if isinstance(frame, pa.Table):
        frame = pl.from_arrow(frame)
    if isinstance(frame, pl.DataFrame):
        return frame.rows()
    frame = frame.astype(object).where(frame.notna(), None)
    return [
        tuple(cell.date() if isinstance(cell, pd.Timestamp) else cell for cell in row)
        for row in frame.itertuples(index=False)
    ]


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_a_frame_and_a_file_give_the_same_model_and_forecasts(
    kind: str, table: pd.DataFrame, file: Path, model: ordergap.Forecaster, tmp_path: Path
) -> None:
    frame = in_library(table, kind)
    again = ordergap.fit(frame, **COLUMNS, **FAST, quiet=True)
    model.save(tmp_path / "file")
    again.save(tmp_path / "frame")
    assert contents(tmp_path / "file") == contents(tmp_path / "frame")
    forecasts = again.predict(frame, as_of=DAY, quiet=True)
    assert type(forecasts) is type(frame)
    assert as_rows(forecasts) == as_rows(model.predict(file, as_of=DAY, quiet=True))


def test_the_command_line_trains_the_same_model_and_writes_the_same_forecasts(
    file: Path, model: ordergap.Forecaster, tmp_path: Path
) -> None:
    options = [f"--{name}={value}" for name, value in (COLUMNS | FAST).items()]
    where = [f"--model_dir={tmp_path / 'job'}"]
    assert main(["train", f"--file_path={file}", *where, *options]) == 0
    model.save(tmp_path / "saved")
    assert contents(tmp_path / "job") == contents(tmp_path / "saved")
    output = tmp_path / "forecasts.csv"
    options = [f"--file_path={file}", f"--as_of={DAY}", f"--output={output}"]
    assert main(["predict", *where, *options]) == 0
    written = pl.read_csv(output, schema_overrides={"customer_id": pl.String})
    forecasts = model.predict(file, as_of=DAY, quiet=True)
    assert written["customer_id"].to_list() == forecasts["customer_id"].to_list()
    assert written["buy_probability_30"].to_list() == forecasts["buy_probability_30"].to_list()


def test_a_saved_model_is_loaded_with_its_report(
    file: Path, model: ordergap.Forecaster, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    again = ordergap.load(tmp_path / "model")
    assert again.predict(file, quiet=True).equals(model.predict(file, quiet=True))
    assert again.report(tmp_path / "pages/report.html") == model.report()
    assert (tmp_path / "pages/report.html").read_text(encoding="utf-8") == model.report()


@pytest.mark.parametrize(
    "day",
    [datetime.date(2024, 10, 1), datetime.datetime(2024, 10, 1, 23, 59), np.datetime64(DAY),  # noqa: DTZ001
     pd.Timestamp(DAY)],
)  # fmt: skip
def test_a_day_is_given_in_any_type(day: Any, file: Path, model: ordergap.Forecaster) -> None:
    expected = model.predict(file, as_of=DAY, quiet=True)
    assert model.predict(file, as_of=day, quiet=True).equals(expected)


def test_horizons_and_level_shape_the_frame(file: Path, model: ordergap.Forecaster) -> None:
    forecasts = model.predict(file, DAY, [3, 14], 0.5, quiet=True)
    probabilities = [name for name in forecasts.columns if name.startswith("buy_probability")]
    assert probabilities == ["buy_probability_3", "buy_probability_14"]
    assert (forecasts["buy_probability_3"] <= forecasts["buy_probability_14"]).all()


def test_a_backtest_is_beside_its_baselines(file: Path, model: ordergap.Forecaster) -> None:
    backtest = model.backtest(file, cutoffs=1, quiet=True)
    assert {*backtest.comparisons["next_order"]} == {"at cutoff", "at order"}


def test_quiet_is_quiet(
    file: Path, model: ordergap.Forecaster, capfd: pytest.CaptureFixture[str]
) -> None:
    model.predict(file, quiet=True)
    ordergap.fit(file, **COLUMNS, **FAST, quiet=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"customer_column": "E-Mail"}, errors.MissingColumn, "Email"),
        ({"num_rounds": 3}, errors.InvalidHyperparameters, "num_round"),
        ({"num_round": 0, "eta": 7}, errors.InvalidHyperparameters, "eta"),
        ({"trainer": "prophet"}, errors.InvalidHyperparameters, "xgboost"),
    ],
)
def test_what_is_wrong_with_a_fit_is_said(
    change: dict[str, Any], kind: type[Exception], words: str, file: Path
) -> None:
    with pytest.raises(kind, match=words):
        ordergap.fit(file, **(COLUMNS | FAST | change), quiet=True)


def test_what_is_wrong_with_a_forecast_is_said(
    file: Path, model: ordergap.Forecaster, tmp_path: Path
) -> None:
    for options in ({"as_of": "yesterday"}, {"horizons": [0]}, {"interval_level": 2}):
        (name,) = options
        with pytest.raises(errors.InvalidRequest, match=name):
            model.predict(file, **options, quiet=True)
    with pytest.raises(errors.ModelNotFound):
        ordergap.load(tmp_path)
    with pytest.raises(errors.DataError):
        model.predict([1, 2], quiet=True)  # type: ignore[arg-type]
