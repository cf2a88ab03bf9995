"""Inputs that know of the order: refused by name, and by what they tell."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from ordergap.errors import DataError
from ordergap.leads import leaks
from ordergap.leads.table import NEVER, LeadTable

COUNT = 400
ORDERED = np.arange(COUNT) % 4 == 0
FIRST = np.where(ORDERED, 50, NEVER)
RANDOM = np.random.default_rng(1)


def check(
    numbers: dict[str, NDArray[np.float64]] | None = None,
    categories: dict[str, NDArray[np.str_]] | None = None,
    allowed: tuple[str, ...] = (),
) -> None:
    none = np.empty(0, np.int64)
    leads = LeadTable.of_events(
        [str(i) for i in range(COUNT)],
        np.zeros(COUNT, np.int64),
        (none, none, [], []),
        numbers,
        categories,
    )
    leaks.refuse_found(leads, FIRST, 100, allowed)


@pytest.mark.parametrize(
    "name", ["first_booking", "existing_customer", "purchases", "customer_code", "First Booking",
             "customerCode", "converted"]
)  # fmt: skip
def test_what_is_written_at_the_order_is_refused_by_name(name: str) -> None:
    with pytest.raises(DataError, match=rf'"{name}".*lead_leaks_allowed'):
        leaks.refuse_known(["region", name], ())
    leaks.refuse_known(["region", name], (name,))


def test_a_number_that_tells_who_ordered_is_refused_in_either_direction() -> None:
    noise = RANDOM.normal(0, 0.1, COUNT)
    for sign in (1, -1):
        with pytest.raises(DataError, match=r'"points".*AUC'):
            check({"points": sign * ORDERED + noise})
    check({"points": ORDERED + noise}, allowed=("points",))


def test_what_only_those_have_who_ordered_is_refused() -> None:
    some = np.where(ORDERED & (np.arange(COUNT) % 8 == 0), RANDOM.normal(size=COUNT), np.nan)
    with pytest.raises(DataError, match=r'"rating".*only leads who ordered have it, 50 of them'):
        check({"rating": some})
    with pytest.raises(DataError, match=r'"tier".*only leads'):
        check(categories={"tier": np.where(ORDERED, "gold", "")})


def test_what_those_lack_who_ordered_is_refused() -> None:
    with pytest.raises(DataError, match="AUC"):
        check({"prospect_score": np.where(ORDERED, np.nan, RANDOM.normal(size=COUNT))})


def test_a_category_that_tells_who_ordered_is_refused_and_ids_are_not() -> None:
    with pytest.raises(DataError, match=r'"state"'):
        check(categories={"state": np.where(ORDERED, "closed", "open")})
    check(categories={"postcode": np.array([f"P{i}" for i in range(COUNT)])})


def test_honest_attributes_pass() -> None:
    check(
        {"age": RANDOM.normal(0, 1, COUNT) + ORDERED}, {"source": RANDOM.choice(["a", "b"], COUNT)}
    )
