"""Groups of customers at a cutoff: who is in them, and what became of them, counted one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.prediction import Status
from ordergap.evaluation.gaps import outcomes
from ordergap.evaluation.metrics import Outcomes
from ordergap.evaluation.segments import (
    SilenceGroup,
    by_status,
    miscalibrated,
    segments,
    silences,
    wilson,
)
from ordergap.histories import Histories
from ordergap.survival.targets import waits_at_cutoff
from scipy.stats import binomtest

from tests.shop import shop, without_amounts

WINDOW = 60


def test_silences_are_those_counted_customer_by_customer() -> None:
    histories = shop(120, days=300)
    cutoff = int(histories.day.min()) + 200
    histories = histories.until(cutoff + WINDOW)
    targets = waits_at_cutoff(histories, cutoff, cutoff + WINDOW)
    probability = np.random.default_rng(1).random(len(targets))
    found = silences(histories, targets, 20.0, probability, outcomes(targets), 30)
    told = {(group.orders, group.waited): group for group in found}
    expected: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    position = 0
    for start, end in zip(histories.offsets[:-1], histories.offsets[1:], strict=True):
        days = histories.day[start:end].tolist()
        past = [day for day in days if day <= cutoff]
        if not past:
            continue
        count = len(past)
        own = 20.0 if count == 1 else (past[-1] - past[0]) / (count - 1)
        times = (cutoff - past[-1]) / own
        orders = "one order" if count == 1 else "2 to 4 orders" if count < 5 else "5 orders or more"
        waited = (
            "up to 1" if times <= 1
            else "1 to 3" if times <= 3
            else "3 to 10" if times <= 10
            else "more than 10"
        )  # fmt: skip
        came = any(cutoff < day <= cutoff + 30 for day in days)
        expected.setdefault((orders, waited), []).append((probability[position], came))
        position += 1
    assert position == len(targets)
    assert {key: group.customers for key, group in told.items()} == {
        key: len(rows) for key, rows in expected.items()
    }
    for key, rows in expected.items():
        assert told[key].foreseen == pytest.approx(np.mean([p for p, _ in rows]))
        assert told[key].came == pytest.approx(np.mean([came for _, came in rows]))
        assert told[key].days == 30
    assert len(told) > 5, "too few groups to tell"


def test_the_tenth_by_revenue_is_of_those_whose_revenue_is_known() -> None:
    histories = shop(120)
    targets = waits_at_cutoff(histories, day := int(histories.day.max()) - WINDOW, day + WINDOW)
    name = "top tenth by revenue"
    whole = segments(histories, targets)
    assert segments(without_amounts(histories), targets).keys() == whole.keys() - {name}
    odd = histories.customer % 2 == 1
    some = replace(histories, amount=np.where(odd, np.nan, histories.amount))
    found, owner = segments(some, targets)[name], histories.customer[targets.row]
    assert not found[owner % 2 == 1].any()
    assert 0.05 < found[owner % 2 == 0].mean() < 0.2


@given(
    st.lists(
        st.tuples(st.sampled_from([*Status]), st.integers(1, 120)),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 100),
)
def test_what_became_of_a_status_is_counted_over_its_customers(
    customers: list[tuple[Status, int]], follow_up: int
) -> None:
    status, gap = zip(*customers, strict=True)
    followed = np.full(len(gap), float(follow_up))
    seen = Outcomes(np.minimum(gap, followed), np.array(gap) <= followed, followed)
    told = by_status(status, seen, [*Status])
    assert [*told] == [each for each in Status if each in status]
    for kind, outcome in told.items():
        own = [i for i, each in enumerate(status) if each == kind]
        assert outcome.customers == len(own)
        for days, share in outcome.ordered.items():
            if follow_up < days:
                assert share is None
            else:
                came = [gap[i] <= days for i in own]
                assert share == pytest.approx(np.mean(came))


def group(customers: int, foreseen: float, came: float) -> SilenceGroup:
    return SilenceGroup("one order", "up to 1", customers, 90, foreseen, came)


def test_chance_alone_seldom_sounds_the_guard_and_a_wrong_level_does() -> None:
    random = np.random.default_rng(2)
    right = [group(400, 0.3, random.binomial(400, 0.3) / 400) for _ in range(2000)]
    assert np.mean([miscalibrated(each) for each in right]) < 0.001
    edge = [group(400, 0.35, random.binomial(400, 0.3) / 400) for _ in range(2000)]
    assert np.mean([miscalibrated(each) for each in edge]) == pytest.approx(0.025, abs=0.015)
    for wrong in (0.1, 0.5):
        far = [group(400, wrong, random.binomial(400, 0.3) / 400) for _ in range(200)]
        assert all(map(miscalibrated, far))


@pytest.mark.parametrize("came", [0.0, 1.0])
def test_the_guard_bears_nobody_and_everybody(came: float) -> None:
    assert not miscalibrated(group(100, came, came))
    assert miscalibrated(group(100, 0.5, came))
    assert not miscalibrated(group(99, 0.5, came)), "too few customers to say so"


def test_customers_with_one_order_alone_have_segments() -> None:
    owner, day = np.arange(5), np.arange(5, dtype=np.int32) * 10
    histories = Histories.from_orders(list("abcde"), owner, day, np.ones(5))
    found = segments(histories, waits_at_cutoff(histories, 40, 60))
    assert found["one order"].all()
    assert not found["waited over 3 gaps"].any()


@given(rows=st.integers(1, 10**6), share=st.floats(0, 1))
def test_intervals_of_a_share_are_those_of_scipy(rows: int, share: float) -> None:
    events = round(share * rows)
    expected = binomtest(events, rows).proportion_ci(0.95, "wilson")
    assert wilson(events, rows) == pytest.approx((expected.low, expected.high), abs=1e-6)
