"""The server's interface: paths, forms of requests, fields, statuses and errors."""

from __future__ import annotations

import datetime
import json
from typing import Any

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import Manifest, TaskSection
from ordergap.contract.orders import DataReport
from ordergap.contract.prediction import (
    Order,
    Reason,
    ScoringRecord,
    ScoringRequest,
    Status,
)
from ordergap.contract.tasks import TASKS, prediction_model
from ordergap.errors import InvalidRequest, OrdergapError
from ordergap.features.table import TABULAR
from ordergap.serving.formats import codecs
from ordergap.serving.formats.statuses import STATUSES, body_of, status_of
from ordergap.serving.pages.openapi import describe
from ordergap.settings import Settings

from docs.generate import compact, table, wrapped
from docs.generate.fields import described


def endpoints() -> str:
    """Every path of the server."""
    rows = []
    for path, methods in _openapi()["paths"].items():
        ((method, operation),) = methods.items()
        rows.append((f"`{method.upper()} {path}`", operation["summary"]))
    return table(("path", "answer"), rows)


def request_forms() -> str:
    """Every media type of a request, with an example of each way to use it."""
    names: dict[str, list[str]] = {}
    for form, media in _invocations()["requestBody"]["content"].items():
        text = wrapped(media["schema"]["description"]) + "\n\n"
        for example in media.get("examples", {}).values():
            value = example["value"]
            shown = value.rstrip() if isinstance(value, str) else compact(value)
            text += f"```{'json' if 'json' in form else 'text'}\n{shown}\n```\n\n"
        names.setdefault(text, []).append(f"`{form}`")
    return "".join(f"#### {', '.join(forms)}\n\n{text}" for text, forms in names.items())


def request_fields() -> str:
    """The fields of a request, of a record in it, and of an order in that."""
    text = ""
    for title, model in (
        ("A request", ScoringRequest), ("A record", ScoringRecord), ("An order", Order),
    ):  # fmt: skip
        rows = [
            (f"`{name}`", kind.removesuffix(" or null"), "no" if default else "yes", meaning)
            for name, kind, default, meaning in described(model)
        ]
        text += f"#### {title}\n\n" + table(("field", "type", "needed", "meaning"), rows) + "\n"
    return text


def prediction() -> str:
    """The fields of a prediction."""
    return table(("field", "type", "meaning"), [
        (f"`{name}`", kind, meaning)
        for name, kind, _, meaning in described(prediction_model(TASKS), "serialization")
    ])  # fmt: skip


def reason() -> str:
    """The fields of a reason."""
    return table(("field", "type", "meaning"), [
        (f"`{name}`", kind, meaning)
        for name, kind, _, meaning in described(Reason, "serialization")
    ])  # fmt: skip


def statuses_of_a_customer() -> str:
    """Every status of a customer; the first that fits counts."""
    return table(("status", "meaning"), [(f"`{status}`", status.meaning) for status in Status])


def statuses() -> str:
    """Every HTTP status of /invocations."""
    rows = [
        (f"`{status}`", answer["description"])
        for status, answer in _invocations()["responses"].items()
    ]
    return table(("status", "meaning"), rows)


def error_example() -> str:
    """The answer to a request with an amount below 0."""
    body = b'{"customer_id": "17850", "orders": [{"date": "2011-11-03", "amount": -60}]}'
    try:
        codecs.decode(body, "application/json", _model(), 15317)
    except InvalidRequest as error:
        return f"```json\n{compact(body_of(error))}\n```"
    raise AssertionError("the example is not refused")


def errors() -> str:
    """Every error, the kind that a training job reports it as, and its HTTP status."""
    rows = []
    for depth, error in _tree(OrdergapError, 0):
        status = status_of(error("")) if _is_answered(error) else ""
        meaning = (error.__doc__ or "").partition("\n\n")[0]
        name = f"{'&nbsp;&nbsp;' * depth}`{error.__name__}`"
        rows.append((name, f"`{error.kind}`", str(status), meaning))
    return table(("error", "kind", "HTTP status", "meaning"), rows)


def _is_answered(error: type[OrdergapError]) -> bool:
    """Whether a request can end with this error, and not as a fault of the server."""
    return any(issubclass(error, kind) for kind in STATUSES if kind is not OrdergapError)


def _tree(error: type[OrdergapError], depth: int) -> list[tuple[int, type[OrdergapError]]]:
    kinds = [kind for kind in error.__subclasses__() if kind.__module__ == error.__module__]
    below = [each for kind in kinds for each in _tree(kind, depth + 1)]
    return [(depth, error), *below]


def _model() -> Manifest:
    """As much of a manifest as the server's interface depends on."""
    card: dict[str, Any] = {
        "model_version": "f8219c88b603",
        "hyperparameters": Hyperparameters(),
        "tasks": {name: _section() for name in TASKS},
        "first_day": datetime.date(2010, 12, 1),
        "as_of": datetime.date(2011, 12, 9),
        "data": DataReport(
            rows_read=0,
            rows_used=0,
            rejected={},
            customers=0,
            orders=0,
            revenue=0,
            first_day=None,
            last_day=None,
        ),
    }
    return Manifest.model_construct(**card)


def _section() -> TaskSection:
    return TaskSection(kind="hazard", parameters={}, feature_names=tuple(TABULAR), files={})


def _openapi() -> dict[str, Any]:
    """The OpenAPI document of a server with the standard settings."""
    document: dict[str, Any] = json.loads(describe(_model(), Settings()))
    return document


def _invocations() -> dict[str, Any]:
    operation: dict[str, Any] = _openapi()["paths"]["/invocations"]["post"]
    return operation
