"""What came after the day of a cohort, of each of its customers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ordergap.errors import DataError
from ordergap.evaluation.metrics import Outcomes
from ordergap.histories import Histories, date_of
from ordergap.scoring.cohorts import Cohort

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Orders:
    """The orders until the end of day `watermark`: later days are not known yet."""

    histories: Histories
    watermark: int

    @cached_property
    def place(self) -> dict[str, int]:
        """Customer -> position in the histories."""
        return {customer: i for i, customer in enumerate(self.histories.customer_ids)}

    @cached_property
    def first_day(self) -> int:
        """The day of the first order."""
        return int(self.histories.day.min())

    @cached_property
    def _span(self) -> int:
        return self.watermark - self.first_day + 2

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        """(n,) customer and day of each order as one number, rising."""
        return self.histories.customer * self._span + (self.histories.day - self.first_day)

    def wait(self, places: Places, as_of: int) -> NDArray[np.float64]:
        """(k,) days from `as_of` to the next order of the customers at `places`.

        Infinite where none came until the watermark, and for -1, who has no order at all.
        """
        owner = np.maximum(places, 0)
        asked = owner * self._span + np.clip(as_of - self.first_day, -1, self._span - 1)
        row = np.searchsorted(self._keys, asked, side="right")
        came = (places >= 0) & (row < self.histories.offsets[owner + 1])
        next_day = self.histories.day[np.minimum(row, len(self.histories) - 1)]
        return np.where(came, next_day - float(as_of), np.inf)


@dataclass(frozen=True, eq=False)
class Came:
    """What came of the customers of a cohort that are judged.

    rows    (k,) their rows in the cohort
    places  (k,) where they are in the histories; -1: without an order in the file
    wait    (k,) days from as_of to their next order; infinite where none came
    """

    rows: NDArray[np.int64]
    places: Places
    wait: NDArray[np.float64]

    def within(self, days: int) -> Outcomes:
        """The outcomes as they were known so many days after as_of, whatever is known now."""
        observed = self.wait <= days
        followed = np.full(len(self.wait), float(days))
        return Outcomes(np.where(observed, self.wait, followed), observed, followed)

    def owner(self, histories: Histories) -> NDArray[np.int64]:
        """(c,) the position of each customer of the histories among those judged, or -1."""
        owner = np.full(len(histories.customer_ids), -1)
        with_orders = self.places >= 0
        owner[self.places[with_orders]] = np.flatnonzero(with_orders)
        return owner


def came(cohort: Cohort, orders: Orders) -> tuple[Came, list[str]]:
    """What came, and sentences on who is not judged.

    Everybody is judged, also who did not come. A customer whose last order should be in the file,
    and who is not there at all, may be called otherwise in it or have been removed: that one is
    unknown, and left out. Raises DataError where these are most.
    """
    as_of = cohort.about.as_of
    place = orders.place
    places = np.array([place.get(customer, -1) for customer in cohort.customer_ids], np.int64)
    unknown = (places < 0) & (cohort.last_day >= orders.first_day)
    notes = []
    if count := int(np.count_nonzero(unknown)):
        example = cohort.customer_ids[int(np.argmax(unknown))]
        who = (
            f"as of {date_of(as_of)}: {count:,} of {len(places):,} customers with a forecast are "
            f"not in the orders at all, such as {example}"
        )
        if count > len(places) / 2:
            raise DataError(f"{who}: give the orders of the same market, with the same ids")
        notes.append(f"{who}; left out: their orders are cancelled or removed, or ids have changed")
    first = orders.histories.day[orders.histories.offsets[:-1]]
    lacking = first <= as_of
    lacking[places[places >= 0]] = False
    if count := int(np.count_nonzero(lacking)):
        example = orders.histories.customer_ids[int(np.argmax(lacking))]
        notes.append(
            f"as of {date_of(as_of)}: {count:,} customers who had ordered by then have no "
            f"forecast, such as {example}"
        )
    rows = np.flatnonzero(~unknown)
    return Came(rows, places[rows], orders.wait(places[rows], as_of)), notes
