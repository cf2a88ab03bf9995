"""The OpenAPI document is valid, and the server does what it says."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate
from ordergap.artifacts import Bundle
from ordergap.forecaster import Forecaster
from ordergap.scoring import encoders
from ordergap.serving.app.application import create_app
from ordergap.serving.formats import codecs
from ordergap.serving.formats.statuses import STATUSES
from ordergap.settings import Settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

LAST = datetime.date(2200, 1, 1)  # of the days that an order may have: none is later than as_of
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
    unsupported_method,
]

day = st.dates(datetime.date(1900, 1, 1), LAST).map(str)
order = st.fixed_dictionaries(
    {"date": day, "amount": st.floats(0.01, 1e6)}, optional={"items": st.integers(0, 9)}
)
record = st.fixed_dictionaries(
    {"customer_id": st.text(min_size=1, max_size=5), "orders": st.lists(order, min_size=1)},
    optional={"country": st.text(max_size=3)},
)
wrong = st.fixed_dictionaries({"customer_id": st.none() | st.integers(), "orders": st.lists(day)})
batch = st.lists(record, max_size=4) | st.lists(record | wrong | st.floats(), max_size=4)
lines = batch.map(lambda records: "\n".join(map(json.dumps, records)).encode())
HEADER = "CustomerID,InvoiceNo,InvoiceDate,Quantity,UnitPrice\n"
row = st.tuples(st.integers(1, 3), st.integers(1, 9), day, st.integers(1, 9), st.floats(0.01, 99))
cells = st.lists(st.text("0123456789-.,;\"'CA \r\n", max_size=10) | day, min_size=3, max_size=25)
rows = st.lists(row) | st.lists(row | cells, max_size=4)
tables = st.tuples(st.just(HEADER) | st.sampled_from([HEADER, ""]), rows).map(
    lambda table: (table[0] + "\n".join(",".join(map(str, row)) for row in table[1])).encode()
)
FORMS = {
    encoders.JSON_LINES: lines,
    "application/x-ndjson": lines,
    "application/jsonl": lines,
    encoders.CSV: tables,
}


@pytest.fixture(scope="module")
def app(bundle: Bundle) -> Flask:
    model = Forecaster(bundle, b"<!DOCTYPE html><title>Report</title>")
    return create_app(model, Settings(), lambda: LAST)


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    content = app.test_client().get("/openapi.json").get_json()
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def api(app: Flask) -> BaseSchema:
    for form, strategy in FORMS.items():
        schemathesis.openapi.media_type(form, strategy)
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_the_server_keeps_to_its_document(
    api: BaseSchema, mode: schemathesis.GenerationMode
) -> None:
    """For requests that are as the document says, and for others."""
    for operation in [each.ok() for each in api.get_all_operations() if isinstance(each, Ok)]:
        if mode.is_negative and not operation.body:
            continue  # without parameters there is nothing to get wrong
        cases = operation.as_strategy(generation_mode=mode)

        @given(case=cases, accept=st.sampled_from(["*/*", "image/png", *encoders.ENCODERS]))
        @settings(max_examples=60, suppress_health_check=[*HealthCheck])
        def ask(case: schemathesis.Case[Any], accept: str) -> None:
            case.call_and_validate(checks=CHECKS, headers={"Accept": accept})

        ask()


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1.")


def test_every_path_that_the_server_has_is_described(app: Flask, document: dict[str, Any]) -> None:
    rules = [
        (rule.rule, rule.methods or set())
        for rule in app.url_map.iter_rules()
        if rule.rule != "/favicon.ico"
    ]
    served = {(path, method) for path, methods in rules for method in methods}
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item
    }
    assert described == {each for each in served if each[1] in {"GET", "POST"}}


def test_every_form_and_status_is_described(document: dict[str, Any]) -> None:
    forecast = document["paths"]["/invocations"]["post"]
    assert set(forecast["requestBody"]["content"]) == set(codecs.DECODERS)
    assert set(forecast["responses"]["200"]["content"]) == set(encoders.ENCODERS)
    assert set(forecast["responses"]) == {"200", *map(str, STATUSES.values())}


def test_placeholders_are_as_the_document_says(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    records = [{"customer_id": "a", "orders": [{"date": "2011-12-01", "amount": 5}]}, {"orders": 5}]
    answer = client.post(
        "/invocations", json=records,
        headers={"Content-Type": "application/json; on_bad_record=placeholder"},
    ).get_json()  # fmt: skip
    schema = {"$ref": "#/components/schemas/Forecasts", "components": document["components"]}
    validator = Draft202012Validator(schema)
    validator.validate(answer)
    assert [each["error"] is None for each in answer["predictions"]] == [True, False]
    del answer["predictions"][1]["error"]
    assert not validator.is_valid(answer)


def examples(bundle: Bundle) -> Iterator[Any]:
    client = create_app(Forecaster(bundle), Settings(), lambda: LAST).test_client()
    forms = client.get("/openapi.json").get_json()["paths"]["/invocations"]["post"]["requestBody"]
    for form, description in forms["content"].items():
        for name, example in description["examples"].items():
            yield form, name, example["value"]


def test_every_example_is_answered(bundle: Bundle, client: FlaskClient) -> None:
    every = list(examples(bundle))
    assert {form for form, *_ in every} == set(codecs.DECODERS)
    for form, name, value in every:
        body = value if isinstance(value, str) else json.dumps(value)
        answer = client.post("/invocations", data=body, content_type=form)
        assert answer.status_code == 200, (form, name, answer.text)
        assert answer.data.strip(), (form, name)


def test_the_limits_are_those_of_the_settings(bundle: Bundle, tmp_path: Path) -> None:
    app = create_app(Forecaster(bundle), Settings(max_body_mb=7), lambda: LAST)
    content = app.test_client().get("/openapi.json").get_json()
    assert "At most 7 MiB" in content["paths"]["/invocations"]["post"]["description"]
