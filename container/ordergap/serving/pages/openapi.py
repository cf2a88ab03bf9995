"""The OpenAPI document of this server, as JSON.

Schemas come from the contract, media types from the codecs, statuses from their table, limits from
the settings.
"""

from __future__ import annotations

import datetime
from typing import Any

import orjson
from pydantic.json_schema import models_json_schema

from ordergap.contract.leads import LeadPrediction, LeadRecord
from ordergap.contract.manifest import Manifest
from ordergap.contract.prediction import ScoringRequest
from ordergap.contract.tasks import prediction_model
from ordergap.scoring.encoders import CSV, ENCODERS, JSON
from ordergap.scoring.options import OPTION_NAMES
from ordergap.serving.formats import codecs, large_purchases
from ordergap.serving.formats.context import ON_BAD_RECORD
from ordergap.serving.formats.headers import (
    ATTRIBUTES,
    ATTRIBUTES_LIMIT,
    ATTRIBUTES_PATTERN,
    INFERENCE_ID,
    INFERENCE_ID_LIMIT,
    REQUEST_ID,
)
from ordergap.serving.formats.statuses import STATUSES
from ordergap.serving.pages.schemas import RECORD, SCHEMAS, STRING, Json, ref
from ordergap.settings import Settings
from ordergap.survival.renewal import MOST_DAYS

_OBJECT: Json = {"type": "object"}
_TEXT: Json = {"schema": STRING}
_REQUEST_ID: Json = {"description": "Identifies the request in the log.", "schema": STRING}
_ECHO: Json = {"description": "As in the request.", "schema": STRING}
_FORECASTS: Json = {"schema": ref("Forecasts")}
_TWO_FILES_MEANING = (
    f"The files {large_purchases.CUSTOMERS}, with a column customer_id, and "
    f"{large_purchases.TRANSACTIONS}, a list of transactions with customer_id, date and amount. "
    "The answer says for each customer how likely an order above an amount is within some days; "
    "the fields amount, days and as_of are optional."
)
_TWO_FILES: Json = {
    "type": "object",
    "required": ["customers", "transactions"],
    "properties": {
        "customers": {"type": "string", "contentMediaType": CSV},
        "transactions": {"type": "string", "contentMediaType": JSON},
        "amount": {"type": "number", "exclusiveMinimum": 0},
        "days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
        "as_of": {"type": "string", "format": "date"},
    },
    "additionalProperties": False,
}
_AS_OF = datetime.date(2011, 12, 9)
_RECORD: Json = {
    "customer_id": "17850",
    "orders": [{"date": "2011-09-20", "amount": 96.5}, {"date": "2011-11-03", "amount": 60}],
}
_BY_DEFAULT = {
    "off": "without them neither is answered",
    "on": "without them both are, at the model's own days and amounts",
}
_MEANINGS = {
    400: "The request cannot be read or answered: every problem with its record and field.",
    406: "The Accept header matches none of the forms of an answer.",
    413: "More bytes, records or orders than one request may have.",
    415: "The Content-Type or the Content-Encoding is not supported.",
    500: "Internal error: the server's log has the cause under the id.",
    503: "The queue is full: send the same request again after Retry-After.",
}


