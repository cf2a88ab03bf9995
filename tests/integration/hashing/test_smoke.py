"""The published buckets, and counts of them, on every way through the product."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flask.testing import FlaskClient
from ordergap import features, fit, ingest
from ordergap.artifacts import Bundle
from ordergap.contract.metrics import MODEL
from ordergap.forecaster import Forecaster
from ordergap.hashing import bucket
from ordergap.histories import date_of
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings
from ordergap.tasks.variants import WITHOUT

from tests.shop import shop, write_csv
from tests.trained import scores

VALUES = ["85123A", " 85123A", "22423", "01104905", "Été 2026", "E\u0301té 2026", "夏", ""]
QUICK: dict[str, Any] = {"num_round": 12, "eta": 0.3, "time_bins": 8, "outlier_contamination": 0}
HASHED: dict[str, Any] = {"hashed_columns": "Description", "hash_buckets": 8}


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_a_process_of_its_own_has_the_published_buckets(seed: str) -> None:
    code = (
        "from ordergap.hashing import bucket_each\n"
        "print(bucket_each('product', ['85123A', '22423', None], 1024))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[992, 470, 1024]"


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Orders of one line, whose descriptions are in one bucket or another, or in none."""
    path = write_csv(shop(120, 240), tmp_path_factory.mktemp("shop") / "orders.csv")
    frame = pl.read_csv(path, infer_schema=False)
    values = [VALUES[i % len(VALUES)] for i in range(len(frame))]
    return frame.with_columns(Description=pl.Series(values, dtype=pl.String))


@pytest.fixture(scope="module")
def model(lines: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    """Saved and loaded."""
    folder = tmp_path_factory.mktemp("model")
    fit(lines, quiet=True, **QUICK, **HASHED).save(folder)
    return Forecaster(Bundle.load(folder))


@pytest.fixture(scope="module")
def client(model: Forecaster, lines: pl.DataFrame) -> FlaskClient:
    last = date_of(ingest.read(lines, model.manifest.hyperparameters.columns).histories.day.max())
    return create_app(model, Settings(value="on"), lambda: last).test_client()


def answers(client: FlaskClient, body: str, kind: str) -> list[dict[str, Any]]:
    done = client.post(
        "/invocations", data=body, headers={"Content-Type": kind, "Accept": "application/jsonlines"}
    )
    assert done.status_code == 200, done.text
    return [json.loads(line) for line in done.text.splitlines()]


def record(customer: str, lines: pl.DataFrame, **hashed: Any) -> dict[str, Any]:
    """The customer's lines as orders; `hashed` makes a field of an order of its description."""
    orders = [
        {"date": row["InvoiceDate"][:10], "amount": float(row["UnitPrice"]), "items": 1, "lines": 1}
        | {field: made(row["Description"]) for field, made in hashed.items()}
        for row in lines.filter(pl.col("CustomerID") == customer).iter_rows(named=True)
    ]
    return {"customer_id": customer, "orders": orders}


def number(text: str) -> int:
    return bucket("Description", text, 8)


def test_file_and_requests_of_every_form_are_answered_alike(
    model: Forecaster, lines: pl.DataFrame, client: FlaskClient, tmp_path: Path
) -> None:
    path = tmp_path / "forecasts.jsonl"
    model.predict_file(lines, path)
    expected = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    customers = [each["customer_id"] for each in expected]
    by_values = [record(c, lines, values=lambda v: {"Description": [v]}) for c in customers]
    by_buckets = [
        record(c, lines, buckets=lambda v: {"Description:8": [number(v)]}) for c in customers
    ]
    for records in (by_values, by_buckets):
        body = "\n".join(map(json.dumps, records))
        assert answers(client, body, "application/jsonlines") == expected
    text = io.StringIO()
    lines.sort("CustomerID", maintain_order=True).write_csv(text)
    found = answers(client, text.getvalue(), "text/csv")
    assert sorted(found, key=lambda each: each["customer_id"]) == expected
    histories = ingest.read(lines, model.manifest.hyperparameters.columns).histories
    matrix = features.compute(histories, model.manifest.feature_names)[histories.last_row]
    rows = [
        f"{each['customer_id']},{each['last_order_date']},{str(values)[1:-1].replace('nan', '')}"
        for each, values in zip(expected, matrix.tolist(), strict=True)
    ]
    vectors = answers(client, "\n".join(rows), "text/csv")
    assert [each["buy_probability"] for each in vectors] == [
        each["buy_probability"] for each in expected
    ]


def test_two_files_have_the_values_in_their_transactions(
    client: FlaskClient, lines: pl.DataFrame
) -> None:
    def asked(**hashed: Any) -> Any:
        made = record("customer-0001", lines, **hashed)
        orders = [{"customer_id": made["customer_id"], **order} for order in made["orders"]]
        transactions = json.dumps(orders).encode()
        data = {
            "customers": (io.BytesIO(b"customer_id\ncustomer-0001\n"), "customers.csv"),
            "transactions": (io.BytesIO(transactions), "transactions.json"),
        }
        return client.post("/invocations", data=data)

    assert "has no Description, of which the model counts the values" in asked().text
    done = asked(values=lambda value: {"Description": [value]})
    assert done.status_code == 200, done.text
    assert "large_purchase_probability" in done.text


def test_other_values_are_answered_otherwise(client: FlaskClient, lines: pl.DataFrame) -> None:
    customers = lines["CustomerID"].unique().sort().to_list()

    def answered(value: str) -> list[dict[str, Any]]:
        records = [record(c, lines, values=lambda _: {"Description": [value]}) for c in customers]
        return answers(client, "\n".join(map(json.dumps, records)), "application/jsonlines")

    assert answered("85123A") != answered("夏")


def test_the_model_without_counts_is_scored_beside_it(model: Forecaster) -> None:
    metrics = model.manifest.model_dump()["metrics"]
    for protocol in ("at cutoff", "at order"):
        counted, plain = (scores(metrics, protocol, name) for name in (MODEL, WITHOUT))
        assert counted["brier_30"] != plain["brier_30"]
        assert 0 < counted["concordance"] < 1
        assert 0 < plain["concordance"] < 1


def test_order_lines_without_the_column_are_refused(
    client: FlaskClient, lines: pl.DataFrame
) -> None:
    body = lines.drop("Description").write_csv()
    done = client.post("/invocations", data=body, headers={"Content-Type": "text/csv"})
    assert done.status_code == 400
    assert "hashed_columns" in done.text
