"""The two sides of a validation in time: what is learnt from and what comes after.

See docs/decisions/training.md#validation-is-always-in-time.
"""

from __future__ import annotations

from ordergap.errors import DataError
from ordergap.histories import Histories, date_of
from ordergap.tasks.base import Split


def temporal_split(histories: Histories, fraction: float) -> Split:
    """Validate on the last `fraction` of the time span."""
    first, as_of = int(histories.day.min()), int(histories.day.max())
    cutoff = as_of - max(1, int(fraction * (as_of - first + 1)))
    return Split(histories, max(cutoff, first), as_of)


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
    whole = Histories.concat([past, later])
    return Split(whole, cutoff, int(whole.day.max()))
