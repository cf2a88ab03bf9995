"""The form of two files, through the application, and the example of the documents."""

from __future__ import annotations

import datetime
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import parse
from ordergap.forecaster import Forecaster
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings

from tests.shop import shop, write_csv

AS_OF = datetime.date(2024, 12, 30)
CUSTOMERS = "customer_id,age,region\n7,41,north\n0042,29,south\nnobody-yet,55,north\n"
TRANSACTIONS = [
    {"customer_id": 7, "date": "2024-11-01", "amount": 80.0},
    {"customer_id": "0042", "date": "2024-10-05", "amount": 20.5},
    {"customer_id": 7, "date": "2024-12-20", "amount": 95.0, "shop": "web"},
    {"customer_id": "later", "date": "2024-12-01", "amount": 30},
]
PAGE = Path(__file__).parents[3] / "docs" / "large-purchases.md"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    file = write_csv(shop(150), tmp_path_factory.mktemp("shop") / "orders.csv")
    return Forecaster.fit(parse({"num_round": "15", "time_bins": "6"}), file)


@pytest.fixture(scope="module")
def served(model: Forecaster) -> FlaskClient:
    return create_app(model, Settings(), lambda: AS_OF).test_client()


def send(
    client: FlaskClient,
    customers: str | None = CUSTOMERS,
    transactions: Any = TRANSACTIONS,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Any:
    data: dict[str, Any] = dict(fields)
    if customers is not None:
        data["customers"] = (io.BytesIO(customers.encode()), "customers.csv")
    if transactions is not None:
        text = transactions if isinstance(transactions, str) else json.dumps(transactions)
        data["transactions"] = (io.BytesIO(text.encode()), "transactions.json")
    return client.post("/invocations", data=data, headers=headers)


def test_everybody_in_either_file_is_answered(served: FlaskClient, model: Forecaster) -> None:
    answer = send(served, amount="60", days="30").get_json()
    assert answer["model_version"] == model.manifest.model_version
    by_customer = {each["customer_id"]: each for each in answer["predictions"]}
    assert list(by_customer) == ["7", "0042", "nobody-yet", "later"]
    absent = by_customer.pop("nobody-yet")
    assert absent["large_purchase_probability"] is None
    assert absent["error"] == "there is no transaction of this customer in transactions.json"
    for each in by_customer.values():
        assert 0 <= each["large_purchase_probability"] <= 1
        assert each["error"] is None
        assert (each["large_purchase_amount"], each["large_purchase_days"]) == (60, 30)
        assert each["as_of"] == "2024-12-30"


def test_it_answers_what_the_library_does(served: FlaskClient, model: Forecaster) -> None:
    answer = send(served, amount="60", days="30").get_json()["predictions"][0]
    plain = [{"date": each["date"], "amount": each["amount"]} for each in TRANSACTIONS[::2]]
    from ordergap.serving.formats import records  # noqa: PLC0415

    from tests.trained import next_order  # noqa: PLC0415

    histories, as_of = records.read(
        [{"customer_id": "7", "orders": plain, "as_of": "2024-12-30"}], 20_000
    )
    asked = replace(model.bundle.options, horizons=[30], large_thresholds=[60])
    forecasts = model.bundle.forecast(histories, as_of, asked)
    (record,) = forecasts.records()
    assert answer["large_purchase_probability"] == record["large_order_probability"]["60"]["30"]  # type: ignore[index]
    assert answer["large_purchase_probability"] <= next_order(forecasts).probability[30].round(6)


def test_a_customer_is_one_however_it_is_written(served: FlaskClient) -> None:
    transactions = [
        {"customer_id": each, "date": day, "amount": 20.5}
        for each, day in (("a@x.de", "2024-10-05"), ("A@X.de", "2024-12-05"), (17, "2024-12-01"))
    ]
    written = "customer_id\n A@x.de\n17.0\n"
    odd = send(served, written, transactions).get_json()["predictions"]
    for each in transactions[:2]:
        each["customer_id"] = "a@x.de"
    plain = send(served, "customer_id\na@x.de\n17\n", transactions).get_json()["predictions"]
    assert odd == plain
    assert [each["customer_id"] for each in plain] == ["a@x.de", "17"]
    twice = send(served, "customer_id\na@x.de\nA@x.de\n", transactions).get_json()
    assert "line 3: customer 'A@x.de' is there twice" in twice["error"]["message"]


def test_unknown_amounts_are_not_guessed_at(served: FlaskClient) -> None:
    transactions = [*TRANSACTIONS, {"customer_id": 7, "date": "2024-12-24"}]
    known, unknown = (
        {
            each["customer_id"]: each
            for each in send(served, transactions=t).get_json()["predictions"]
        }
        for t in (TRANSACTIONS, transactions)
    )
    first = unknown.pop("7")
    assert first["large_purchase_probability"] is None
    assert first["error"] == "the amount of a transaction is unknown"
    assert unknown == {customer: each for customer, each in known.items() if customer != "7"}


def test_amount_days_and_date_have_defaults(served: FlaskClient, model: Forecaster) -> None:
    own = send(served).get_json()["predictions"][0]
    thresholds: Any = model.manifest.tasks["large_order"].parameters["thresholds"]
    assert own["large_purchase_amount"] == thresholds[0]
    assert own["large_purchase_days"] == model.manifest.hyperparameters.value_horizon
    later = send(served, as_of="2025-03-01").get_json()["predictions"][0]
    assert later["as_of"] == "2025-03-01"


def test_csv_and_json_say_the_same(served: FlaskClient) -> None:
    records = send(served).get_json()["predictions"]
    lines = send(served, headers={"Accept": "application/jsonlines"}).text.splitlines()
    assert [json.loads(line) for line in lines] == records
    head, *rows = send(served, headers={"Accept": "text/csv; header=present"}).text.splitlines()
    assert head.split(",") == list(records[0])
    probability = [row.split(",")[2] for row in rows]
    assert probability == [
        "" if each["large_purchase_probability"] is None
        else str(each["large_purchase_probability"])
        for each in records
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"customers": None}, "the form has no file customers.csv"),
        ({"transactions": None}, "the form has no file transactions.json"),
        ({"customers": ""}, "customers.csv has no column customer_id"),
        ({"customers": "customer_nr,age\n7,41\n"}, "did you mean customer_nr?"),
        ({"customers": "customer_id\n7\n8\n7\n"}, "customers.csv, line 4: customer '7' is there"),
        ({"customers": "customer_id,age\n7,41\n,30\n"}, "customers.csv, line 3: no customer_id"),
        ({"transactions": [{"customer_id": None}]}, "transaction 0: customer_id is missing"),
        ({"customers": "customer_id,age\n7,4,1\n"}, "customers.csv, line 2: 3 cells, and the"),
        ({"customers": "customer_id,age\n7\n"}, "customers.csv, line 2: 1 cells, and the"),
        ({"customers": 'customer_id\n"7\n'}, "customers.csv is not CSV"),
        ({"transactions": "[{"}, "transactions.json is not JSON"),
        ({"transactions": {"7": []}}, "expected a list of transactions"),
        ({"transactions": []}, "expected a list of transactions"),
        ({"transactions": [{"customer": 7, "date": "2024-01-01"}]}, "transaction 0: customer_id"),
        ({"transactions": [{"customer_id": 7, "date": "soon", "amount": 5}]}, "expected a date"),
        ({"transactions": [{"customer_id": 7, "date": "2025-02-01", "amount": 5}]}, "as_of"),
        ({"amount": "0"}, "expected a number above 0"),
        ({"amount": "much"}, "expected a number above 0"),
        ({"days": "400"}, "expected a whole number from 1 to 365"),
        ({"days": "1.5"}, "expected a whole number from 1 to 365"),
        ({"as_of": "tomorrow"}, "as_of"),
        ({"treshold": "5"}, "is not a field of this form"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    served: FlaskClient, sent: dict[str, Any], words: str
) -> None:
    answer = send(served, **sent)
    assert answer.status_code == 400
    assert words in answer.text


