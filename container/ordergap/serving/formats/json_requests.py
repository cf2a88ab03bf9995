"""Requests in JSON: all records in one text, or one record a line.

Where an object has a key twice, the last value holds, as in most JSON parsers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from ordergap.contract.prediction import ScoringRequest
from ordergap.errors import InvalidRequest, Problem
from ordergap.serving.formats import records
from ordergap.serving.formats.context import Options, Terms
from ordergap.serving.formats.problems import LIMIT, near, shorten
from ordergap.serving.formats.question import Orders

_FIELDS = tuple(ScoringRequest.model_fields)
_OF_A_REQUEST = ("horizons", "interval_level")
_OF_A_RECORD = {"orders", "customer_id"}


def json(body: bytes, terms: Terms) -> Orders:
    """`{"instances": [...], ...}`, a bare list of records, or one record."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest([Problem(f"the request is not JSON: {error}")]) from error
    if isinstance(content, dict) and "instances" not in content and _OF_A_RECORD & content.keys():
        # In a request of one record, what holds for the record holds for the request.
        said = {name: content.pop(name) for name in _OF_A_REQUEST if name in content}
        return _orders([content], said, terms)
    if isinstance(content, list):
        return _orders(content, {}, terms)
    if not isinstance(content, dict):
        raise InvalidRequest([Problem("the request is neither an object nor a list of records")])
    instances = content.get("instances")
    if not isinstance(instances, list):
        missing = "must be a list of records" if "instances" in content else "is missing"
        unknown = list(_unknown(content))
        raise InvalidRequest([*unknown, Problem(f"instances {missing}", field="instances")])
    return _orders(instances, content, terms, _unknown(content))


def json_lines(body: bytes, terms: Terms) -> Orders:
    """A record a line; blank lines are no records."""
    numbered = [(n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    parsed = [_parsed(n, i, line) for i, (n, line) in enumerate(numbered)]
    return _orders(parsed, {}, terms, lines=[n for n, _ in numbered])


def _parsed(n: int, record: int, line: bytes) -> Any:
    """What stands on a line, or the Problem with it."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Problem(f"line {n} is not JSON: {error.msg}, at character {error.pos + 1}", record)


def _unknown(content: dict[str, object]) -> Iterator[Problem]:
    for name in content:
        if name not in _FIELDS:
            message = f"{shorten(name)} is not a field of a request"
            yield Problem(message, None, name, near(name, _FIELDS))


def _orders(
    parsed: Sequence[Any],
    said: dict[str, object],
    terms: Terms,
    problems: Iterable[Problem] = (),
    lines: Sequence[int] | None = None,
) -> Orders:
    """The records as they are meant, or every problem of them and of what was said beside them."""
    terms.allow(records=len(parsed), orders=sum(map(_order_count, parsed)))
    found = list(islice(problems, LIMIT))
    options, as_of = terms.told, terms.as_of
    try:
        options |= Options.parse(said)
        as_of = terms.today if options.as_of is None else options.as_of
    except InvalidRequest as error:
        found += error.problems
        as_of = records.LAST_DAY  # records are not judged by a day that is not known
    try:
        if terms.placeholder:
            histories, days, placeholders = records.sift(parsed, as_of, lines)
        else:
            histories, days = records.read(parsed, as_of, lines)
            placeholders = None
    except InvalidRequest as error:
        raise type(error)((*found, *error.problems)[:LIMIT]) from error
    if found:
        raise InvalidRequest(found[:LIMIT])
    return Orders(histories, days, options, placeholders)


def _order_count(record: Any) -> int:
    orders = record.get("orders") if isinstance(record, dict) else None
    return len(orders) if isinstance(orders, list) else 0
