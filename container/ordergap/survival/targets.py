"""The gaps between orders as survival times, as seen at the end of a day: ended, or censored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap.histories import Histories


@dataclass(frozen=True, eq=False)
class Targets:
    """The gaps that n orders opened, as seen at the end of a day.

    row              (n,) which order of the histories opened the gap
    gap              (n,) days to the customer's next order; where none has come, the follow-up
    observed         (n,) whether the next order came; False: the gap is censored
    follow_up        (n,) days from the order to the end of observation, next order or not
    left_truncation  (n,) days without an order when observation began: the gap is longer
    """

    row: NDArray[np.int64]
    gap: NDArray[np.float64]
    observed: NDArray[np.bool_]
    follow_up: NDArray[np.float64]
    left_truncation: NDArray[np.float64]

    def __len__(self) -> int:
        """The number of gaps, n."""
        return len(self.row)

    def __getitem__(self, rows: NDArray[np.bool_] | slice) -> Targets:
        """Some of the gaps."""
        return Targets(
            self.row[rows],
            self.gap[rows],
            self.observed[rows],
            self.follow_up[rows],
            self.left_truncation[rows],
        )


def order_gaps(histories: Histories, as_of: int) -> Targets:
    """The gap of every order of `histories`, censored at the end of day `as_of`.

    Orders after `as_of` must have been cut off (`Histories.until`): ValueError otherwise.
    """
    if len(histories) and histories.day.max() > as_of:
        raise ValueError("an order lies after as_of")
    next_day = np.append(histories.day[1:], 0).astype(np.int64)
    observed = np.ones(len(histories), bool)
    observed[histories.last_row] = False
    follow_up = (as_of - histories.day.astype(np.int64)).astype(float)
    gap = np.where(observed, next_day - histories.day, follow_up)
    return Targets(np.arange(len(histories)), gap, observed, follow_up, np.zeros(len(histories)))


def gaps_at_order(histories: Histories, cutoff: int, as_of: int) -> Targets:
    """The gap of every order made after day `cutoff`, followed up until `as_of`."""
    return order_gaps(histories, as_of)[histories.day > cutoff]


def waits_at_cutoff(histories: Histories, cutoff: int, as_of: int) -> Targets:
    """The gap that is open at the end of day `cutoff`, of every customer known then.

    The customer has already waited `left_truncation` days; the follow-up ends with day `as_of`.
    """
    every = order_gaps(histories, as_of)
    next_after = ~every.observed | (histories.day + every.gap > cutoff)
    waits = every[(histories.day <= cutoff) & next_after]
    waited = (cutoff - histories.day[waits.row]).astype(float)
    return Targets(waits.row, waits.gap, waits.observed, waits.follow_up, waited)
