"""Leads in requests: records with first_seen and events, and without orders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ordergap.attributes import category
from ordergap.contract.leads import LeadRecord
from ordergap.contract.manifest import Manifest
from ordergap.errors import InvalidRequest, Problem
from ordergap.histories import date_of, day_of
from ordergap.leads.features import FEATURES, LeadFeatures
from ordergap.leads.table import LeadTable
from ordergap.models.lead_forecasts import FIRST_ORDER, lead_remedy, no_leads
from ordergap.scoring.answer import Placeholder
from ordergap.scoring.problems import LIMIT, from_contract, near, shorten
from ordergap.serving.formats.context import DecodeContext
from ordergap.serving.formats.customers import NoCustomer, customer
from ordergap.serving.formats.question import Leads, placeholder


def is_lead(record: Any) -> bool:
    """Whether a record is meant as a lead: who has orders is a customer, whatever else is said."""
    return (
        isinstance(record, dict)
        and not record.get("orders")
        and bool({"first_seen", "events"} & record.keys())
    )


@dataclass(frozen=True, eq=False)
class Parted:
    """The records of a request that has leads.

    rest, leads  positions in the request
    """

    rest: Sequence[int]
    leads: Sequence[int]

    @classmethod
    def of(cls, records: Sequence[Any]) -> Parted:
        """By what each is meant as."""
        leads = [i for i, each in enumerate(records) if is_lead(each)]
        mine = {*leads}
        return cls([i for i in range(len(records)) if i not in mine], leads)

    def tolerant(self, context: DecodeContext) -> DecodeContext:
        """In batch transform a record that cannot be answered gets a placeholder.

        So no nightly run ends for want of a model of leads.
        """
        return replace(context, placeholders=context.placeholders or context.settings.batch)

    def moved(self, problem: Problem) -> Problem:
        """A problem with a record of the rest, at its position in the request."""
        if problem.record is None:
            return problem
        i = self.rest[problem.record]
        message = re.sub(r"^record \d+", f"record {i}", problem.message)
        return replace(problem, record=i, message=message)

    def sequence(self, left_out: Mapping[int, Placeholder]) -> NDArray[np.int64]:
        """Where each record that is answered stands among the customers, and then the leads."""
        places = [i for i in (*self.rest, *self.leads) if i not in left_out]
        return np.argsort(np.array(places, np.int64), kind="stable")


def read(
    records: Sequence[Any],
    positions: Sequence[int],
    today: int,
    lines: Sequence[int] | None,
    manifest: Manifest,
) -> tuple[Leads, dict[int, list[Problem]]]:
    """The leads at some positions of the records, and the problems of those that are not there.

    today  the as_of of a record that has none, in days since 1970-01-01
    lines  the number of each record's line, where the request has lines
    """
    problems: dict[int, list[Problem]] = {}
    good: list[tuple[LeadRecord, str]] = []
    section = manifest.tasks.get(FIRST_ORDER)
    columns = LeadFeatures.parse(section.parameters[FEATURES]) if section else LeadFeatures()
    words = manifest.hyperparameters.columns.no_customer_words
    for i in positions:
        label = f"record {i}" if lines is None else f"line {lines[i]}"
        try:
            record = LeadRecord.model_validate(records[i])
            found = list(islice(_problems(record, columns, today, i, label), LIMIT))
            if not section:
                hint = f"send orders, or {lead_remedy(manifest)}"
                found = [Problem(f"{label}: {no_leads(manifest)}", i, "first_seen", hint)]
            name = customer(record.customer_id, words)
        except ValidationError as error:
            details = error.errors(include_url=False)[:LIMIT]
            problems[i] = [from_contract(each, i, label) for each in details]
            continue
        except NoCustomer as error:
            message = f"{label}: customer_id = {shorten(record.customer_id)}: {error.reason}"
            found.append(Problem(message, i, "customer_id", error.hint))
        if found:
            problems[i] = found
        else:
            good.append((record, name))
    days = [today if each.as_of is None else day_of(each.as_of) for each, _ in good]
    return Leads(_table(good, columns), np.array(days, np.int64)), problems


def _problems(
    record: LeadRecord, columns: LeadFeatures, today: int, i: int, label: str
) -> Iterator[Problem]:
    as_of = date_of(today) if record.as_of is None else record.as_of
    hint = "leave out what is later, or set as_of, which by default is today in UTC"
    if record.first_seen > as_of:
        message = f"{label}: first_seen {record.first_seen} is after as_of {as_of}"
        yield Problem(message, i, "first_seen", hint)
    for k, event in enumerate(record.events):
        field = f"events[{k}].date"
        if event.date > as_of:
            message = f"{label}: {field} {event.date} is after as_of {as_of}"
            yield Problem(message, i, field, hint)
        elif event.date < record.first_seen:
            message = f"{label}: {field} {event.date} is before first_seen {record.first_seen}"
            yield Problem(message, i, field, "make first_seen the day of the first event")
    known = (*columns.numbers, *columns.categories)
    for name, value in record.attributes.items():
        field = f"attributes.{name}"
        if name not in known:
            if meant := near(name, known):
                message = f"{label}: {field} is no attribute that the model was trained with"
                yield Problem(message, i, field, meant)
        elif name in columns.numbers and isinstance(value, str):
            yield Problem(f"{label}: {field} = {shorten(value)}: expected a number", i, field)


def _table(good: Sequence[tuple[LeadRecord, str]], columns: LeadFeatures) -> LeadTable:
    events = [(i, each) for i, (record, _) in enumerate(good) for each in record.events]

    def values(name: str, unknown: object) -> list[Any]:
        found = (record.attributes.get(name) for record, _ in good)
        return [unknown if each is None else each for each in found]

    return LeadTable.of_events(
        [name for _, name in good],
        np.array([day_of(record.first_seen) for record, _ in good], np.int64),
        (
            np.array([i for i, _ in events], np.int64),
            np.array([day_of(each.date) for _, each in events], np.int64),
            [each.kind for _, each in events],
            [each.campaign or "" for _, each in events],
        ),
        {name: np.array(values(name, np.nan), np.float64) for name in columns.numbers},
        {
            name: np.array([category(str(each)) or "" for each in values(name, "")], np.str_)
            for name in columns.categories
        },
    )


def refuse(problems: Mapping[int, Sequence[Problem]]) -> None:
    """InvalidRequest where there are any."""
    if problems:
        raise InvalidRequest([each for some in problems.values() for each in some][:LIMIT])


def placeholders(
    records: Sequence[Any], problems: Mapping[int, Sequence[Problem]]
) -> dict[int, Placeholder]:
    """What stands in the answer for each lead that cannot be answered."""
    found = {}
    for i, some in problems.items():
        name = records[i].get("customer_id")
        found[i] = placeholder(str(name) if isinstance(name, str | int) else None, some)
    return found
