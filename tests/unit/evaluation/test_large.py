"""Metrics of large orders against the plain ones, and baselines against what they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.attributes import ALWAYS, AttributeTable
from ordergap.contract.metrics import MODEL
from ordergap.evaluation import metrics
from ordergap.evaluation.large import METRICS, LargeEvaluation, Question
from ordergap.evaluation.large_baselines import (
    BG_NBD_GG,
    DIRECT,
    FOREST,
    SHARE,
    _share_above,
    answers,
    large_orders,
)
from ordergap.histories import Histories
from ordergap.models.gamma_gamma import GammaGamma

from tests.shop import shop

ONE = Question(50.0, 90)


def evaluation(p: np.ndarray, came: np.ndarray) -> LargeEvaluation:
    names = np.arange(len(p))
    return LargeEvaluation(names, {}, {"": ONE}, {ONE: came}, {MODEL: {ONE: p}, "none": {}})


@given(st.integers(0, 10_000), st.integers(1, 60), st.booleans())
def test_weights_stand_for_rows_drawn_again(seed: int, count: int, several: bool) -> None:
    random = np.random.default_rng(seed)
    p = random.random(count).round(1 if several else 6)
    came = random.random(count) < p
    judged = evaluation(p, came)
    rows = random.integers(0, count, count)
    for some in (None, rows, random.random(count) < 0.5):
        drawn = slice(None) if some is None else some
        found = judged.metrics(MODEL, some)
        q, event = p[drawn], came[drawn]
        expected = (
            metrics.auc(q, event),
            metrics.brier(q, event),
            metrics.calibration(q, event)[0],
        )
        assert [*found.values()] == pytest.approx(expected, nan_ok=True)


def test_a_baseline_without_an_answer_is_not_judged() -> None:
    found = evaluation(np.array([0.5]), np.array([True])).metrics("none")
    assert list(found) == list(METRICS)
    assert np.isnan([*found.values()]).all()


SHOP = shop(400, seed=3)
AS_OF = int(SHOP.day.min()) + 250
PAST = SHOP.until(AS_OF)
QUESTIONS = [Question(60.0, 60), Question(60.0, 30), Question(20.0, 60)]
BUYS = {days: np.full(len(PAST.customer_ids), 0.7) for days in (30, 60)}


def test_every_baseline_tells_large_buyers_from_others() -> None:
    found = answers(PAST, AS_OF, BUYS, QUESTIONS, 1)
    assert list(found) == [SHARE, BG_NBD_GG, DIRECT]
    known = np.isin(SHOP.customer_ids, PAST.customer_ids)
    came = large_orders(SHOP, QUESTIONS[0], AS_OF)[known]
    for name, each in found.items():
        p = each[QUESTIONS[0]]
        assert np.all((p >= 0) & (p <= 1)), name
        assert metrics.auc(p, came) > 0.6, name
    assert set(found[DIRECT]) == {QUESTIONS[0]}
    assert set(found[SHARE]) == {*QUESTIONS}
    for name in (SHARE, BG_NBD_GG):
        first, short, low = (found[name][each] for each in QUESTIONS)
        assert np.all(short <= first)
        assert np.all(low >= first)


def test_a_baseline_knows_nothing_of_later_orders() -> None:
    later = SHOP.day > AS_OF
    other = replace(SHOP, amount=np.where(later, 1e6, SHOP.amount)).until(AS_OF)
    one, two = (answers(each, AS_OF, BUYS, QUESTIONS[:1], 1) for each in (PAST, other))
    assert all(np.array_equal(one[n][QUESTIONS[0]], two[n][QUESTIONS[0]]) for n in one)


def test_attributes_have_a_forest_of_their_own() -> None:
    means = np.bincount(PAST.customer, PAST.amount) / PAST.order_count
    region = np.where(means > np.median(means), "north", "south")
    age = np.full(len(means), 40.0)
    table = AttributeTable.from_rows(
        PAST.customer_ids, np.full(len(means), ALWAYS), {"age": age}, {"region": region.tolist()}
    )
    with_facts = PAST.with_attributes(table)
    p = answers(with_facts, AS_OF, BUYS, QUESTIONS[:1], 1)[FOREST][QUESTIONS[0]]
    assert p[region == "north"].mean() > p[region == "south"].mean()
    assert len(np.unique(p)) <= 2  # it knows nothing else


def test_a_large_order_is_one_order_above_the_amount_within_the_days() -> None:
    orders = Histories.from_orders(
        ["a", "b", "c", "d", "e"],
        np.array([0, 1, 2, 3, 4, 4]),
        np.array([11, 100, 101, 10, 20, 30], np.int32),
        np.array([51.0, 51, 51, 51, 30, 30]),
    )
    assert large_orders(orders, ONE, 10).tolist() == [True, True, False, False, False]


def test_gamma_gamma_answers_as_drawing_amounts_does() -> None:
    model, random = GammaGamma(6.25, 3.74, 15.44), np.random.default_rng(0)
    count, mean, threshold = np.array([0.0, 3.0]), np.array([0.0, 60.0]), 45.0
    exact = _share_above(model, count, mean, threshold)
    for i in range(2):
        shape, rate = model.q + model.p * count[i], model.v + count[i] * mean[i]
        nu = random.gamma(shape, 1 / rate, 400_000)
        drawn = random.gamma(model.p, 1 / nu)
        assert exact[i] == pytest.approx((drawn > threshold).mean(), abs=0.004)


def test_few_orders_leave_the_fitted_baselines_out() -> None:
    few = Histories.from_orders(
        ["a", "b"], np.array([0, 1]), np.array([0, 5], np.int32), np.array([10.0, 20])
    )
    found = answers(few, 30, {30: np.array([0.1, 0.2])}, [Question(15.0, 30)], 1)
    assert list(found) == [SHARE]
