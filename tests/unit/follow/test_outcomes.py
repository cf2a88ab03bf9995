"""What came after a day, beside a plain loop; and who is not judged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.errors import DataError
from ordergap.follow.outcomes import Orders, came

from tests.cohorts import cohort, histories

orders = st.dictionaries(
    st.sampled_from([f"c{i}" for i in range(6)]),
    st.sets(st.integers(100, 130), min_size=1, max_size=6).map(sorted),
    min_size=1,
)


@given(orders, st.integers(95, 135), st.integers(0, 12), st.integers(1, 20))
def test_outcomes_are_those_of_a_loop_over_customers(
    days: dict[str, list[int]], as_of: int, later: int, ahead: int
) -> None:
    watermark = max(max(each) for each in days.values()) + later
    made = cohort(as_of, {30: np.full(6, 0.1)}, last_day=0)  # before the file: nobody is unknown
    result, _ = came(made, Orders(histories(days), watermark))
    assert result.rows.tolist() == [*range(6)]
    found = result.within(ahead)
    for i in range(6):
        after = [day - as_of for day in days.get(f"c{i}", []) if day > as_of]
        assert result.wait[i] == (after[0] if after else np.inf)
        ordered = bool(after) and after[0] <= ahead
        assert (found.observed[i], found.gap[i]) == (ordered, after[0] if ordered else ahead)
    assert set(found.follow_up) == {ahead}


def test_who_did_not_come_is_judged_and_who_is_unknown_is_not() -> None:
    known = Orders(histories({"c0": [100, 131], "c1": [90], "new": [101, 125]}), 160)
    made = cohort(130, {30: [0.1] * 5}, last_day=100)
    made.last_day[3] = 50  # before the first order of the file: did not come since
    made.last_day[4] = 50
    result, notes = came(made, known)
    assert result.rows.tolist() == [0, 1, 3, 4]
    assert result.wait.tolist() == [1, np.inf, np.inf, np.inf]
    unknown, lacking = notes
    assert "1 of 5 customers with a forecast are not in the orders at all, such as c2" in unknown
    assert "1 customers who had ordered by then have no forecast, such as new" in lacking


def test_orders_of_another_market_are_refused() -> None:
    known = Orders(histories({"x": [100], "c0": [100]}), 160)
    with pytest.raises(DataError, match=r"4 of 5 customers .* give the orders of the same"):
        came(cohort(130, {30: [0.1] * 5}, last_day=100), known)
