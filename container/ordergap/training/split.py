"""The two sides of a validation in time: what is learnt from and what comes after.

See docs/decisions/training.md#validation-is-always-in-time.
"""

from __future__ import annotations

import logging

from ordergap import ingest
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.errors import DataError
from ordergap.histories import Histories, date_of
from ordergap.hosts import Hosts
from ordergap.tasks.base import Split
from ordergap.training import sharing
from ordergap.training.sampling import Sample

log = logging.getLogger("ordergap")


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


def split_of(
    hosts: Hosts,
    hyperparameters: Hyperparameters,
    cleaned: ingest.Cleaned,
    sample: Sample,
    validation: ingest.Orders | None,
    content_type: str | None,
) -> Split:
    """The orders that are learnt from, with what validates: the end of them, or later orders.

    cleaned       what is learnt from
    sample        of customers, whose later orders validate
    validation    later orders of everybody; None: this host has none
    content_type  of the validation
    """
    orders = cleaned.histories
    if hosts.any(validation is not None):
        known = cleaned.report.conventions
        later = sharing.read(hosts, validation, hyperparameters.columns, content_type, known)
        split = later_split(orders, sample.orders(later.histories))
    else:
        split = temporal_split(orders, hyperparameters.validation_fraction)
    past = split.past
    log.info(
        "  learning until %s from %s orders; validating until %s on %s orders and %s customers",
        date_of(split.cutoff),
        f"{len(past):,}",
        date_of(split.as_of),
        f"{len(split.whole) - len(past):,}",
        f"{len(past.customer_ids):,}",
    )
    return split
