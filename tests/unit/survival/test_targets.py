"""Gaps against a slow walk through every customer's orders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.histories import Histories
from ordergap.survival.targets import Targets, gaps_at_order, order_gaps, waits_at_cutoff

Days = list[list[int]]
Gap = tuple[int, float, bool, float, float]  # the order's day, gap, observed, follow-up, truncation

END = 40
customers_days = st.lists(
    st.lists(st.integers(-5, END), min_size=1, max_size=8, unique=True).map(sorted), max_size=6
)


def histories_of(customers: Days) -> Histories:
    owner = np.repeat(np.arange(len(customers)), [len(days) for days in customers])
    day = np.array([day for days in customers for day in days], np.int32)
    return Histories.from_orders(
        [f"c{i}" for i in range(len(customers))], owner, day, np.ones(len(day))
    )


def gaps_of(days: list[int], as_of: int) -> list[Gap]:
    gaps: list[Gap] = [(day, after - day, True, as_of - day, 0) for day, after in pairwise(days)]
    return [*gaps, (days[-1], as_of - days[-1], False, as_of - days[-1], 0)]


def listed(histories: Histories, targets: Targets) -> list[Gap]:
    columns = targets.gap, targets.observed, targets.follow_up, targets.left_truncation
    day = histories.day[targets.row].tolist()
    return list(zip(day, *(column.tolist() for column in columns), strict=True))


@given(customers_days, st.integers(END, END + 9))
def test_every_order_opens_a_gap_that_the_next_order_or_as_of_ends(
    customers: Days, as_of: int
) -> None:
    histories = histories_of(customers)
    targets = order_gaps(histories, as_of)
    assert listed(histories, targets) == [gap for days in customers for gap in gaps_of(days, as_of)]
    assert targets.row.tolist() == list(range(len(histories)))


@given(customers_days)
def test_the_gaps_of_a_customer_fill_the_days_from_the_first_order_to_as_of(
    customers: Days,
) -> None:
    histories = histories_of(customers)
    targets = order_gaps(histories, END)
    filled = np.bincount(histories.customer, weights=targets.gap, minlength=len(customers))
    assert filled.tolist() == [END - days[0] for days in customers]
    assert np.all(targets.gap <= targets.follow_up)
    assert np.all(targets.gap[targets.observed] >= 1)


@given(customers_days, st.integers(-6, END))
def test_gaps_at_order_a_cutoff_are_those_made_later(customers: Days, cutoff: int) -> None:
    histories = histories_of(customers)
    expected = [gap for days in customers for gap in gaps_of(days, END) if gap[0] > cutoff]
    assert listed(histories, gaps_at_order(histories, cutoff, END)) == expected


@given(customers_days, st.integers(-6, END))
def test_every_customer_known_at_a_cutoff_waits_once(customers: Days, cutoff: int) -> None:
    histories = histories_of(customers)
    expected = []
    for days in customers:
        before = [day for day in days if day <= cutoff]
        if before:
            last = before[-1]
            later = [day for day in days if day > cutoff]
            gap = later[0] - last if later else END - last
            expected.append((last, gap, bool(later), END - last, cutoff - last))
    waits = waits_at_cutoff(histories, cutoff, END)
    assert listed(histories, waits) == expected
    assert np.all(waits.left_truncation <= waits.gap)
    assert np.all(waits.left_truncation[waits.observed] < waits.gap[waits.observed])


@given(customers_days, st.integers(-6, END))
def test_waits_are_the_gaps_that_were_censored_at_the_cutoff(customers: Days, cutoff: int) -> None:
    histories = histories_of(customers)
    known = histories.until(cutoff)
    seen_then = order_gaps(known, cutoff)
    open_then = seen_then[~seen_then.observed]
    assert (
        waits_at_cutoff(histories, cutoff, END).left_truncation.tolist() == open_then.gap.tolist()
    )


@given(customers_days, st.integers(-6, END))
def test_a_gap_had_ended_by_the_cutoff_or_waits_then_or_opens_later(
    customers: Days, cutoff: int
) -> None:
    histories = histories_of(customers)
    every = order_gaps(histories, END)
    ended = every[every.observed & (histories.day + every.gap <= cutoff)].row
    waits = waits_at_cutoff(histories, cutoff, END).row
    later = gaps_at_order(histories, cutoff, END).row
    assert sorted([*ended, *waits, *later]) == list(range(len(histories)))


def test_targets_can_be_chosen_with_a_mask() -> None:
    histories = histories_of([[1, 5], [2]])
    some = order_gaps(histories, 10)[np.array([True, False, True])]
    assert len(some) == 2
    assert listed(histories, some) == [(1, 4, True, 9, 0), (2, 8, False, 8, 0)]


def test_an_order_after_as_of_is_refused() -> None:
    with pytest.raises(ValueError, match="after as_of"):
        order_gaps(histories_of([[1, 12]]), 11)


def test_a_customer_without_orders_is_refused() -> None:
    histories = Histories.from_orders(
        ["ana", "ben"], np.array([0]), np.array([1], np.int32), np.ones(1)
    )
    with pytest.raises(ValueError, match="without orders"):
        order_gaps(histories, 10)
