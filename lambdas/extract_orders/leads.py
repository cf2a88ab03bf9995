"""Leads: two queries' rows, as a training channel and as scoring records.

See docs/decisions/lambdas.md#leads-are-scored-in-files-of-their-own.
"""

from __future__ import annotations

import datetime
import io
import json
import math
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl
import sqlalchemy as sql
from ordergap.errors import DataError
from ordergap.histories import day_of, iso_dates
from ordergap.leads import reading
from ordergap.leads.table import LeadTable

from lambdas.extract_orders.reading import everything, subquery
from lambdas.extract_orders.request import Market
from lambdas.extract_orders.scoring import File, Record, files
from lambdas.extract_orders.source import NUMBERS
from lambdas.shared.customers import without
from lambdas.shared.errors import BadEvent, SourceColumnMissing

_LEADS = ("market.leads_query", (reading.LEAD, reading.FIRST_SEEN))
_EVENTS = ("market.lead_events_query", (reading.LEAD, reading.DATE, reading.KIND))
_OPTIONAL = reading.CAMPAIGN


@dataclass(frozen=True)
class Leads:
    """Who is known at the end of a day, and may have ordered.

    rows             name of a file of the channel -> its rows, unchanged
    records          lead -> a `LeadRecord` as JSON
    hyperparameters  with which training reads the attributes as they are read here
    notes            what was read and left out, a sentence each
    """

    rows: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file of the training channel."""
        for name, rows in self.rows.items():
            file = io.BytesIO()
            rows.write_parquet(file)
            yield f"{name}.parquet", file.getvalue()

    def scored(self, customers: Iterable[Record]) -> Iterator[File]:
        """The scoring files of the customers, and then those of the leads who are none of them.

        Whoever is a customer is taken out of `records`.
        """
        yield from files(self._passed(customers))
        yield from files(Record(*each) for each in self.records.items())

    def _passed(self, customers: Iterable[Record]) -> Iterator[Record]:
        for each in customers:
            self.records.pop(each.customer_id, None)
            yield each


def leads(
    connection: sql.Connection,
    market: Market,
    as_of: datetime.date,
    nobody: tuple[str, ...],
    forgotten: Container[str] | None = None,
) -> Leads:
    """Read the leads until the end of `as_of`; none where the market has no query of them.

    nobody     words that stand for no customer
    forgotten  customers and leads whose rows are dropped

    Columns besides those that are asked for are attributes: numbers where the database says so (for
    SQLite, where all of their values are numbers), else texts. Raises SourceColumnMissing, and
    BadEvent for what the database rejects and where there is no lead.
    """
    if market.leads_query is None or market.lead_events_query is None:
        return Leads()
    people, numbers = _read(connection, market.leads_query, "leads", *_LEADS)
    events, _ = _read(connection, market.lead_events_query, "events", *_EVENTS)
    people, events = (without(each, forgotten, nobody) for each in (people, events))
    texts = [name for name in people.columns if name not in {*_LEADS[1], *numbers}]
    try:
        found = reading.read(
            (people, events), numbers, texts, as_of=day_of(as_of), no_customer_words=nobody
        )
    except DataError as error:
        raise BadEvent([f"{_LEADS[0]}: {error}"]) from None
    names = {"lead_numeric_attributes": numbers, "lead_category_attributes": texts}
    return Leads(
        {"leads": people, "events": events},
        dict(_records(found.table, as_of)),
        {name: json.dumps(each) for name, each in names.items() if each},
        tuple(reading.said(found)),
    )


def _read(
    connection: sql.Connection, query: str, name: str, setting: str, needed: tuple[str, ...]
) -> tuple[pl.DataFrame, list[str]]:
    """All rows, with the special columns in lower case, and which of the others are numbers."""
    rows, types = everything(connection, query, name, setting)
    special = {n: n.lower() for n in rows.columns if n.lower() in {*needed, _OPTIONAL}}
    for column in needed:
        if column not in special.values():
            raise SourceColumnMissing(
                f'{setting} has no column "{column}"; give the column this name by AS. Columns '
                f"seen: {', '.join(rows.columns)}"
            )
    numbers = [n for n in _numbers(connection, query, name, types) if n not in special]
    return rows.rename(special), numbers


def _numbers(
    connection: sql.Connection, query: str, name: str, types: Mapping[str, object]
) -> list[str]:
    """The columns that hold numbers. SQLite says of each value what it is, and not of a column."""
    if connection.dialect.name in NUMBERS:
        return [n for n, type_ in types.items() if type_ in NUMBERS[connection.dialect.name]]
    kinds = [sql.func.group_concat(sql.func.typeof(sql.column(n)).distinct()) for n in types]
    found = connection.execute(sql.select(*kinds).select_from(subquery(query, name))).one()
    held = ({*(each or "").split(",")} - {"", "null"} for each in found)
    return [n for n, kind in zip(types, held, strict=True) if kind and kind <= {"integer", "real"}]


def _records(table: LeadTable, as_of: datetime.date) -> Iterator[tuple[str, bytes]]:
    days, first_seen = iso_dates(table.day), iso_dates(table.first_seen)
    for i, lead in enumerate(table.lead_ids):
        events = []
        for k in range(table.offsets[i], table.offsets[i + 1]):
            event = {"date": days[k], "kind": str(table.kind[k])}
            if table.campaign[k]:
                event["campaign"] = str(table.campaign[k])
            events.append(event)
        attributes = {
            name: str(each[i]) if name in table.categories else _or_none(each[i])
            for name, each in {**table.numbers, **table.categories}.items()
        }
        record = {
            "customer_id": lead,
            "first_seen": first_seen[i],
            "events": events,
            "attributes": {n: value for n, value in attributes.items() if value not in {"", None}},
            "as_of": as_of.isoformat(),
        }
        yield lead, json.dumps(record).encode()


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else float(number)
