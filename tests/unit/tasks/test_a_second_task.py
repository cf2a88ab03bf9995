"""A second task, defined here alone, goes all the way from training to report and table."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import boto3
import numpy as np
import pytest
from moto import mock_aws
from numpy.typing import NDArray
from ordergap import features, forecaster
from ordergap.cli.main import main
from ordergap.contract.manifest import TaskSection
from ordergap.contract.metrics import MODEL, EvaluationProtocol, Metric
from ordergap.contract.prediction import CustomerFields, NextOrderFields
from ordergap.contract.tasks import TASKS, TaskEntry, prediction_model
from ordergap.contract.versions import ModelVersion
from ordergap.errors import ModelMismatch
from ordergap.evaluation.compare import Comparison, Evaluation, Metrics, compare
from ordergap.evaluation.metrics import Rows
from ordergap.histories import Histories
from ordergap.models.base import Column, ForecastOptions, Head, Snapshot, TaskForecast
from ordergap.report.contents import Histogram, Judged, Section, TaskContents
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings
from ordergap.tasks.base import Findings, Fit, Learning, Split, Task, Validation
from pydantic import BaseModel, Field, JsonValue
from typing_extensions import override

from lambdas.store_predictions import items
from tests.shop import shop, write_csv

NAME = "next_amount"
AT_ORDER = EvaluationProtocol.AT_ORDER
AS_OF = datetime.date(2024, 12, 30)


class NextAmountFields(BaseModel):
    next_amount: float = Field(title="Amount of the next order")
    amount_by_band: dict[str, float] = Field(title="Amount by band")


@dataclass(frozen=True)
class NextAmountForecast(TaskForecast):
    amount: NDArray[np.float64]

    @override
    def columns(self) -> dict[str, Column]:
        bands = {"low": (self.amount / 2).tolist(), "high": (self.amount * 2).tolist()}
        return {"next_amount": self.amount.round(4).tolist(), "amount_by_band": bands}


class NextAmountHead(Head):
    """So many times the customer's mean amount."""

    feature_names = ("amount_mean",)
    kind = "factor"
    parameters: ClassVar[dict[str, JsonValue]] = {}

    def __init__(self, factor: float) -> None:
        self.factor = factor

    @override
    def forecast(
        self,
        customers: Snapshot,
        features: NDArray[np.float32],
        options: ForecastOptions,
        earlier: Mapping[str, TaskForecast],
    ) -> NextAmountForecast:
        assert next(iter(earlier)) == "next_order"
        assert features.shape == (len(customers.customer_ids), 1)
        return NextAmountForecast(self.factor * features[:, 0].astype(float))

    @override
    def files(self) -> dict[str, bytes]:
        return {"factor.json": json.dumps(self.factor).encode()}

    @classmethod
    @override
    def load(cls, files: Mapping[str, bytes], section: TaskSection) -> Self:
        return cls(json.loads(files["factor.json"]))

    @classmethod
    @override
    def file_names(cls, kind: str) -> tuple[str, ...]:
        return ("factor.json",)


@dataclass(frozen=True, eq=False)
class AmountEvaluation(Evaluation):
    customer: NDArray[np.int64]
    cap: float
    segments: Mapping[str, NDArray[np.bool_]]
    actual: NDArray[np.float64]
    forecasts: Mapping[str, NDArray[np.float64]]

    @property
    @override
    def names(self) -> Sequence[str]:
        return [*self.forecasts]

    @override
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        error = np.abs(self.forecasts[name] - self.actual)
        return {"error": float(error.mean() if rows is None else error[rows].mean())}


