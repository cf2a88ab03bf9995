"""Metrics of value against scikit-learn and plain loops, and baselines against what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.metrics import MODEL
from ordergap.evaluation.value import (
    METRICS,
    Guess,
    ValueEvaluation,
    decile_error,
    deviance_explained,
    gini,
    pinball,
    spent,
    top_decile,
)
from ordergap.evaluation.value_baselines import (
    BG_NBD_GG,
    BUYERS_ONLY,
    LAST_DAYS,
    MEAN_RATE,
    TEXTBOOK,
    baselines,
)
from ordergap.histories import Histories
from sklearn.metrics import d2_tweedie_score, mean_pinball_loss

from tests.shop import shop, with_free_orders


def made_up(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    came = random.gamma(0.5, 100, count) * (random.random(count) < 0.6)
    came[0] += 1  # somebody buys
    return random.gamma(1, 50, count).round(random.integers(-1, 3)) + 1, came


cases = st.builds(made_up, st.integers(0, 10_000), st.integers(2, 60))


@given(cases, st.floats(1.05, 1.95), st.floats(0.05, 0.95))
def test_deviance_and_pinball_are_those_of_scikit_learn(
    case: tuple[np.ndarray, np.ndarray], power: float, level: float
) -> None:
    value, came = case
    if np.ptp(came):
        expected = d2_tweedie_score(came, np.maximum(value, came.mean() / 1000), power=power)
        assert deviance_explained(value, came, power) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert pinball(value, came, level) == pytest.approx(mean_pinball_loss(came, value, alpha=level))


def test_a_forecast_of_nothing_is_taken_as_a_thousandth_of_the_mean() -> None:
    came = np.array([0.0, 0.0, 30.0])
    assert deviance_explained(np.zeros(3), came, 1.5) == pytest.approx(
        deviance_explained(np.full(3, 0.01), came, 1.5)
    )


def area(value: np.ndarray, came: np.ndarray) -> float:
    """Between the gain chart and the diagonal; customers forecast alike stand in no order."""
    points, x, y = [(0.0, 0.0)], 0.0, 0.0
    for level in sorted({*value.tolist()}, reverse=True):
        x += (value == level).sum() / len(came)
        y += came[value == level].sum() / came.sum()
        points.append((x, y))
    xs, ys = np.array(points).T
    return float(np.trapezoid(ys, xs) - 0.5)


@given(cases)
def test_gini_is_the_area_of_the_gain_chart_over_that_of_the_perfect_one(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    value, came = case
    if np.ptp(came):
        assert gini(value, came) == pytest.approx(area(value, came) / area(came, came), abs=1e-9)
        assert gini(came, came) == pytest.approx(1)
        assert gini(np.ones(len(came)), came) == pytest.approx(0, abs=1e-9)
        assert gini(3 * value, came) == pytest.approx(gini(value, came))


def test_the_top_tenth_and_the_deciles_count_customers() -> None:
    value, came = np.arange(20.0) + 1, np.zeros(20)
    came[[19, 18, 0]] = 60, 20, 20
    assert top_decile(value, came) == pytest.approx(0.8)
    assert decile_error(came * 3, came) == pytest.approx(0)
    assert decile_error(20 - value + 1, came) > 1


def test_spending_is_of_the_days_after_one_and_until_another() -> None:
    day = np.array([1, 5, 6, 10, 11, 6], np.int32)
    orders = Histories.from_orders(
        ["a", "b", "late"], np.array([0, 0, 0, 0, 0, 2]), day, np.array([1.0, 2, 4, 8, 16, 99])
    )
    orders = orders.of(np.array([True, False, True]))
    amount, count = spent(orders, orders.until(5), 5, 10)
    assert (amount.tolist(), count.tolist()) == ([12.0], [2.0])


def evaluation(value: np.ndarray, came: np.ndarray) -> ValueEvaluation:
    guesses = {
        MODEL: Guess(value, 1 / (1 + value), value / 2, value * 2),
        "plain": Guess(value),
    }
    return ValueEvaluation(
        np.arange(len(came)), {}, came, came > 0, guesses, 1.5, 0.8, 90, float(came.sum())
    )


@given(cases, st.integers(0, 1000))
def test_rows_drawn_again_are_judged_as_if_there_were_no_others(
    case: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    value, came = case
    rows = np.random.default_rng(seed).integers(0, len(came), len(came))
    for name in (MODEL, "plain"):
        found = evaluation(value, came).metrics(name, rows)
        alone = evaluation(value[rows], came[rows]).metrics(name)
        assert list(found) == list(METRICS)
        assert [*found.values()] == pytest.approx([*alone.values()], nan_ok=True)


def test_the_share_inside_the_interval_and_the_brier_score() -> None:
    found = evaluation(np.array([1.0, 1, 1, 1]), np.array([0.0, 0.5, 2, 3])).metrics(MODEL)
    assert found["coverage"] == 0.5
    assert found["brier_none"] == 0.25
    assert found["total"] == pytest.approx(4 / 5.5)
    assert found["mae"] == pytest.approx((1 + 0.5 + 1 + 2) / 4)
    assert found["rmse"] == pytest.approx(np.sqrt((1 + 0.25 + 1 + 4) / 4))
    plain = evaluation(np.ones(2), np.ones(2)).metrics("plain")
    assert np.isnan([plain["coverage"], plain["pinball"], plain["brier_none"]]).all()


def test_where_nobody_spent_nothing_is_judged() -> None:
    found = evaluation(np.ones(3), np.zeros(3)).metrics(MODEL)
    assert np.isnan([*found.values()]).all()


@pytest.mark.parametrize("orders", [shop(120), with_free_orders(shop(120))])
def test_baselines_answer_for_everybody(orders: Histories) -> None:
    as_of = int(orders.day.max()) - 90
    past = orders.until(as_of)
    guesses = baselines(past, as_of, 60, 1)
    assert list(guesses) == [LAST_DAYS, MEAN_RATE, BG_NBD_GG, TEXTBOOK, BUYERS_ONLY]
    for guess in guesses.values():
        assert guess.value.shape == (len(past.customer_ids),)
        assert np.all(np.isfinite(guess.value) & (guess.value >= 0))
    window, _ = spent(past, past, as_of - 60, as_of)
    assert guesses[LAST_DAYS].value.tolist() == window.tolist()
    came, _ = spent(orders, past, as_of, as_of + 60)
    assert gini(guesses[BG_NBD_GG].value, came) > 0.5
    assert deviance_explained(guesses[TEXTBOOK].value, came, 1.5) > 0.2


def test_the_mean_rate_of_a_new_customer_is_of_a_whole_window() -> None:
    day = np.array([0, 90, 100], np.int32)
    past = Histories.from_orders(["old", "new"], np.array([0, 0, 1]), day, np.array([40.0, 60, 30]))
    assert baselines(past, 100, 50, 1)[MEAN_RATE].value.tolist() == [50.0, 30.0]


def test_what_is_learnt_needs_customers_of_a_window_ago() -> None:
    orders = shop(120)
    first = int(orders.day.min())
    past = orders.until(first + 70)
    guesses = baselines(past, first + 70, 90, 1)
    assert TEXTBOOK not in guesses
    assert BUYERS_ONLY not in guesses
