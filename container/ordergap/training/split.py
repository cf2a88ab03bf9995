"""The two sides of an inner validation in time: what is learnt from and what comes after."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ordergap.errors import DataError
from ordergap.histories import Histories, date_of
from ordergap.survival.targets import Targets, every_order, orders_after, waits_from
from ordergap.training.sharing import joined


@dataclass(frozen=True, eq=False)
class Split:
    """Orders until `cutoff` are learnt from; what happened then, until `as_of`, validates.

    whole   past and later orders; `learn`, `orders` and `waits` count its rows
    learn   every past order, and the gap it opened as far as it was known at the cutoff
    orders  protocol B: every later order, and the gap it opened
    waits   protocol A: every customer known at the cutoff, and the wait that followed
    """

    whole: Histories
    cutoff: int
    as_of: int
    learn: Targets
    orders: Targets
    waits: Targets

    @property
    def protocols(self) -> dict[str, Targets]:
        """Protocols A and B by the names that people read."""
        return {"every customer": self.waits, "every order": self.orders}

    @property
    def usable(self) -> bool:
        """Whether there is anything to learn from and to validate on."""
        sides = (self.learn, *self.protocols.values())
        return all(side.observed.any() for side in sides)


def temporal_split(histories: Histories, fraction: float) -> Split:
    """Validate on the last `fraction` of the time span."""
    first, as_of = int(histories.day.min()), int(histories.day.max())
    cutoff = as_of - max(1, int(fraction * (as_of - first + 1)))
    return _split(histories, max(cutoff, first))


def later_split(past: Histories, later: Histories) -> Split:
    """Validate on the orders of `later` that come after the last day of `past`.

    Raises DataError where there are none: validation is in time.
    """
    cutoff = int(past.day.max())
    later = later.keep(later.day > cutoff)
    if not len(later):
        raise DataError(
            f"the validation channel has no order after {date_of(cutoff)}, the last day of the "
            "training channel; give it later transactions, or leave it out"
        )
    return _split(joined([past, later]), cutoff)


def _split(whole: Histories, cutoff: int) -> Split:
    as_of = int(whole.day.max())
    past = np.flatnonzero(whole.day <= cutoff)
    known = every_order(whole.until(cutoff), cutoff)
    return Split(
        whole,
        cutoff,
        as_of,
        replace(known, row=past),
        orders_after(whole, cutoff, as_of),
        waits_from(whole, cutoff, as_of),
    )
