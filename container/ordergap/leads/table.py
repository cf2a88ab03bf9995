"""The table of leads: their events in time order, and what else is known of them.

The n events of c leads stand one lead after the other, as orders do in histories: lead i owns rows
``offsets[i]:offsets[i + 1]``. Days count from 1970-01-01.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.histories import Histories

Days = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max
"""The day of the first order of a lead that has none."""


@dataclass(frozen=True, eq=False)
class LeadTable:
    """What is known of c leads.

    lead_ids    (c,) text; of one who orders later, the customer's id
    first_seen  (c,) the day on which the lead was first known
    offsets     (c + 1,) rows where a lead's events begin; offsets[-1] = n
    day         (n,) of each event, never falling within a lead
    kind        (n,) of each event, such as visit
    campaign    (n,) that the event belongs to; "" where there is none
    numbers     name -> (c,) a number of each lead; NaN where unknown
    categories  name -> (c,) a text of each lead; "" where unknown
    """

    lead_ids: Sequence[str]
    first_seen: Days
    offsets: Days
    day: Days
    kind: NDArray[np.str_]
    campaign: NDArray[np.str_]
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    categories: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    @classmethod
    def of_events(
        cls,
        lead_ids: Sequence[str],
        first_seen: Days,
        events: tuple[Days, Days, Sequence[str], Sequence[str]],
        numbers: Mapping[str, NDArray[np.float64]] | None = None,
        categories: Mapping[str, NDArray[np.str_]] | None = None,
    ) -> LeadTable:
        """Of events in any sequence: (n,) each, the lead's position, day, kind and campaign."""
        owner, day, kind, campaign = events
        kinds, campaigns = np.asarray(kind, np.str_), np.asarray(campaign, np.str_)
        order = np.lexsort((campaigns, kinds, day, owner))
        counts = np.bincount(owner, minlength=len(lead_ids))
        return cls(
            list(lead_ids),
            first_seen.astype(np.int64),
            np.append(0, counts.cumsum()).astype(np.int64),
            day[order].astype(np.int64),
            kinds[order],
            campaigns[order],
            numbers or {},
            categories or {},
        )

    def __len__(self) -> int:
        """The number of leads, c."""
        return len(self.lead_ids)

    @property
    def owner(self) -> Days:
        """(n,) the position of each event's lead."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def pick(self, leads: NDArray[np.int64]) -> LeadTable:
        """The leads at the positions `leads` (k,), in that sequence."""
        counts = np.diff(self.offsets)[leads]
        offsets = np.append(0, counts.cumsum()).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[leads] - offsets[:-1], counts)
        return LeadTable(
            [self.lead_ids[i] for i in leads],
            self.first_seen[leads],
            offsets,
            self.day[rows],
            self.kind[rows],
            self.campaign[rows],
            {name: values[leads] for name, values in self.numbers.items()},
            {name: values[leads] for name, values in self.categories.items()},
        )

    def digest(self) -> str:
        """SHA-256 over all of it, hexadecimal: equal data, equal digest."""
        content: list[Any] = [[*self.lead_ids]]
        content += [
            each.tolist()
            for each in (self.first_seen, self.offsets, self.day, self.kind, self.campaign)
        ]
        named = {**self.numbers, **self.categories}
        content += [[name, np.asarray(named[name]).tolist()] for name in sorted(named)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def first_orders(leads: LeadTable, histories: Histories) -> Days:
    """(c,) the day of each lead's first order in `histories`; NEVER where there is none."""
    first = histories.day[histories.offsets[:-1]].tolist()
    by_customer = dict(zip(histories.customer_ids, first, strict=True))
    return np.array([by_customer.get(lead, NEVER) for lead in leads.lead_ids], np.int64)


def at_risk(leads: LeadTable, first_order: Days, day: int) -> NDArray[np.bool_]:
    """(c,) who is known and has not ordered at the end of `day`, whether they order later or not.

    first_order  (c,) as `first_orders`
    """
    return (leads.first_seen <= day) & (first_order > day)