def test_odd_bodies_are_refused(served: FlaskClient) -> None:
    for content_type, body in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"not parts"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b; horizons=30", b""),
    ):
        answer = served.post("/invocations", data=body, content_type=content_type)
        assert answer.status_code == 400, (content_type, body)
        assert answer.get_json()["error"]["message"]
    many = {f"field{i}": "x" for i in range(40)}
    assert "more than 20 parts" in served.post("/invocations", data={
        **many, "customers": (io.BytesIO(b"customer_id\n7\n"), "customers.csv")
    }).text  # fmt: skip


def test_a_transaction_that_is_wrong_may_have_a_placeholder(model: Forecaster) -> None:
    settings = Settings(on_bad_record="placeholder")
    client = create_app(model, settings, lambda: AS_OF).test_client()
    wrong = [*TRANSACTIONS, {"customer_id": "0042", "date": "2024-13-01", "amount": 5}]
    answer = send(client, transactions=wrong).get_json()["predictions"]
    assert [each["error"] is None for each in answer] == [True, False, False, True]
    assert [each["customer_id"] for each in answer] == ["7", "0042", "nobody-yet", "later"]
    assert "2024-13-01" in answer[1]["error"]


def test_the_limits_of_the_server_hold(model: Forecaster) -> None:
    client = create_app(model, Settings(max_records=2), lambda: AS_OF).test_client()
    answer = send(client)
    assert answer.status_code == 413
    assert "the limit is 2" in answer.text


@pytest.mark.parametrize("setting", ["on", "off"])
def test_a_model_without_large_orders_says_why(bundle: Bundle, setting: str) -> None:
    why = {"large_order": "its Brier score is above a baseline's"}
    settings = bundle.manifest.hyperparameters.model_copy(update={"large_orders": setting})
    manifest = bundle.manifest.model_copy(update={"unanswered": why, "hyperparameters": settings})
    client = create_app(
        Forecaster(Bundle(manifest, bundle.heads)), Settings(), lambda: AS_OF
    ).test_client()
    answer = send(client)
    assert answer.status_code == 400
    assert why["large_order"] in answer.text
    assert ("train with large_orders = on" in answer.text) == (setting == "off")


def test_the_description_has_the_form(served: FlaskClient) -> None:
    document: Any = served.get("/openapi.json").get_json()
    forms = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    assert "customers.csv" in forms["multipart/form-data"]["schema"]["description"]


def test_the_example_of_the_documents_is_answered(served: FlaskClient) -> None:
    text = PAGE.read_text(encoding="utf-8")
    customers, transactions, answer = re.findall(r"```(?:text|json)\n(.*?)```", text, re.DOTALL)
    (command,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    fields = dict(re.findall(r"-F (amount|days|as_of)=(\S+)", command))
    found = send(served, customers, transactions, **fields).get_json()
    shown = json.loads(answer)
    for one, other in zip(found["predictions"], shown["predictions"], strict=True):
        assert list(one) == list(other)
        for name in one.keys() - {"large_purchase_probability", "model_version"}:
            assert one[name] == other[name], name
