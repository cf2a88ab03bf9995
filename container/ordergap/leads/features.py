"""What was known of a lead at the end of a day, as numbers.

Every value depends on events until that day and on attributes, which have no date and so must be
facts that do not change. See docs/decisions/leads.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.hashing import bucket_each
from ordergap.leads.table import Days, LeadTable

FEATURES = "lead_features"
"""The parameter of a model in which its columns are."""
WINDOWS = (7, 30, 90)
BUCKETS = 32
"""Of campaigns, and of the values of a categorical attribute."""
MOST_VALUES = 1000
"""Of a category, up to which all are kept to tell new ones."""
_KINDS = 20  # that have columns of their own: the most frequent
_CAMPAIGN = "campaign"
ALWAYS = ("days_since_first_seen", "days_since_last_event")
ORDERS = ("order_count", "tenure")
"""Columns that hazard models look for: no order, and so no days between the first and the last."""


@dataclass(frozen=True)
class LeadFeatures:
    """Which columns there are; those of one model are alike for all leads.

    kinds       of events that are counted by themselves; all kinds are counted together, too
    campaigns   whether events are counted by the bucket of their campaign
    numbers     attributes that are numbers
    categories  attributes that are texts, each a column for each bucket of its values
    values      category -> the values of leads; of more than `MOST_VALUES` none are named
    """

    kinds: tuple[str, ...] = ()
    campaigns: bool = False
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, leads: LeadTable, until: int) -> Self:
        """Of what `leads` have, by their events until day `until`."""
        known = leads.day <= until
        kinds = Counter(leads.kind[known].tolist())
        frequent = sorted(kinds, key=lambda kind: (-kinds[kind], kind))[:_KINDS]
        seen = leads.first_seen <= until
        values = {
            name: tuple(sorted({*each[seen].tolist()} - {""}))
            for name, each in leads.categories.items()
        }
        return cls(
            tuple(sorted(frequent)),
            bool(np.any(leads.campaign[known] != "")),
            tuple(leads.numbers),
            tuple(leads.categories),
            {name: each for name, each in values.items() if len(each) <= MOST_VALUES},
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        counted = [f"events {kind}" for kind in self.kinds] if len(self.kinds) > 1 else []
        groups = ["events", *counted]
        return (
            *ORDERS,
            *ALWAYS,
            *(f"{g}, {w}" for g in groups for w in (*(f"{days} days" for days in WINDOWS), "ever")),
            *(f"{_CAMPAIGN} {i}" for i in range(BUCKETS if self.campaigns else 0)),
            *self.numbers,
            *(f"{name} {i}" for name in self.categories for i in range(BUCKETS)),
        )

    def matrix(self, leads: LeadTable, as_of: Days) -> NDArray[np.float32]:
        """(c, F) of each lead at the end of its day `as_of` (c,)."""
        owner = leads.owner
        age = as_of[owner] - leads.day
        seen = age >= 0
        owner, age, kind = owner[seen], age[seen], leads.kind[seen]
        last = np.full(len(leads), np.nan)
        np.fmin.at(last, owner, age.astype(float))
        unknown = np.full(len(leads), np.nan)
        columns: list[Any] = [np.zeros(len(leads)), unknown, as_of - leads.first_seen, last]
        alone = [kind == each for each in self.kinds] if len(self.kinds) > 1 else []
        for some in (np.ones(len(kind), bool), *alone):
            columns += [
                np.bincount(owner[some & (age < days)], minlength=len(leads))
                for days in (*WINDOWS, np.inf)
            ]
        if self.campaigns:
            of_event = _buckets(_CAMPAIGN, leads.campaign[seen])
            columns += _counts(owner, of_event, len(leads))
        columns += [leads.numbers.get(name, unknown) for name in self.numbers]
        nobody = np.full(len(leads), "", np.str_)
        for name in self.categories:
            values = _buckets(name, leads.categories.get(name, nobody))
            columns += _counts(np.arange(len(leads)), values, len(leads))
        return np.column_stack(columns).astype(np.float32)

    def content(self) -> dict[str, JsonValue]:
        """As JSON."""
        return {
            "kinds": [*self.kinds],
            "campaigns": self.campaigns,
            "numbers": [*self.numbers],
            "categories": [*self.categories],
            "values": {name: [*each] for name, each in self.values.items()},
        }

    @classmethod
    def parse(cls, content: JsonValue) -> Self:
        """What `content` wrote; KeyError, TypeError or ValueError where it is another thing."""
        fields = cast("Mapping[str, Any]", content)
        texts = {}
        for name in ("kinds", "numbers", "categories"):
            texts[name] = tuple(fields[name])
            if not all(isinstance(each, str) for each in texts[name]):
                raise ValueError(f"{name} of the leads' features are not texts")
        values = {name: tuple(each) for name, each in fields.get("values", {}).items()}
        return cls(campaigns=bool(fields["campaigns"]), values=values, **texts)


def unseen(leads: LeadTable, columns: LeadFeatures) -> Iterator[str]:
    """Sentences on leads with a value of a category that none of those learnt from had."""
    for name, known in columns.values.items():
        given = leads.categories.get(name, np.empty(0, np.str_))
        other = given[(given != "") & ~np.isin(given, known)].tolist()
        if other:
            yield (
                f"leads: {name} of {len(other):,} was never seen before, such as "
                f'"{other[0]:.40}": it shares its bucket with whatever was'
            )


def _buckets(field: str, values: NDArray[np.str_]) -> NDArray[np.int64]:
    """(n,) the bucket of each value; BUCKETS where there is none."""
    return np.array(bucket_each(field, values.tolist(), BUCKETS), np.int64)


def _counts(owner: Days, buckets: NDArray[np.int64], leads: int) -> list[NDArray[np.int64]]:
    """BUCKETS columns (leads,): how many of each bucket there are."""
    some = buckets < BUCKETS
    place = owner[some] * BUCKETS + buckets[some]
    return [*np.bincount(place, minlength=leads * BUCKETS).reshape(leads, BUCKETS).T]
