"""Errors as HTTP: their statuses, and the JSON that a client reads.

See docs/decisions/serving.md#a-refusal-has-less-than-2-kb.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

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

_MOST = 2047  # bytes of an answer
TEXTS = 920
"""Bytes of a problem's message, field and hint together, in JSON; the first one stands twice."""
_HINT, _FIELD = 300, 100  # bytes of these alone
_GAP = " … "


def status_of(error: OrdergapError) -> int:
    """The status of an error: that of the nearest class above it in the table."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def body_of(error: OrdergapError) -> dict[str, object]:
    """The JSON object that answers a refused request, in less than 2,048 bytes.

    Long texts are cut, and of the problems there are as many as fit, at least the first; `more`
    counts the others.
    """
    problems = error.problems if isinstance(error, InvalidRequest) else (Problem(str(error)),)
    first = _cut_problem(problems[0])
    message = summary([first, *problems[1:]])
    content = {"type": type(error).__name__, **vars(first), "message": message}
    room = _MOST - _size(content) - len(b'{"error":,"problems":[],"more":99}')
    listed = []
    for problem in map(_cut_problem, problems):
        room -= _size(vars(problem)) + 1
        if room < 0:
            break
        listed.append(vars(problem))
    more = len(problems) - len(listed)
    return {"error": {**content, "problems": listed, "more": more}}


def _cut_problem(problem: Problem) -> Problem:
    """The problem, its texts in at most `TEXTS` bytes together."""
    field = problem.field and cut(problem.field, _FIELD)
    hint = problem.hint and cut(problem.hint, _HINT)
    message = cut(problem.message, TEXTS - _size(field or "") - _size(hint or ""))
    return replace(problem, message=message, field=field, hint=hint)


def cut(text: str, most: int) -> str:
    """The text, without its middle where it has more than `most` bytes in JSON.

    >>> cut("no column " + 1000 * "x" + ": rename it", 40)
    'no column xxxxxxxxx … xx: rename it'
    """
    if len(text) <= most and _size(text) <= most:
        return text
    kept = most - _size(_GAP)
    start = _start(text, kept * 3 // 5)
    return start + _GAP + _start(text[: -most - 1 : -1], kept * 2 // 5)[::-1]


def _start(text: str, most: int) -> str:
    """As many of the first characters as have at most so many bytes in JSON, unquoted."""
    for i, character in enumerate(text):
        most -= _size(character) - 2  # without quotation marks
        if most < 0:
            return text[:i]
    return text


def _size(content: object) -> int:
    """Bytes of the content as JSON."""
    return len(orjson.dumps(content))
