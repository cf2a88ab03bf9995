"""Requests in JSON: all records in one text, or one record a line.

Where an object has a key twice, the last value holds, as in most JSON parsers.

See docs/decisions/serving.md#the-last-of-two-equal-keys-holds and
docs/decisions/serving.md#unknown-fields-of-a-record-are-ignored.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson

from ordergap.contract.prediction import ScoringRequest
from ordergap.errors import InvalidRequest, Problem
from ordergap.scoring.encoders import JSON, JSON_LINES
from ordergap.scoring.options import Options
from ordergap.scoring.problems import LIMIT, near, shorten
from ordergap.serving.formats import lead_requests, looks, records
from ordergap.serving.formats.context import REQUEST_OPTIONS, DecodeContext
from ordergap.serving.formats.lead_requests import Parted
from ordergap.serving.formats.question import Orders

_FIELDS = tuple(ScoringRequest.model_fields)
_RECORD_KEYS = {"orders", "customer_id"}
"""An object with one of these, and without `instances`, is a record."""


def json(body: bytes, context: DecodeContext) -> Orders:
    """`{"instances": [...], ...}`, a list of records, or one record."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        hint = looks.hint_at_number(error) or looks.hint(body, JSON)
        raise InvalidRequest([Problem(f"the body is not JSON: {error}", hint=hint)]) from error
    if isinstance(content, dict) and "instances" not in content and _RECORD_KEYS & content.keys():
        # Where the request is one record, the options of a request stand in the record.
        fields = {name: content.pop(name) for name in REQUEST_OPTIONS if name in content}
        return _orders([content], fields, context)
    if isinstance(content, list):
        return _orders(content, {}, context)
    if not isinstance(content, dict):
        message = f"the body is {shorten(content)}: expected an object or a list of records"
        raise InvalidRequest([Problem(message)])
    unknown = _unknown_fields(content)
    instances = content.get("instances")
    if not isinstance(instances, list):
        expected = f"= {shorten(instances)}: expected a list of records"
        message = f"instances {expected if 'instances' in content else 'is missing'}"
        problem = Problem(message, field="instances")
        raise InvalidRequest([*islice(unknown, LIMIT - 1), problem])
    return _orders(instances, content, context, unknown)


def json_lines(body: bytes, context: DecodeContext) -> Orders:
    """A record a line; blank lines are ignored."""
    lines = ((n, line.removesuffix(b"\n")) for n, line in enumerate(io.BytesIO(body), 1))
    filled = ((n, line) for n, line in lines if line.strip())
    numbered = list(islice(filled, context.settings.max_records))
    context.check_size(records=len(numbered) + sum(1 for _ in filled))
    parsed = [_parse_line(n, i, line) for i, (n, line) in enumerate(numbered)]
    if not (context.placeholders or _may_be_record(parsed[0])) and (
        hint := looks.hint(body, JSON_LINES)
    ):
        raise InvalidRequest([Problem("the body is not JSON Lines", hint=hint)])
    return _orders(parsed, {}, context, lines=[n for n, _ in numbered])


def _may_be_record(content: Any) -> bool:
    """Whether a line, a Problem where it is not JSON, may be meant as a record."""
    return not isinstance(content, Problem | list) and not (
        isinstance(content, dict) and "instances" in content and not _RECORD_KEYS & content.keys()
    )


def _parse_line(number: int, record: int, line: bytes) -> Any:
    """The content of a line, or the Problem with it."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        message = f"line {number} is not JSON: {error.msg}, at character {error.pos + 1}"
        return Problem(message, record, hint=looks.hint_at_number(error))


def _unknown_fields(content: dict[str, object]) -> Iterator[Problem]:
    for name in content:
        if name not in _FIELDS:
            message = f"{shorten(name)} is not a field of a request"
            yield Problem(message, None, name, near(name, _FIELDS))


def _orders(
    parsed: Sequence[Any],
    fields: dict[str, object],
    context: DecodeContext,
    problems: Iterable[Problem] = (),
    lines: Sequence[int] | None = None,
) -> Orders:
    """The records' orders and the request's options.

    fields    of the request, options among them
    problems  that the request has besides
    lines     the number of each record's line, where the request has lines

    Raises InvalidRequest with the problems of all of these.
    """
    context.check_size(records=len(parsed), orders=sum(map(_order_count, parsed)))
    parted = Parted.of(parsed)
    if not parted.leads:
        return _customers(parsed, fields, context, problems, lines)
    context = parted.tolerant(context)
    leads, wrong = lead_requests.read(
        parsed, parted.leads, _day(fields, context), lines, context.manifest
    )
    own = [] if context.placeholders else [each for some in wrong.values() for each in some]
    rest = [parsed[i] for i in parted.rest]
    rest_lines = [lines[i] for i in parted.rest] if lines else None
    try:
        customers = _customers(rest, fields, context, problems, rest_lines)
    except InvalidRequest as error:
        moved = map(parted.moved, error.problems)
        raise type(error)((*own, *moved)[:LIMIT]) from error
    if own:
        raise InvalidRequest(own[:LIMIT])
    placeholders = customers.placeholders
    if placeholders is not None:
        placeholders = {parted.rest[i]: each for i, each in placeholders.items()}
        placeholders |= lead_requests.placeholders(parsed, wrong)
    leads = replace(leads, sequence=parted.sequence(placeholders or {}))
    return replace(customers, placeholders=placeholders, leads=leads)


def _day(fields: dict[str, object], context: DecodeContext) -> int:
    """The as_of of a record that has none."""
    try:
        options = context.options.merged(Options.parse(fields))
    except InvalidRequest:
        return records.LAST_DAY  # as_of is unknown, so no order may be called late
    return context.today if options.as_of is None else options.as_of


def _customers(
    parsed: Sequence[Any],
    fields: dict[str, object],
    context: DecodeContext,
    problems: Iterable[Problem],
    lines: Sequence[int] | None,
) -> Orders:
    """As `_orders`, of records without a lead among them."""
    problems = list(islice(problems, LIMIT))
    options, as_of = context.options, _day(fields, context)
    rules = records.Rules.of(context.manifest.hyperparameters)
    try:
        options = options.merged(Options.parse(fields))
    except InvalidRequest as error:
        problems += error.problems
    try:
        if context.placeholders:
            histories, days, placeholders = records.read_good(parsed, as_of, lines, rules)
        else:
            histories, days = records.read(parsed, as_of, lines, rules)
            placeholders = None
    except InvalidRequest as error:
        raise type(error)((*problems, *error.problems)[:LIMIT]) from error
    if problems:
        raise InvalidRequest(problems[:LIMIT])
    return Orders(histories, days, options, placeholders)


def _order_count(record: Any) -> int:
    orders = record.get("orders") if isinstance(record, dict) else None
    if not orders and isinstance(record, dict):
        orders = record.get("events")  # of a lead
    return len(orders) if isinstance(orders, list) else 0