class NextAmount(Task):
    name = NAME
    title = "Amount of the next order"
    metrics: ClassVar[Mapping[str, Metric]] = {
        "error": Metric(title="mean error", digits=2, better="lower", meaning="Mean distance.")
    }

    @override
    def search(self, learning: Learning, split: Split) -> Validation:
        assert next(iter(learning.heads)) == "next_order"
        fit = self.fit(learning, Validation())
        evaluations = self.evaluate(learning, Validation(), split, {MODEL: fit.head})
        comparisons = {p: compare([each], 1, 10) for p, each in evaluations.items()}
        return Validation({}, fit, evaluations, comparisons)

    @override
    def fit(self, learning: Learning, validation: Validation) -> Fit:
        mean, following = _rows(learning.histories, learning.histories.day > -1)[1:]
        return Fit(NextAmountHead(float(following.sum() / mean.sum())), learning.outliers)

    @override
    def evaluate(
        self,
        learning: Learning,
        validation: Validation,
        split: Split,
        heads: Mapping[str, Head],
        caps: Mapping[EvaluationProtocol, float] | None = None,
    ) -> dict[EvaluationProtocol, Evaluation]:
        row, mean, actual = _rows(split.whole, split.whole.day > split.cutoff)
        crowd = float(learning.histories.amount.mean())
        forecasts = {name: head.factor * mean for name, head in heads.items()}  # type: ignore[attr-defined]
        forecasts |= {"naive": mean, "everybody's mean": np.full(len(mean), crowd)}
        everybody = {"everybody": np.ones(len(mean), bool)}
        owner = split.whole.customer[row]
        return {AT_ORDER: AmountEvaluation(owner, float("nan"), everybody, actual, forecasts)}

    @override
    def contents(
        self,
        histories: Histories,
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        forecast: TaskForecast | None,
    ) -> TaskContents:
        judged = {p: Judged(float("nan"), each.metrics) for p, each in comparisons.items()}
        bars = Histogram("Amounts of orders", [(0, 100, len(histories))], "amount", "orders")
        return TaskContents(
            self.title, self.metrics, judged, [Section("amounts", "What they spend", [bars])]
        )

    @override
    def findings(self, *_: object) -> Findings:
        return Findings()


