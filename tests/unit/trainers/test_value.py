"""The rows that the factor learns from, and what it recovers from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import features
from ordergap.errors import AlgorithmError
from ordergap.models.gamma_gamma import GammaGamma
from ordergap.models.value import GROUPS, LEVELS, ValueHead, order_amount
from ordergap.survival.renewal import expected_orders
from ordergap.trainers import value as trainer
from ordergap.trainers.value import (
    LEAST_BUYERS,
    LEAST_HISTORY,
    ValueRows,
    days_to_learn_from,
    fit_amounts,
    fit_factor,
    quantiles,
    value_rows,
    with_amounts,
)

from tests.shop import shop, with_free_orders, without_amounts
from tests.unit.conftest import Checksum

NAMES = features.names(calendar=False)
SHOP = shop(60)
FIRST, LAST = int(SHOP.day.min()), int(SHOP.day.max())
MODEL = Checksum(NAMES)
AMOUNTS = GammaGamma(2.0, 3.0, 50.0)


@settings(max_examples=20)
@given(st.lists(st.integers(FIRST + 20, LAST - 1), min_size=1, max_size=3, unique=True))
def test_a_row_is_what_was_known_on_its_day_and_what_came_after(days: list[int]) -> None:
    rows = value_rows(SHOP, days, 40, MODEL, AMOUNTS, NAMES)
    start = 0
    for day in days:
        past = SHOP.until(day)
        count = len(past.customer_ids)
        some = slice(start, start + count)
        start += count
        assert [SHOP.customer_ids[i] for i in rows.customer[some]] == past.customer_ids
        matrix = features.compute(past, NAMES, past.last_row)
        assert np.array_equal(rows.features[some], matrix, equal_nan=True)
        assert rows.order_count[some].tolist() == past.order_count.tolist()
        amount = order_amount(AMOUNTS, past.order_count, past.revenue)
        assert rows.amount[some] == pytest.approx(amount)
        waited = (day - past.day[past.last_row]).astype(float)
        curves = MODEL.survival(matrix)
        buys = curves.probability_within(40, waited)
        orders = np.maximum(expected_orders(curves, waited, [40])[0], buys)
        assert rows.buys[some] == pytest.approx(buys)
        assert rows.orders[some] == pytest.approx(orders)
        for i, customer in enumerate(past.customer_ids):
            own = SHOP.of(np.array(SHOP.customer_ids) == customer)
            later = (own.day > day) & (own.day <= day + 40)
            assert rows.came[some][i] == pytest.approx(own.amount[later].sum())
            assert rows.came_orders[some][i] == later.sum()
    assert len(rows.came) == start


def test_of_many_rows_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [LAST - 40, LAST - 80]
    whole = value_rows(SHOP, days, 40, MODEL, AMOUNTS, NAMES, 1)
    monkeypatch.setattr(trainer, "MOST_ROWS", 30)
    assert len(value_rows(SHOP, days, 40, MODEL, AMOUNTS, NAMES).came) == len(whole.came)
    some, again, other = (
        value_rows(SHOP, days, 40, MODEL, AMOUNTS, NAMES, seed) for seed in (1, 1, 2)
    )
    assert len(some.came) == 30
    assert some.came.tolist() == again.came.tolist() != other.came.tolist()


def test_days_have_the_window_after_them_and_history_before() -> None:
    days = days_to_learn_from(SHOP, LAST, 90, 15, 11)
    assert days[0] == LAST - 90
    assert set(np.diff(days)) == {-15}
    assert days[-1] >= FIRST + LEAST_HISTORY
    assert len(days) == 11
    assert len(days_to_learn_from(SHOP, LAST, 90, 15, 3)) == 3
    assert not len(days_to_learn_from(SHOP, FIRST + 90 + LEAST_HISTORY - 1, 90, 15, 11))
    assert len(days_to_learn_from(SHOP, FIRST + 90 + LEAST_HISTORY, 90, 15, 11)) == 1


def made_up_rows(times: np.ndarray, matrix: np.ndarray, seed: int = 1) -> ValueRows:
    random = np.random.default_rng(seed)
    n = len(times)
    orders, amount = random.uniform(0.2, 3, n), random.uniform(5, 200, n)
    came_orders = random.poisson(orders)
    came = times * amount * came_orders * random.gamma(4, 1 / 4, n)
    return ValueRows(
        np.arange(n), matrix, np.ones(n, np.int64), orders, 1 - np.exp(-orders), amount, came,
        came_orders.astype(float),
    )  # fmt: skip


def trees(rows: ValueRows) -> Any:
    booster = fit_factor(rows, 1.5, 1)
    assert booster is not None
    return booster


def test_the_factor_is_recovered() -> None:
    random = np.random.default_rng(2)
    matrix = random.normal(size=(4000, 3)).astype(np.float32)
    times = np.where(matrix[:, 1] > 0, 2.0, 0.5)
    head = ValueHead(fit_factor(made_up_rows(times, matrix), 1.5, 1), ("a", "b", "c"), AMOUNTS,
                     np.ones((len(GROUPS), len(LEVELS))))  # fmt: skip
    found = head.factor(matrix)
    for each in (0.5, 2.0):
        assert found[times == each].mean() == pytest.approx(each, rel=0.1)


def test_the_currency_does_not_matter() -> None:
    matrix = np.random.default_rng(3).normal(size=(2000, 2)).astype(np.float32)
    rows = made_up_rows(np.exp(matrix[:, 0].astype(float)), matrix)
    cents = replace(rows, amount=rows.amount * 1024, came=rows.came * 1024)
    one, other = (trees(each).inplace_predict(matrix) for each in (rows, cents))
    assert other == pytest.approx(one, rel=1e-3)


def test_the_same_rows_make_the_same_bytes() -> None:
    matrix = np.random.default_rng(4).normal(size=(500, 2)).astype(np.float32)
    rows = made_up_rows(np.ones(500), matrix)
    assert trees(rows).save_raw("ubj") == trees(rows).save_raw("ubj")


def test_where_nobody_has_spent_there_is_no_factor() -> None:
    matrix = np.zeros((10, 2), np.float32)
    rows = made_up_rows(np.zeros(10), matrix)
    assert fit_factor(rows, 1.5, 1) is None


def test_quantiles_are_of_buyers_of_a_group_that_is_large_enough() -> None:
    n = 4 * LEAST_BUYERS
    rows = made_up_rows(np.ones(n), np.zeros((n, 1), np.float32))
    count = np.where(np.arange(n) < LEAST_BUYERS - 5, 1, np.where(np.arange(n) % 2, 3, 9))
    rows = replace(rows, order_count=count, came_orders=np.ones(n))
    expected = rows.orders * rows.amount
    table = quantiles(rows, expected)
    ratio = rows.came / (expected / rows.buys)
    assert table.shape == (len(GROUPS), len(LEVELS))
    assert table[0] == pytest.approx(np.quantile(ratio, LEVELS), abs=1e-6)  # too few: all buyers'
    assert table[1] == pytest.approx(np.quantile(ratio[count == 3], LEVELS), abs=1e-6)
    assert table[2] == pytest.approx(np.quantile(ratio[count == 9], LEVELS), abs=1e-6)
    nobody = quantiles(replace(rows, came_orders=np.zeros(n)), expected)
    assert np.all(nobody == 1)


def test_amounts_are_learnt_from_customers_with_two_orders_or_more() -> None:
    model = fit_amounts(SHOP)
    repeated = SHOP.of(SHOP.order_count > 1)
    assert fit_amounts(repeated) == model
    assert fit_amounts(with_free_orders(SHOP)).q > 1
    once = SHOP.keep(SHOP.order_number == 1)
    assert np.isfinite(fit_amounts(once).p)
    free = replace(SHOP, amount=np.zeros(len(SHOP)))
    with pytest.raises((ValueError, AlgorithmError)):
        fit_amounts(free)


def test_a_customer_with_an_unknown_amount_is_not_learnt_from() -> None:
    amount = SHOP.amount.copy()
    amount[SHOP.offsets[3]] = np.nan
    known = with_amounts(replace(SHOP, amount=amount))
    expected = [name for i, name in enumerate(SHOP.customer_ids) if i != 3]
    assert known.customer_ids == expected
    assert not len(with_amounts(without_amounts(SHOP)))


def test_an_order_of_who_has_paid_is_worth_what_they_paid_and_what_all_pay() -> None:
    count, revenue = np.array([1, 1, 50, 3]), np.array([10.0, 0.0, 5000.0, np.nan])
    amount = order_amount(AMOUNTS, count, revenue)
    everybody = AMOUNTS.p * AMOUNTS.v / (AMOUNTS.q - 1)
    assert amount[0] == pytest.approx((2 * 50 + 2 * 10) / (2 + 2))
    assert 0 < amount[1] < everybody
    assert amount[2] == pytest.approx(100, rel=0.03)
    assert np.isnan(amount[3])
