"""Errors as HTTP: their statuses, and the JSON that a client reads."""

from __future__ import annotations

from ordergap.errors import (
    DataError,
    InvalidRequest,
    NotAcceptable,
    OrdergapError,
    Overloaded,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)
from ordergap.scoring.problems import summary

STATUSES: dict[type[OrdergapError], int] = {
    UnsupportedMediaType: 415,
    NotAcceptable: 406,
    TooLarge: 413,
    InvalidRequest: 400,
    DataError: 400,  # order lines in the body
    Overloaded: 503,
    OrdergapError: 500,  # the model, the code, the machine
}


def status_of(error: OrdergapError) -> int:
    """The status of an error: that of the nearest class above it in the table."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def body_of(error: OrdergapError) -> dict[str, object]:
    """The JSON object that answers a refused request."""
    problems = error.problems if isinstance(error, InvalidRequest) else (Problem(str(error)),)
    first = {**vars(problems[0]), "message": summary(problems)}
    content = {"type": type(error).__name__, **first}
    return {"error": {**content, "problems": [vars(problem) for problem in problems]}}
