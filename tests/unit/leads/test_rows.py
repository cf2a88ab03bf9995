"""Rows of leads: who is at risk on a day, and what became of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from ordergap.histories import Histories
from ordergap.leads.features import LeadFeatures
from ordergap.leads.rows import days_until, rows_of
from ordergap.leads.table import NEVER, first_orders

from tests.unit.leads.tables import table

DAYS = st.lists(st.one_of(st.none(), st.integers(-20, 140)), min_size=4, max_size=4)


@given(DAYS, st.integers(40, 120), st.integers(1, 40), st.integers(1, 8))
def test_rows_are_those_who_had_not_ordered(
    orders: list[int | None], end: int, step: int, most: int
) -> None:
    leads, columns = table([]), LeadFeatures()
    first = np.array([NEVER if day is None else day for day in orders])
    days = days_until(end, 0, step, most)
    rows = rows_of(leads, first, columns, days, end)
    found = set(zip(rows.lead.tolist(), rows.as_of.tolist(), rows.wait, rows.ordered, strict=True))
    expected = set()
    for lead, order in enumerate(orders):
        for day in days:
            if leads.first_seen[lead] <= day and (order is None or order > day):
                until = end if order is None else min(order, end)
                came = order is not None and order <= end
                expected.add((lead, day, float(until - day), came))
    assert found == expected
    assert len(days) <= most
    assert all(0 <= day < end for day in days)


def test_the_first_order_is_that_of_the_customer_of_the_same_id() -> None:
    histories = Histories.from_orders(
        ["z", "b"], np.array([1, 1, 0]), np.array([70, 50, 3], np.int32), np.ones(3)
    )
    assert first_orders(table([]), histories).tolist() == [NEVER, 50, NEVER, NEVER]
