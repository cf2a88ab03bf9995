"""The same text names the same customer in a file and in every form of a request, or nobody."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ordergap import ingest
from ordergap.artifacts import Bundle
from ordergap.contract.manifest import Manifest
from ordergap.contract.orders import Columns, Rejection
from ordergap.errors import DataError, InvalidRequest
from ordergap.scoring import encoders
from ordergap.serving.formats import codecs
from werkzeug.test import TestResponse

Ask = Callable[..., TestResponse]
TODAY, DAY = 15_317, "2011-12-01"
LOST = "lost its last digits"
WORDS = ("Walk-In",)  # that stand for nobody, by option

texts = st.one_of(
    st.text("aA0 .@e+-_é'\u00a0ß", max_size=8),
    st.sampled_from(["NA", "n/a", "NULL", "Guest", "0", "0.0", "-", "walk-in ", "\\N", "None"]),
    st.sampled_from(
        ["Ana@Example.com", "1.2345E+4", "1.5E+10", "5e10", "17850.0", "9" * 16 + ".0"]
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def table(text: str) -> str:
    """The order of a customer called so, and that of another."""
    rows = io.StringIO()
    writer = csv.writer(rows, quoting=csv.QUOTE_ALL)
    writer.writerow(["CustomerID", "InvoiceDate", "Quantity", "UnitPrice"])
    writer.writerows([[text, DAY, 1, 5], ["other", DAY, 1, 5]])
    return rows.getvalue()


def refused(message: str, *expected: str) -> str | None:
    """What a refusal stands for, which is one of those that are expected."""
    assert any(words in message for words in expected)
    return LOST if LOST in message else None


def of_file(text: str, folder: Path, manifest: Manifest) -> str | None:
    """The customer of a file; None for nobody, `LOST` for a number that lost digits."""
    path = folder / "orders.csv"
    path.write_text(table(text), encoding="utf-8")
    try:
        cleaned = ingest.read(path, manifest.hyperparameters.columns)
    except DataError as error:
        return refused(str(error), LOST)
    names = cleaned.histories.customer_ids
    assert len(names) == 2 - cleaned.report.rejected[Rejection.NO_CUSTOMER]
    return next((name for name in names if name != "other"), None)


def of_request(body: str, form: str, manifest: Manifest) -> str | None:
    """The same of a request's first record."""
    try:
        question = codecs.decode(body.encode(), form, manifest, TODAY)
    except (DataError, InvalidRequest) as error:
        return refused(str(error), LOST, "not a customer id", "at least 1 character")
    return question.histories.customer_ids[0]  # type: ignore[union-attr]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
@example(text="")
@example(text="other2")
def test_the_same_text_is_the_same_customer_or_nobody_everywhere(
    text: str, folder: Path, bundle: Bundle
) -> None:
    columns = Columns(no_customer_words=WORDS)
    options = bundle.manifest.hyperparameters.model_copy(update={"columns": columns})
    manifest = bundle.manifest.model_copy(update={"hyperparameters": options})
    expected = of_file(text, folder, manifest)
    record: dict[str, Any] = {"customer_id": text, "orders": [{"date": DAY, "amount": 5}]}
    assert of_request(table(text), encoders.CSV, manifest) == expected
    for batch in ({"instances": [record]}, [record], record):
        assert of_request(json.dumps(batch), encoders.JSON, manifest) == expected
    two = f"{json.dumps(record)}\n{json.dumps({**record, 'customer_id': 'b'})}"
    assert of_request(two, encoders.JSON_LINES, manifest) == expected


def vector(bundle: Bundle, customer: str) -> str:
    names = bundle.manifest.feature_names
    row = [customer, DAY, *("1" if name == "order_count" else "" for name in names)]
    return ",".join(row)


def test_feature_vectors_name_customers_alike(ask: Ask, bundle: Bundle) -> None:
    answer = ask(vector(bundle, " Ana@Example.com"), "text/csv", Accept="application/json")
    assert answer.get_json()["predictions"][0]["customer_id"] == "ana@example.com"
    error = ask(vector(bundle, "guest"), "text/csv").get_json()["error"]
    assert error["message"] == "line 1 has customer_id 'guest': it is not a customer id"


def test_a_record_of_nobody_is_refused_with_a_hint_or_gets_a_placeholder(ask: Ask) -> None:
    orders = [{"date": DAY, "amount": 5}]
    batch = [{"customer_id": "ana", "orders": orders}, {"customer_id": "N/A", "orders": orders}]
    error = ask(batch).get_json()["error"]
    assert error["message"] == "record 1: customer_id = 'N/A': it is not a customer id"
    assert (error["record"], error["field"]) == (1, "customer_id")
    assert "stand for nobody" in error["hint"]
    answer = ask(batch, "application/json; on_bad_record=placeholder").get_json()["predictions"]
    assert [each["customer_id"] for each in answer] == ["ana", "N/A"]
    assert "not a customer id" in answer[1]["error"]


@pytest.mark.parametrize("field", ["amount", "items", "lines"])
@pytest.mark.parametrize("others", [[], [2.5], [3]])
def test_true_is_no_number(ask: Ask, field: str, others: list[float]) -> None:
    orders = [{"date": DAY, field: value} for value in [*others, True]]
    error = ask([{"customer_id": "ana", "orders": orders}]).get_json()["error"]
    name = f"orders[{len(others)}].{field}"
    assert error["message"] == f"record 0: {name} = True: expected a number"
    assert "horizons[0] = True" in ask({"instances": [], "horizons": [True]}).text