def _rows(histories: Histories, some: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
    """Orders that have a next one: row, mean amount so far, the next amount."""
    last = np.zeros(len(histories), bool)
    last[histories.last_row] = True
    row = np.flatnonzero(~last & some)
    mean = features.compute(histories, ("amount_mean",), row)[:, 0].astype(float)
    return row, mean, histories.amount[row + 1]


class Prediction(CustomerFields, NextOrderFields, NextAmountFields, ModelVersion):
    """What a prediction is with both tasks."""


@pytest.fixture(scope="module", autouse=True)
def _a_second_task() -> Iterator[None]:
    here = __name__
    TASKS[NAME] = TaskEntry(NextAmountFields, f"{here}:NextAmountHead", f"{here}:NextAmount")
    yield
    del TASKS[NAME]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(80), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def folder(orders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    words = ["--file_path", str(orders), "--num_round", "15", "--time_bins", "6"]
    assert main(["train", *words, "--model_dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> forecaster.Forecaster:
    return forecaster.load(folder)


def test_it_is_in_the_artefact_and_is_checked_like_the_first(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert list(manifest["tasks"]) == ["next_order", "value", "large_order", NAME]
    factor = json.loads((folder / NAME / "factor.json").read_text())
    assert 0.5 < factor < 2
    forecaster.load(folder).save(tmp_path)
    (tmp_path / NAME / "factor.json").write_text("99")
    with pytest.raises(ModelMismatch, match=r"next_amount/factor\.json is damaged"):
        forecaster.load(tmp_path)


def test_its_validation_is_in_the_metrics_and_was_printed(
    folder: Path, orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = json.loads((folder / "metrics.json").read_text())["tasks"][NAME]
    scores = task["protocols"]["at order"]["scores"]
    assert set(scores) == {"model", "naive", "everybody's mean"}
    assert scores["model"]["error"] < scores["everybody's mean"]["error"]
    assert task["definitions"]["error"]["better"] == "lower"
    words = ["--file_path", str(orders), "--trainer", "naive", "--model_dir", str(tmp_path)]
    assert main(["train", *words]) == 0
    assert "validation:next_amount:at_order:error=" in capsys.readouterr().out


def test_a_server_answers_it_in_every_form(model: forecaster.Forecaster) -> None:
    client = create_app(model, Settings(), lambda: AS_OF).test_client()
    record = {"customer_id": "a", "orders": [{"date": "2024-11-01", "amount": 50.0}]}
    names = list(prediction_model(TASKS).model_fields)

    def answer(accept: str) -> str:
        return client.post("/invocations", json=[record], headers={"Accept": accept}).text

    (from_json,) = json.loads(answer("application/json"))["predictions"]
    assert list(from_json) == names
    assert Prediction.model_validate(from_json).next_amount > 0
    assert json.loads(answer("application/jsonlines")) == from_json
    (row,) = csv.DictReader(io.StringIO(answer("text/csv; header=present")))
    assert float(row["next_amount"]) == from_json["next_amount"]
    assert float(row["amount_by_band_high"]) == from_json["amount_by_band"]["high"]
    assert answer("text/csv").strip() == ",".join(row.values())
    vector = dict.fromkeys(model.manifest.csv_columns, "") | {
        "customer_id": "a", "last_order_date": "2024-11-01", "order_count": "1",
        "amount_mean": "50",
    }  # fmt: skip
    from_vector = client.post(
        "/invocations", data=",".join(vector.values()), content_type="text/csv"
    ).text.split(",")
    assert row["next_amount"] in from_vector
    schemas = client.get("/openapi.json").json["components"]["schemas"]  # type: ignore[index]
    assert {"next_amount", "amount_by_band"} <= set(schemas["Prediction"]["properties"])
    assert "Amount of the next order" in client.get("/").text


def test_predict_writes_it_and_a_frame_has_it(
    model: forecaster.Forecaster, folder: Path, orders: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    words = ["--file_path", str(orders), "--model_dir", str(folder), "--output", str(output)]
    assert main(["predict", *words]) == 0
    with output.open() as file:
        rows = list(csv.DictReader(file))
    frame = model.predict(orders, quiet=True)
    amounts = dict(zip(frame["customer_id"], frame["next_amount"], strict=True))
    assert {row["customer_id"]: float(row["next_amount"]) for row in rows} == amounts
    assert "amount_by_band_low" in frame.columns


@pytest.mark.usefixtures("few_replicates")
def test_a_backtest_judges_it_beside_its_baseline(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--file_path", str(orders), "--cutoffs", "2", "--num_round", "10"]
    assert main(["backtest", *words, "--output", str(tmp_path)]) == 0
    assert "Amount of the next order, at order" in capsys.readouterr().out
    result = json.loads((tmp_path / "backtest.json").read_text())["tasks"][NAME]["at order"]
    model, baseline = (result["metrics"][name]["error"] for name in ("model", "everybody's mean"))
    mean, low, high = result["differences"]["everybody's mean"]["error"]
    assert mean == pytest.approx(model - baseline)
    assert low <= mean <= high
    assert "Amount of the next order" in (tmp_path / "report.html").read_text()


def test_the_report_shows_it(model: forecaster.Forecaster) -> None:
    page = model.report()
    for text in ("Amount of the next order", "Mean error", "What they spend", "Amounts of orders"):
        assert text in page


def test_the_table_holds_it(model: forecaster.Forecaster, orders: Path) -> None:
    histories = shop(5)
    record = model.bundle.forecast(histories, int(histories.day.max())).records()[0]
    as_of = datetime.date.fromisoformat(str(record["as_of"]))
    text = json.dumps(record).encode()
    started = datetime.datetime(2024, 12, 31, tzinfo=datetime.UTC)
    stamp = items.Stamp("night", started, "uk", as_of, 1_700_000_000, 8)
    item = items.item(items.prediction(text, as_of), stamp, "part-0#1")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="predictions",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "customer_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "customer_id", "KeyType": "HASH"}],
        )
        client.put_item(TableName="predictions", Item=item)
        table = boto3.resource("dynamodb", region_name="eu-west-1").Table("predictions")
        stored: Any = table.scan()["Items"][0]
    assert float(stored["next_amount"]) == record["next_amount"]
    assert set(stored["amount_by_band"]) == {"low", "high"}
    assert set(prediction_model(TASKS).model_fields) <= set(stored) | {
        name for name, value in record.items() if value is None
    }
