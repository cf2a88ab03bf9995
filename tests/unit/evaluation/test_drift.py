"""Drift of the latest orders: quiet by chance, beside a plain computation, and where it sounds."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.evaluation.drift import COUNTS, DAYS, FeatureDrift, drift, feature_drift
from ordergap.histories import Histories, day_of

from tests.shop import OPENING, shop

AS_OF = day_of(OPENING) + 300


@pytest.fixture(scope="module")
def orders() -> Histories:
    return shop(300, 400).until(AS_OF)


def drifted(found: Histories) -> set[str]:
    return {name for name, each in drift(found, AS_OF).features.items() if each.drifted}


def test_a_steady_shop_is_quiet(orders: Histories) -> None:
    found = drift(orders, AS_OF)
    age = AS_OF - orders.day
    assert found.recent == np.count_nonzero(age < 28)
    assert found.earlier == np.count_nonzero((age >= 28) & (age < 112))
    assert {"amount", "items", "item_price", "lines"} < {*found.features}
    assert not drifted(orders)


def test_prices_in_another_unit_and_unknown_items_are_seen(orders: Histories) -> None:
    latest = orders.day > AS_OF - DAYS
    dearer = replace(orders, amount=np.where(latest, 2 * orders.amount, orders.amount))
    assert {"amount", "item_price"} <= drifted(dearer)
    unknown = replace(orders, items=np.where(latest, np.nan, orders.items))
    assert "items" in drifted(unknown)


def test_few_orders_or_days_tell_nothing(orders: Histories) -> None:
    few = orders.of(np.arange(len(orders.customer_ids)) < 15)
    assert not drift(few, AS_OF).features
    late = orders.keep(orders.day > AS_OF - 130)
    assert not drift(late, AS_OF).features
    assert drift(late, AS_OF).recent == drift(orders, AS_OF).recent


def test_what_is_unknown_throughout_is_left_out(orders: Histories) -> None:
    assert "items" not in drift(replace(orders, items=orders.items * np.nan), AS_OF).features


def test_customers_who_lose_their_names_are_seen_and_a_season_is_not(orders: Histories) -> None:
    latest = orders.day > AS_OF - DAYS
    count = len(orders.customer_ids)
    owner = np.where(latest, count + np.arange(len(latest)), orders.customer)
    names = [*map(str, range(count + len(latest)))]
    assert drifted(Histories.from_orders(names, owner, orders.day, orders.amount)) == {*COUNTS}
    random = np.random.default_rng(0)
    again = orders.keep(latest & (random.random(len(latest)) < 0.6))  # they order a day later
    again = replace(again, day=again.day + np.int32(1))
    busy = drift(Histories.concat([orders, again]), AS_OF).features
    assert max(busy[name].excess for name in COUNTS) > 0.2
    assert not any(each.drifted for each in busy.values())


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 3))
def test_the_excess_is_that_of_a_plain_computation(seed: int, times: float) -> None:
    random = np.random.default_rng(seed)
    window = random.integers(0, 4, 900)
    values = random.lognormal(0, 1, 900) * np.where(window, 1.0, times)
    values[random.random(900) < 0.1] = np.nan
    past = np.sort(values[(window > 0) & ~np.isnan(values)])
    edges = [float(np.quantile(past, i / 10)) for i in range(1, 10)]

    def bin_of(value: float) -> int:
        return 10 if math.isnan(value) else sum(value > edge for edge in edges)

    counts = [[0.5] * 11, [0.5] * 11]
    for value, which in zip(values.tolist(), window.tolist(), strict=True):
        counts[min(which, 1)][bin_of(value)] += 1
    shares = [[each / sum(one) for each in one] for one in counts]
    index = sum((a - b) * math.log(a / b) for a, b in zip(*shares, strict=True))
    chance = 10 * (1 / (window == 0).sum() + 1 / (window > 0).sum())
    found = feature_drift(values, window)
    assert found.excess == pytest.approx(index - chance)
    assert 0 <= found.p <= 1
    season = feature_drift(values, window, 0.02)
    assert season == found._replace(usual=max(found.usual, 0.02))


def test_chance_alone_has_no_excess_on_average() -> None:
    random = np.random.default_rng(1)
    window = np.repeat(np.arange(4), 400)
    found = [feature_drift(random.normal(size=1600), window) for _ in range(200)]
    assert abs(np.mean([each.excess for each in found])) < 0.002
    assert np.mean([each.p < 0.05 for each in found]) == pytest.approx(0.05, abs=0.04)
    assert not any(each.drifted for each in found)


def test_what_is_usual_is_no_drift() -> None:
    assert FeatureDrift(0.2, 0.1, 1e-9).drifted
    assert not FeatureDrift(0.2, 0.15, 1e-9).drifted
    assert not FeatureDrift(0.2, 0.0, 1e-3).drifted
    assert not FeatureDrift(0.09, 0.0, 1e-9).drifted
