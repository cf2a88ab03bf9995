"""The OpenAPI document of this server: the contract's models, the forms and the statuses, as JSON.

What can be read off the code is read off it: schemas off the contract, media types off the codecs,
statuses off their table, limits off the settings.
"""

from __future__ import annotations

import datetime
from typing import Any

import orjson
from pydantic.json_schema import models_json_schema

from ordergap.contract.manifest import Manifest
from ordergap.contract.prediction import Prediction, ScoringRequest
from ordergap.scoring.encoders import CSV, ENCODERS, JSON
from ordergap.serving.formats import codecs
from ordergap.serving.formats.context import ON_BAD_RECORD, OPTIONS
from ordergap.serving.formats.headers import (
    ATTRIBUTES,
    ATTRIBUTES_LIMIT,
    ATTRIBUTES_PATTERN,
    INFERENCE_ID,
    INFERENCE_ID_LIMIT,
    REQUEST_ID,
)
from ordergap.serving.formats.statuses import STATUSES
from ordergap.serving.pages.schemas import SCHEMAS, STRING, Json, ref
from ordergap.settings import Settings

_OBJECT: Json = {"type": "object"}
_TEXT: Json = {"schema": STRING}
_REQUEST_ID: Json = {"description": "Names the request in the log.", "schema": STRING}
_ECHO: Json = {"description": "As it came with the request.", "schema": STRING}
_FORECASTS: Json = {"schema": ref("Forecasts")}
_AS_OF = datetime.date(2011, 12, 9)
_RECORD: Json = {
    "customer_id": "17850",
    "orders": [{"date": "2011-09-20", "amount": 96.5}, {"date": "2011-11-03", "amount": 60}],
}
_MEANINGS = {
    400: "The request cannot be read or answered: every problem by record and field.",
    406: "None of the forms of an answer is acceptable to the Accept header.",
    413: "More bytes, records or orders than one request may have.",
    415: "The Content-Type, or the Content-Encoding, is none that is read.",
    500: "A fault of the server's own. Its log says more beside the id.",
    503: "More requests wait than the server takes: the same request may succeed in a while.",
}


def describe(manifest: Manifest, settings: Settings) -> bytes:
    """The document, for the model and the settings of this server."""
    _, found = models_json_schema(
        [(ScoringRequest, "validation"), (Prediction, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ordergap",
            "version": manifest.model_version,
            "summary": "When will each customer buy next?",
            "description": (
                f"Forecasts of model {manifest.model_version}, which learnt from orders of "
                f"{manifest.first_day} to {manifest.as_of}. The version is the model's."
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
                    "What a batch transform should do unless it is told otherwise.",
                    {JSON: {"schema": ref("ExecutionParameters")}},
                )
            },
            "/metrics": {
                "get": _get(
                    "metrics",
                    "Counts of all workers in Prometheus' text, or OpenMetrics where Accept says.",
                    {"text/plain": _TEXT, "application/openmetrics-text": _TEXT},
                )
            },
            "/openapi.json": {
                "get": _get("openapi", "This document.", {JSON: {"schema": _OBJECT}})
            },
            "/": {"get": _get("page", "A page to ask the model on.", {"text/html": _TEXT})},
            "/report": {
                "get": _get(
                    "report",
                    "What the model learnt from and how well it foresees.",
                    {"text/html": _TEXT},
                    {404: "The model came without a report."},
                )
            },
        },
        "components": {
            "schemas": {**_dates_said(found["$defs"]), **SCHEMAS},
            "headers": {REQUEST_ID: _REQUEST_ID},
        },
    }
    return orjson.dumps(document)


def _invocations(manifest: Manifest, settings: Settings) -> Json:
    refusals = {
        str(status): _refusal(_MEANINGS.get(status, "Refused."))
        for status in sorted({*STATUSES.values()})
    }
    refusals["503"]["headers"]["Retry-After"] = {
        "description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0},
    }  # fmt: skip
    for refusal in refusals.values():
        refusal["headers"][ATTRIBUTES] = _ECHO
    return {
        "operationId": "forecast",
        "summary": "Forecast each customer's next order.",
        "description": (
            f"At most {settings.max_body >> 20} MiB. A request without Content-Type is "
            f"{settings.default_content_type}. In any form {', '.join(OPTIONS)} may be said once "
            "for the whole request beside the Content-Type, as in "
            f'`text/csv; as_of={_AS_OF}; horizons="30,60"`. Without as_of it is today, in UTC; no '
            f"order may be later. {ON_BAD_RECORD}=placeholder, there too, answers the other "
            "records where one cannot be answered; without it the whole request is refused. Rows "
            "out are rows in, in the same order. Without Accept the answer has the request's form."
        ),
        "parameters": [
            _header(
                ATTRIBUTES,
                "Given back with the answer; a trace_id=… in it is in the log.",
                {"type": "string", "maxLength": ATTRIBUTES_LIMIT, "pattern": ATTRIBUTES_PATTERN},
            ),
            _header(
                INFERENCE_ID,
                "Written to the log.",
                {"type": "string", "maxLength": INFERENCE_ID_LIMIT},
            ),
        ],
        "requestBody": {"required": True, "content": _asked(manifest)},
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


def _asked(manifest: Manifest) -> Json:
    """Media type of a request -> its schema, and an example of each way to use it."""
    columns = manifest.hyperparameters.columns
    amount = [columns.amount_column] if columns.amount_column else [
        columns.quantity_column, columns.price_column,
    ]  # fmt: skip
    header = [columns.customer_column, columns.order_column, columns.date_column, *amount]
    line = ["17850", "536365", "2011-11-03", *(["60"] if columns.amount_column else ["6", "2.55"])]
    counts = {"customer_id": "17850", "last_order_date": "2011-11-03", "order_count": "2"}
    vector = ",".join(counts.get(name, "") for name in manifest.csv_columns)
    lines = orjson.dumps({**_RECORD, "as_of": str(_AS_OF)}).decode() + "\n"
    vectors = f"a feature vector a row: {', '.join(manifest.csv_columns)}"
    forms: dict[str, tuple[str, Json, Json]] = {
        JSON: (
            "A request, a list of records, or one record. The last of equal keys holds.",
            ref("Question"),
            {
                "request": {"instances": [_RECORD], "as_of": str(_AS_OF), "horizons": [30, 60]},
                "records": [_RECORD],
                "record": {**_RECORD, "as_of": str(_AS_OF)},
            },
        ),
        CSV: (
            f"Order lines under a header that names their columns; or, without it, {vectors}.",
            STRING,
            {
                "orders": ",".join(header) + "\n" + ",".join(line) + "\n",
                "vectors": vector + "\n",
            },
        ),
    }
    record_lines = ("A record a line.", STRING, {"records": lines})
    return {
        form: {
            "schema": {"description": what, **schema},
            **({"examples": {k: {"value": v} for k, v in examples.items()}} if examples else {}),
        }
        for form in codecs.DECODERS
        for what, schema, examples in [forms.get(form, record_lines)]
    }


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


def _dates_said(schema: Any) -> Any:
    """The schema, with the first and last date in words: JSON Schema cannot compare dates."""
    if isinstance(schema, list):
        return [_dates_said(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: _dates_said(each) for name, each in schema.items() if name not in {"ge", "le"}}
    if "ge" in schema:
        said["description"] = f"{schema['ge']} to {schema['le']}"
    return said