def describe(manifest: Manifest, settings: Settings) -> bytes:
    """The document for the model and the settings of this server."""
    prediction = prediction_model(manifest.tasks, everything=True)
    _, schemas = models_json_schema(
        [
            (ScoringRequest, "validation"),
            (LeadRecord, "validation"),
            (prediction, "serialization"),
            (LeadPrediction, "serialization"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas["$defs"]["ScoringRequest"]["properties"]["instances"]["items"] = RECORD
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ordergap",
            "version": manifest.model_version,
            "summary": "When will each customer buy next?",
            "description": (
                f"Forecasts of model {manifest.model_version}, trained on orders from "
                f"{manifest.first_day} to {manifest.as_of}. The version is the model's."
                + "".join(f" Not answered, {k}: {v}." for k, v in manifest.not_answered.items())
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/invocations": {"post": _invocations(manifest, settings)},
            "/ping": {
                "get": _get("ping", "Whether the server can answer: 200 and no content.", {})
            },
            "/execution-parameters": {
                "get": _get(
                    "executionParameters",
                    "What a batch transform does by default.",
                    {JSON: {"schema": ref("ExecutionParameters")}},
                )
            },
            "/metrics": {
                "get": _get(
                    "metrics",
                    "Counts of all workers, for Prometheus; as OpenMetrics where Accept names it.",
                    {"text/plain": _TEXT, "application/openmetrics-text": _TEXT},
                )
            },
            "/openapi.json": {
                "get": _get("openapi", "This document.", {JSON: {"schema": _OBJECT}})
            },
            "/": {
                "get": _get(
                    "page",
                    "A page that draws a customer's forecast and ranks the customers of a file.",
                    {"text/html": _TEXT},
                )
            },
            "/report": {
                "get": _get(
                    "report",
                    "The model's data and how good its forecasts are.",
                    {"text/html": _TEXT},
                    {404: "The model has no report."},
                )
            },
        },
        "components": {
            "schemas": {**_with_date_ranges(schemas["$defs"]), **SCHEMAS},
            "headers": {REQUEST_ID: _REQUEST_ID},
        },
    }
    return orjson.dumps(document)


def _invocations(manifest: Manifest, settings: Settings) -> Json:
    refusals = {str(status): _refusal(_MEANINGS[status]) for status in sorted({*STATUSES.values()})}
    refusals["503"]["headers"]["Retry-After"] = {
        "description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0},
    }  # fmt: skip
    for refusal in refusals.values():
        refusal["headers"][ATTRIBUTES] = _ECHO
    return {
        "operationId": "forecast",
        "summary": "Forecast each customer's next order.",
        "description": (
            f"At most {settings.max_body >> 20} MiB. Without a Content-Type the request is read as "
            f"{settings.default_content_type}. {', '.join(OPTION_NAMES)} may be parameters of the "
            f'Content-Type in any form, as in `text/csv; as_of={_AS_OF}; horizons="30,60"`. By '
            "default as_of is today in UTC; no order may be later. value_horizons and "
            "large_thresholds, which may be `off` there, ask what a customer will spend and "
            f"whether an order will be above an amount; {_BY_DEFAULT[settings.value]}. There too, "
            f"{ON_BAD_RECORD}=placeholder answers a record that cannot be forecast with a "
            "placeholder, and =error refuses the whole request; the default is "
            f"{settings.on_bad_record}. The answer has one row per customer, in the order of the "
            f"request, and is {settings.default_accept or 'of its form'} unless Accept names "
            "another."
        ),
        "parameters": [
            _header(
                ATTRIBUTES,
                "Returned with the answer; a trace_id=… in it is written to the log.",
                {"type": "string", "maxLength": ATTRIBUTES_LIMIT, "pattern": ATTRIBUTES_PATTERN},
            ),
            _header(
                INFERENCE_ID,
                "Written to the log.",
                {"type": "string", "maxLength": INFERENCE_ID_LIMIT},
            ),
        ],
        "requestBody": {"required": True, "content": _request_forms(manifest)},
        "responses": {
            "200": {
                "description": "A forecast for each customer.",
                "headers": {REQUEST_ID: ref(REQUEST_ID, "headers"), ATTRIBUTES: _ECHO},
                "content": {form: _FORECASTS if form == JSON else _TEXT
                            for form in ENCODERS},
            },
            **refusals,
        },
    }  # fmt: skip


def _request_forms(manifest: Manifest) -> Json:
    """Media type of a request -> its schema and an example of each use."""
    columns = manifest.hyperparameters.columns
    amount = manifest.amount_columns
    header = [columns.customer_column, columns.order_column, columns.date_column, *amount]
    line = ["17850", "536365", "2011-11-03", *([], ["60"], ["6", "2.55"])[len(amount)]]
    counts = {"customer_id": "17850", "last_order_date": "2011-11-03", "order_count": "2"}
    vector = ",".join(counts.get(name, "") for name in manifest.csv_columns)
    lines = orjson.dumps({**_RECORD, "as_of": str(_AS_OF)}).decode() + "\n"
    vectors = f"a feature vector a row: {', '.join(manifest.csv_columns)}"
    forms: dict[str, tuple[str, Json, Json]] = {
        JSON: (
            "A request, a list of records, or one record. Of equal keys the last one holds.",
            ref("Question"),
            {
                "request": {"instances": [_RECORD], "as_of": str(_AS_OF), "horizons": [30, 60]},
                **_value_example(manifest),
                "records": [_RECORD],
                "record": {**_RECORD, "as_of": str(_AS_OF)},
            },
        ),
        CSV: (
            f"Order lines under a header that names their columns; without it {vectors}.",
            STRING,
            {
                "orders": ",".join(header) + "\n" + ",".join(line) + "\n",
                "vectors": vector + "\n",
            },
        ),
    }
    if "large_order" in manifest.tasks:
        forms[large_purchases.FORM] = (_TWO_FILES_MEANING, _TWO_FILES, {})
    record_lines = ("A record a line.", STRING, {"records": lines})
    return {
        form: {
            "schema": {"description": description, **schema},
            "examples": {name: {"value": value} for name, value in examples.items()},
        }
        for form in {**codecs.DECODERS, **forms}
        for description, schema, examples in [forms.get(form, record_lines)]
    }


def _value_example(manifest: Manifest) -> Json:
    """A request for value and large orders, of a model that forecasts both."""
    if not {"value", "large_order"} <= manifest.tasks.keys():
        return {}
    asked = {"value_horizons": [30, 90], "large_thresholds": [500]}
    return {"value": {"instances": [_RECORD], "as_of": str(_AS_OF), **asked}}


def _get(name: str, summary: str, content: Json, also: dict[int, str] | None = None) -> Json:
    headers = {REQUEST_ID: ref(REQUEST_ID, "headers")}
    answers: Json = {"200": {"description": summary, "headers": headers, "content": content}}
    answers |= {str(status): _refusal(what) for status, what in (also or {}).items()}
    return {"operationId": name, "summary": summary, "responses": answers}


def _refusal(what: str) -> Json:
    return {
        "description": what,
        "headers": {REQUEST_ID: ref(REQUEST_ID, "headers")},
        "content": {JSON: {"schema": ref("Error")}},
    }


def _header(name: str, what: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "required": False, "description": what, "schema": schema}


def _with_date_ranges(schema: Any) -> Any:
    """The schema with the first and last date in its description: JSON Schema has no such limit."""
    if isinstance(schema, list):
        return [_with_date_ranges(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    keys = schema.keys() - {"ge", "le"}
    items = {key: _with_date_ranges(each) for key, each in schema.items() if key in keys}
    if "ge" in schema:
        items["description"] = f"{schema['ge']} to {schema['le']}"
    return items
