"""Inputs that are known only of those who have ordered: by their names, and by what they tell.

See docs/decisions/leads.md#inputs-that-know-the-order-are-refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap.errors import DataError
from ordergap.leads.table import Days, LeadTable

_WRITTEN_LATER = (
    "booking", "bookings", "conversion", "conversion_date", "converted", "customer_code",
    "customer_id", "customer_number", "customer_since", "existing_customer", "first_booking",
    "first_booking_date", "first_order", "first_order_date", "first_purchase",
    "first_purchase_date", "invoice", "invoices", "is_customer", "last_order", "last_order_date",
    "last_purchase", "n_orders", "n_purchases", "order", "order_count", "order_date", "orders",
    "purchase", "purchases", "revenue", "total_spent",
)  # fmt: skip
_TOO_GOOD = 0.97  # AUC of one column
_FEW = 10  # leads of a kind, below which nothing is judged
_OPTION = "lead_leaks_allowed"


def refuse_known(names: Iterable[str], allowed: Sequence[str]) -> None:
    """DataError for attributes or kinds of events that are named as what a first order writes.

    >>> refuse_known(["n_visits", "region"], ())
    """
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
        if plain.strip("_") in _WRITTEN_LATER and name not in allowed:
            raise DataError(
                f'"{name}" of the leads is written at or after the first order, by its name: '
                f"leave it out, or name it in {_OPTION} if it is known before"
            )


def refuse_found(leads: LeadTable, first_order: Days, end: int, allowed: Sequence[str]) -> None:
    """DataError for an attribute that by itself tells who has ordered until day `end`.

    It does where its AUC is beyond .97, either way, or where only those who ordered have it.
    """
    ordered = first_order <= end
    if min(ordered.sum(), (~ordered).sum()) < _FEW:
        return
    for name, values in {**leads.numbers, **leads.categories}.items():
        if name in allowed:
            continue
        known = values != "" if name in leads.categories else ~np.isnan(values)
        if known.sum() >= _FEW and ordered[known].all():
            _refuse(name, f"only leads who ordered have it, {int(known.sum()):,} of them")
        score = _shares(values, ordered) if name in leads.categories else values.astype(float)
        for missing in (-np.inf, np.inf):
            auc = _auc(np.where(np.isnan(score), missing, score), ordered)
            if max(auc, 1 - auc) > _TOO_GOOD:
                _refuse(name, f"it alone tells them from the others with an AUC of {auc:.3f}")


def _refuse(name: str, why: str) -> None:
    raise DataError(
        f'the attribute "{name}" of the leads knows who has ordered: {why}. It was probably '
        f"written then: leave it out, or name it in {_OPTION} if it is known before"
    )


def _shares(values: NDArray[np.generic], ordered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of those who ordered among the leads with each value; rare values are one."""
    _, code, count = np.unique(values, return_inverse=True, return_counts=True)
    code = np.where(count[code] < _FEW, len(count), code)
    total = np.bincount(code, minlength=len(count) + 1)
    return np.asarray((np.bincount(code, ordered, len(count) + 1) / np.maximum(total, 1))[code])


def _auc(score: NDArray[np.float64], event: NDArray[np.bool_]) -> float:
    others, those = np.sort(score[~event]), score[event]
    below, up_to = (np.searchsorted(others, those, side).sum() for side in ("left", "right"))
    return float(below + up_to) / 2 / (len(those) * len(others))
