"""Made-up leads whose probability of an order is known.

A lead has an interest u, Gamma(SHAPE, RATE) over leads, that nobody sees. Visits come as a Poisson
process of rate u · VISITS a day, and the first order with the hazard u · ORDERS · c a day, where c
is the source's. Given n visits in t days without an order, u is Gamma(SHAPE + n, RATE + (VISITS +
ORDERS c) t), so that the probability of an order within the next N days is known exactly.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHAPE, RATE = 0.6, 6.0
VISITS, ORDERS = 1.0, 0.06
SOURCES = {"advertisement": 0.5, "search": 1.0, "friend": 3.0}
"""Where a lead comes from -> by how much likelier that makes an order."""
DAYS = 240
FIRST_DAY = datetime.date(2024, 1, 1)
CAMPAIGNS = ("spring", "summer", "")

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MadeUp:
    """n leads over `DAYS` days from `FIRST_DAY`, which is day 0.

    source   (n,) which of `SOURCES`
    seen     (n,) the day on which a lead is first seen
    order    (n,) the day of the first order, after it; DAYS or later where none has come
    visitor  (v,) whose each visit is, on `day` (v,); none is at or after the order
    """

    source: Int
    seen: Int
    order: Int
    visitor: Int
    day: Int

    def visits(self, day: int) -> Int:
        """(n,) visits until the end of a day."""
        return np.bincount(self.visitor[self.day <= day], minlength=len(self.seen))

    def probability(self, day: int, horizon: int) -> Float:
        """(n,) of an order within so many days after `day`, for who is at risk then."""
        hazard = ORDERS * np.array([*SOURCES.values()])[self.source]
        rate = RATE + (VISITS + hazard) * np.maximum(day - self.seen, 0)
        shape = SHAPE + self.visits(day)
        return np.asarray(1 - (rate / (rate + hazard * horizon)) ** shape)


def made_up(leads: int, seed: int) -> MadeUp:
    """So many leads; the same seed makes the same ones."""
    random = np.random.default_rng(seed)
    source = random.integers(len(SOURCES), size=leads)
    seen = random.integers(DAYS, size=leads)
    interest = random.gamma(SHAPE, 1 / RATE, leads)
    hazard = interest * ORDERS * np.array([*SOURCES.values()])[source]
    waited = np.minimum(random.exponential(1 / np.maximum(hazard, 1e-12)), 1e6)
    order = seen + np.ceil(waited).astype(np.int64)
    # Visits of whole days after the first, until the day before the order.
    count = random.poisson(interest * VISITS * DAYS)
    visitor = np.repeat(np.arange(leads), count)
    day = seen[visitor] + 1 + random.integers(DAYS, size=len(visitor))
    some = (day < DAYS) & (day < order[visitor])
    return MadeUp(source, seen, order, visitor[some], day[some])


def write(folder: Path, leads: int, seed: int = 42) -> MadeUp:
    """leads.csv, events.csv and orders.csv in `folder`.

    Every lead has a page view on the day it is first seen, and each visit a campaign, which says
    nothing. Who ordered orders again every 20 days or so. Besides source and age, leads have the
    columns of tables for courses that leak the outcome: what is written at the first order
    (customer_code, first_booking, existing_customer, purchases), and n_visits without a date.
    """
    made, random = made_up(leads, seed), np.random.default_rng(seed + 1)
    folder.mkdir(parents=True, exist_ok=True)
    names, ages = [*SOURCES], random.integers(18, 80, leads)
    days = {i: made.order[i] + _later(random) for i in np.flatnonzero(made.order < DAYS).tolist()}
    visits = made.visits(DAYS)
    rows = []
    for i in range(leads):
        bought = [day for day in days.get(i, ()) if day < DAYS]
        code, first = (f"C{i}", date_of(bought[0])) if bought else ("", "")
        leaks = [visits[i], code, first, int(bool(bought)), len(bought)]
        rows.append([f"L{i}", date_of(made.seen[i]), names[made.source[i]], ages[i], *leaks])
    leaking = ["n_visits", "customer_code", "first_booking", "existing_customer", "purchases"]
    _write(folder / "leads.csv", ["lead_id", "first_seen", "source", "age", *leaking], rows)
    events = [[f"L{i}", date_of(day), "page", ""] for i, day in enumerate(made.seen)]
    campaign = random.integers(len(CAMPAIGNS), size=len(made.day))
    for i, day, number in zip(made.visitor, made.day, campaign, strict=True):
        events.append([f"L{i}", date_of(day), "visit", CAMPAIGNS[number]])
    _write(folder / "events.csv", ["lead_id", "date", "kind", "campaign"], events)
    orders = [
        [f"L{i}", date_of(day), round(float(random.gamma(2, 20)), 2)]
        for i, each in days.items()
        for day in each
        if day < DAYS
    ]
    _write(folder / "orders.csv", ["CustomerID", "InvoiceDate", "Amount"], orders)
    return made


def _later(random: np.random.Generator) -> Int:
    """Days from the first order to each order, that one first."""
    return np.append(0, np.cumsum(np.ceil(random.exponential(20, 12)))).astype(np.int64)


def date_of(day: int) -> datetime.date:
    """The date of a day of made-up leads."""
    return FIRST_DAY + datetime.timedelta(days=int(day))


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
