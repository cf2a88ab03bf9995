"""What there is to learn and to be judged by: gaps, seen as of a day, ended or still open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap.histories import Histories


@dataclass(frozen=True, eq=False)
class Targets:
    """The gaps that n orders opened, as seen at the end of a day.

    row       (n,) which order of the histories opened the gap
    gap       (n,) days to the customer's next order; where none has come, days watched
    observed  (n,) whether the next order came; False: the gap is censored
    watched   (n,) days from the order to the end of watching, next order or not
    entry     (n,) days that had passed without an order when the watching began
    """

    row: NDArray[np.int64]
    gap: NDArray[np.float64]
    observed: NDArray[np.bool_]
    watched: NDArray[np.float64]
    entry: NDArray[np.float64]

    def __len__(self) -> int:
        """The number of gaps, n."""
        return len(self.row)

    def __getitem__(self, some: NDArray[np.bool_]) -> Targets:
        """The gaps marked true."""
        return Targets(
            self.row[some],
            self.gap[some],
            self.observed[some],
            self.watched[some],
            self.entry[some],
        )


def every_order(histories: Histories, as_of: int) -> Targets:
    """The gap of every order of `histories`, censored at the end of day `as_of`.

    Orders after `as_of` must have been cut off (`Histories.until`): ValueError otherwise.
    """
    if len(histories) and histories.day.max() > as_of:
        raise ValueError("an order lies after as_of")
    next_day = np.append(histories.day[1:], 0).astype(np.int64)
    observed = np.ones(len(histories), bool)
    observed[histories.last_row] = False
    watched = (as_of - histories.day.astype(np.int64)).astype(float)
    gap = np.where(observed, next_day - histories.day, watched)
    return Targets(np.arange(len(histories)), gap, observed, watched, np.zeros(len(histories)))


def orders_after(histories: Histories, cutoff: int, as_of: int) -> Targets:
    """Protocol B: the gap of every order made after day `cutoff`, watched until `as_of`."""
    return every_order(histories, as_of)[histories.day > cutoff]


def waits_from(histories: Histories, cutoff: int, as_of: int) -> Targets:
    """Protocol A: the gap that is open at the end of day `cutoff`, of every customer known then.

    The customer has already waited `entry` days; the gap is watched until `as_of`.
    """
    every = every_order(histories, as_of)
    next_after = ~every.observed | (histories.day + every.gap > cutoff)
    waits = every[(histories.day <= cutoff) & next_after]
    entry = (cutoff - histories.day[waits.row]).astype(float)
    return Targets(waits.row, waits.gap, waits.observed, waits.watched, entry)
