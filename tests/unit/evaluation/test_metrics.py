"""Every metric against its definition written out row by row, or another library's."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from ordergap.evaluation.metrics import (
    Column,
    Outcomes,
    Predicted,
    auc,
    brier,
    calibration,
    capped_mae,
    concordance,
    coverage_and_width,
    draws,
    evaluate,
    event_within,
    interval,
)
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
NOTHING = np.empty(0)
NEVER = np.empty(0, dtype=np.bool_)


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[Floats, Outcomes]:
    """Predictions and outcomes with many ties, on so few days that every edge is met."""
    n = draw(st.integers(0, 25))
    days = st.integers(0, 6).map(float)
    follow_up = draw(arrays(np.float64, n, elements=days))
    gap = draw(arrays(np.float64, n, elements=days))
    observed = gap <= follow_up
    predicted = draw(arrays(np.float64, n, elements=days | st.just(math.inf)))
    return predicted, Outcomes(np.minimum(gap, follow_up), observed, follow_up)


@st.composite
def probabilities(draw: st.DrawFn) -> tuple[Floats, Bools]:
    n = draw(st.integers(2, 40))
    tenths = draw(arrays(np.int64, n, elements=st.integers(0, 10)))
    event = draw(arrays(np.bool_, n))
    event[:2] = [True, False]
    return tenths / 10, event


def pairwise_concordance(predicted: Column, gap: Column, observed: Bools) -> float:
    right = 0.0
    comparable = 0
    for i in range(len(gap)):
        for j in range(len(gap)):
            i_is_shorter = gap[i] < gap[j] or (gap[i] == gap[j] and not observed[j])
            if observed[i] and i_is_shorter:
                comparable += 1
                if predicted[i] < predicted[j]:
                    right += 1
                elif predicted[i] == predicted[j]:
                    right += 0.5
    return right / comparable if comparable else math.nan


@given(outcomes())
def test_concordance_is_the_share_of_comparable_pairs_in_the_right_order(
    case: tuple[Floats, Outcomes],
) -> None:
    predicted, seen = case
    expected = pairwise_concordance(predicted, seen.gap, seen.observed)
    assert concordance(predicted, seen.gap, seen.observed) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_concordance_agrees_with_scikit_survival(seed: int) -> None:
    sksurv = pytest.importorskip("sksurv.metrics", reason="scikit-survival is not installed")
    random = np.random.default_rng(seed)
    gap = random.integers(1, 60, 1_000)
    predicted = np.round(gap * random.lognormal(size=1_000))
    observed = random.random(1_000) < 0.6
    expected = sksurv.concordance_index_censored(observed, gap, -predicted, tied_tol=0)[0]
    assert concordance(predicted, gap, observed) == pytest.approx(expected, abs=1e-12)


def test_concordance_of_twenty_thousand_rows_takes_a_blink() -> None:
    random = np.random.default_rng(1)
    gap, predicted = random.integers(1, 400, (2, 20_000))
    observed = random.random(20_000) < 0.7
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        value = concordance(predicted, gap, observed)
        seconds.append(time.perf_counter() - start)
    assert value == pytest.approx(0.5, abs=0.02)
    assert min(seconds) < 0.2


@given(outcomes(), st.integers(1, 6))
def test_capped_mae_averages_over_the_rows_followed_to_the_cap(
    case: tuple[Floats, Outcomes], cap: int
) -> None:
    predicted, seen = case
    errors = [
        abs(min(p, cap) - min(g, cap))
        for p, g, f in zip(predicted, seen.gap, seen.follow_up, strict=True)
        if f >= cap
    ]
    expected = sum(errors) / len(errors) if errors else math.nan
    assert capped_mae(predicted, seen.gap, seen.follow_up, cap) == pytest.approx(
        expected, nan_ok=True
    )


def test_capped_mae_does_not_move_when_the_data_end_earlier_but_after_the_cap() -> None:
    random = np.random.default_rng(2)
    gap = random.exponential(40, 500)
    predicted = random.exponential(40, 500)
    whole = capped_mae(predicted, gap, np.full(500, 1e9), cap=30)
    cut = capped_mae(predicted, np.minimum(gap, 30), np.full(500, 30.0), cap=30)
    assert cut == whole


@given(outcomes(), outcomes(), st.integers(1, 6))
def test_coverage_and_width_count_capped_intervals_with_both_ends_inside(
    case: tuple[Floats, Outcomes], other: tuple[Floats, Outcomes], cap: int
) -> None:
    n = min(len(case[0]), len(other[0]))
    low, high = np.sort([case[0][:n], other[0][:n]], axis=0)
    gap, follow_up = case[1].gap[:n], case[1].follow_up[:n]
    held = []
    widths = []
    for row in range(n):
        if follow_up[row] >= cap:
            left, right = min(low[row], cap), min(high[row], cap)
            held.append(left <= min(gap[row], cap) <= right)
            widths.append(right - left)
    expected = (np.mean(held), np.mean(widths)) if held else (math.nan, math.nan)
    assert coverage_and_width(low, high, gap, follow_up, cap) == pytest.approx(
        expected, nan_ok=True
    )


@given(outcomes(), st.integers(1, 6))
def test_events_are_orders_within_the_horizon_of_rows_followed_that_long(
    case: tuple[Floats, Outcomes], horizon: int
) -> None:
    seen = case[1]
    rows, event = event_within(seen.gap, seen.observed, seen.follow_up, horizon)
    for row in range(len(seen.gap)):
        assert rows[row] == (seen.follow_up[row] >= horizon)
        assert event[row] == (bool(seen.observed[row]) and seen.gap[row] <= horizon)


@given(probabilities())
def test_auc_agrees_with_scikit_learn(case: tuple[Floats, Bools]) -> None:
    assert auc(*case) == pytest.approx(roc_auc_score(case[1], case[0]))


@given(probabilities())
def test_brier_agrees_with_scikit_learn(case: tuple[Floats, Bools]) -> None:
    assert brier(*case) == pytest.approx(brier_score_loss(case[1], case[0]))


@given(probabilities(), st.integers(1, 12))
def test_calibration_bins_agree_with_scikit_learn(case: tuple[Floats, Bools], bins: int) -> None:
    probability, event = case
    error, table = calibration(probability, event, bins)
    observed, predicted = calibration_curve(event, probability, n_bins=bins)
    filled = table.rows > 0
    np.testing.assert_allclose(table.observed[filled], observed)
    np.testing.assert_allclose(table.predicted[filled], predicted)
    assert np.isnan(table.observed[~filled]).all()
    assert np.isnan(table.predicted[~filled]).all()
    assert len(table.rows) == bins
    assert table.rows.sum() == len(event)
    weights = table.rows[filled] / len(event)
    assert error == pytest.approx(float(weights @ np.abs(observed - predicted)))


def test_probabilities_that_come_true_as_often_as_they_say_are_calibrated() -> None:
    random = np.random.default_rng(3)
    probability = random.random(200_000)
    error, _ = calibration(probability, random.random(200_000) < probability)
    assert error < 0.01
    assert calibration(probability**3, random.random(200_000) < probability)[0] > 0.2


def test_evaluate_gives_every_metric_under_its_name() -> None:
    seen = Outcomes(
        gap=np.array([5, 40, 80, 10]),
        observed=np.array([True, True, False, False]),
        follow_up=np.array([90, 90, 80, 10]),
    )
    predicted = Predicted(
        median=np.array([8.0, 30.0, np.inf, 7.0]),
        low=np.array([2.0, 41.0, 50.0, 1.0]),
        high=np.array([9.0, 70.0, np.inf, 9.0]),
        probability={30: np.array([0.9, 0.4, 0.5, 0.8])},
    )
    # To 60 days three rows were followed: 3, 10 and 0 days off; the second interval misses. Four
    # pairs can be compared; the last row, cut off at 10 days, is predicted too early in one.
    assert evaluate(predicted, seen, cap=60) == pytest.approx(
        {
            "capped_mae": 13 / 3,
            "concordance": 3 / 4,
            "auc_30": 1.0,
            "brier_30": (0.01 + 0.16 + 0.25) / 3,
            "ece_30": (0.1 + 0.4 + 0.5) / 3,
            "coverage": 2 / 3,
            "width": (7 + 19 + 10) / 3,
            "rows": 3,
        }
    )


def test_evaluate_judges_every_horizon_under_its_name() -> None:
    seen = Outcomes(np.array([5.0, 9.0]), np.array([True, True]), np.array([20.0, 20.0]))
    half = np.array([0.9, 0.2])
    metrics = evaluate(Predicted(seen.gap, seen.gap, seen.gap, {3: half, 7: half}), seen, 10)
    assert metrics["auc_7"] == 1
    assert np.isnan(metrics["auc_3"])  # nothing ends so soon
    assert metrics["brier_7"] == pytest.approx(0.025)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 99))
def test_a_bootstrap_draws_whole_customers(groups: list[int], seed: int) -> None:
    customer = np.array(groups)
    for (rows,) in draws([customer], 3, seed):
        times = np.bincount(rows, minlength=len(groups))
        of_customer = {name: set(times[customer == name]) for name in set(groups)}
        assert all(len(counts) == 1 for counts in of_customer.values())
        assert sum(counts.pop() for counts in of_customer.values()) == len(set(groups))


def means(
    values: Column, customers: NDArray[np.generic], replicates: int, seed: int
) -> list[float]:
    return [float(values[rows].mean()) for (rows,) in draws([customers], replicates, seed)]


def test_a_bootstrap_of_customers_is_as_wide_as_the_customers_differ() -> None:
    # Rows of one customer are equal, so 400 rows are worth only their 100 customers.
    random = np.random.default_rng(4)
    values = np.repeat(random.normal(size=100), 4)
    names = np.repeat([f"c{i}" for i in range(100)], 4)
    low, high = interval(means(values, names, 2_000, seed=5), 0.9)
    expected = 1.645 * values.std() / math.sqrt(100)
    assert low == pytest.approx(values.mean() - expected, abs=0.03)
    assert high == pytest.approx(values.mean() + expected, abs=0.03)


def test_a_bootstrap_repeats_itself_with_its_seed_and_widens_with_its_level() -> None:
    values, customers = np.random.default_rng(6).normal(size=50), np.arange(50)
    drawn = means(values, customers, 200, seed=7)
    assert drawn == means(values, customers, 200, seed=7)
    assert drawn != means(values, customers, 200, seed=8)
    low, high = interval(drawn, 0.9)
    wide_low, wide_high = interval(drawn, 0.99)
    assert wide_low < low < high < wide_high


def test_replicates_in_which_a_metric_is_undefined_are_left_out() -> None:
    assert interval([math.nan, 1.0, 1.0, math.nan], 0.9) == (1, 1)
    assert np.isnan(interval([math.nan] * 5, 0.9)).all()


def test_without_rows_to_judge_a_metric_is_nan() -> None:
    one = np.array([5.0])
    yes = np.array([True])
    assert math.isnan(capped_mae(NOTHING, NOTHING, NOTHING, 60))
    assert math.isnan(capped_mae(one, one, one, 60))
    assert math.isnan(concordance(NOTHING, NOTHING, NEVER))
    assert math.isnan(concordance(one, one, yes))
    assert math.isnan(concordance(np.ones(2), np.array([3, 4]), np.array([False, False])))
    assert math.isnan(auc(NOTHING, NEVER))
    assert math.isnan(auc(one, yes))
    assert math.isnan(brier(NOTHING, NEVER))
    assert np.isnan(coverage_and_width(NOTHING, NOTHING, NOTHING, NOTHING, 60)).all()
    error, table = calibration(NOTHING, NEVER, bins=4)
    assert math.isnan(error)
    assert table.rows.tolist() == [0, 0, 0, 0]


def test_nan_is_refused_by_name() -> None:
    nan, one, yes = np.array([np.nan]), np.array([1.0]), np.array([True])
    with pytest.raises(ValueError, match="predicted has NaN"):
        capped_mae(nan, one, one, 60)
    with pytest.raises(ValueError, match="predicted has NaN"):
        concordance(nan, one, yes)
    with pytest.raises(ValueError, match="probability has NaN"):
        auc(nan, yes)
    with pytest.raises(ValueError, match="probability has NaN"):
        brier(nan, yes)
    with pytest.raises(ValueError, match="high has NaN"):
        coverage_and_width(one, nan, one, one, 60)
    with pytest.raises(ValueError, match="gap has NaN"):
        event_within(nan, yes, one, 30)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="columns of one length"):
        capped_mae(np.ones(3), np.ones(1), np.ones(3), 60)
    with pytest.raises(ValueError, match="columns of one length"):
        brier(np.ones((2, 2)), np.ones((2, 2), dtype=np.bool_))


@pytest.mark.parametrize(("gap", "observed"), [(31.0, True), (29.0, False)])
def test_outcomes_that_contradict_their_follow_up_are_refused(gap: float, observed: bool) -> None:
    with pytest.raises(ValueError, match="within its follow_up"):
        event_within(np.array([gap]), np.array([observed]), np.array([30.0]), 30)


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_outside_zero_to_one_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        brier(np.array([probability]), np.array([True]))
    with pytest.raises(ValueError, match="outside"):
        calibration(np.array([probability]), np.array([True]))
