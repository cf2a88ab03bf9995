"""Curves against a scalar reference that walks and bisects, and against closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap.survival.curve import Survival

Floats = NDArray[np.float64]
_FAR = 1e12  # days; the reference looks no further
levels = st.floats(0.01, 0.99)
waits = st.floats(0, 1000)


@st.composite
def curves(draw: st.DrawFn) -> Survival:
    """Up to four curves, some of them flat in places or to the end."""
    days = draw(st.lists(st.integers(1, 400), min_size=1, max_size=7, unique=True).map(sorted))
    falls = st.lists(st.sampled_from([0.0, 0.01, 0.3, 2.0]), min_size=len(days), max_size=len(days))
    fall = np.array(draw(st.lists(falls, min_size=1, max_size=4)))
    return Survival(np.array(days, float), -fall.cumsum(axis=1))


def log_s_at(days: Floats, log_s: Floats, t: float) -> float:
    """One curve at one day: a walk from knot to knot, then the line of log S over log t."""
    knots: list[tuple[float, float]] = [(0.0, 0.0)]
    knots += zip(days.tolist(), log_s.tolist(), strict=True)
    for (t0, y0), (t1, y1) in pairwise(knots):
        if t <= t1:
            return y0 + (y1 - y0) * (t - t0) / (t1 - t0)
    last_day, last = knots[-1]
    begin = next(k for k, (day, _) in enumerate(knots) if day >= last_day * 2 / 3)
    begin = min(begin, len(knots) - 2)
    day = knots[begin][0]
    hazard = (knots[begin][1] - last) / (last_day - day)
    middle = math.sqrt(day * last_day) if day else last_day
    return last - hazard * middle * math.log(t / last_day)


def first_day_below(days: Floats, log_s: Floats, target: float, start: float) -> float:
    """The first day from `start` on at which the curve has come down to `target`, by bisection."""
    low, high = start, 2 * (start + float(days[-1]))
    while log_s_at(days, log_s, high) > target:
        if high == _FAR:
            return _FAR
        low, high = high, min(2 * high, _FAR)
    for _ in range(200):
        middle = (low + high) / 2
        if log_s_at(days, log_s, middle) > target:
            low = middle
        else:
            high = middle
    return high


@given(curves(), st.floats(0, 2000))
def test_log_s_is_the_walk_from_knot_to_knot(survival: Survival, t: float) -> None:
    expected = [log_s_at(survival.days, row, t) for row in survival.log_s]
    np.testing.assert_allclose(survival.log_at(t), expected, rtol=1e-9, atol=1e-12)


@given(curves(), levels, waits)
def test_a_quantile_is_the_first_day_on_which_the_curve_is_so_low(
    survival: Survival, level: float, elapsed: float
) -> None:
    expected = [
        first_day_below(
            survival.days, row, log_s_at(survival.days, row, elapsed) + math.log1p(-level), elapsed
        )
        for row in survival.log_s
    ]
    near = np.minimum(survival.quantile(level, elapsed), _FAR)
    np.testing.assert_allclose(near, expected, rtol=1e-6)


@given(curves(), levels, waits)
def test_a_quantile_inverts_the_curve_and_never_lies_before_the_days_waited(
    survival: Survival, level: float, elapsed: float
) -> None:
    t = survival.quantile(level, elapsed)
    assert np.all(t >= elapsed)
    ends = np.isfinite(t)
    reached = survival.log_at(np.where(ends, t, 0.0)) - survival.log_at(elapsed)
    np.testing.assert_allclose(reached[ends], math.log1p(-level), rtol=1e-6)


@given(curves(), waits, st.lists(levels, min_size=2, max_size=5).map(sorted))
def test_quantiles_rise_with_their_level(
    survival: Survival, elapsed: float, rising: list[float]
) -> None:
    t = np.array([survival.quantile(level, elapsed) for level in rising])
    assert np.all(t[1:] >= t[:-1])


@given(curves(), waits, st.lists(st.floats(0, 3650), min_size=2, max_size=6).map(sorted))
def test_probabilities_lie_in_zero_to_one_and_rise_with_the_horizon(
    survival: Survival, elapsed: float, horizons: list[float]
) -> None:
    p = np.array([survival.probability_within(horizon, elapsed) for horizon in horizons])
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(p[1:] >= p[:-1] - 1e-12)


@given(curves(), levels, waits)
def test_within_the_days_up_to_a_quantile_the_probability_is_its_level(
    survival: Survival, level: float, elapsed: float
) -> None:
    left = survival.quantile(level, elapsed) - elapsed
    ends = np.isfinite(left)
    p = survival.probability_within(np.where(ends, left, 0.0), elapsed)
    np.testing.assert_allclose(p[ends], level, rtol=1e-6)


@given(curves(), st.data())
def test_every_curve_is_answered_as_if_it_were_alone(
    survival: Survival, data: st.DataObject
) -> None:
    n = len(survival)
    elapsed = np.array(data.draw(st.lists(waits, min_size=n, max_size=n)))
    level = np.array(data.draw(st.lists(levels, min_size=n, max_size=n)))
    together = survival.quantile(level, elapsed), survival.probability_within(30, elapsed)
    for row in range(n):
        alone = Survival(survival.days, survival.log_s[row : row + 1])
        assert alone.quantile(level[row], elapsed[row])[0] == together[0][row]
        assert alone.probability_within(30, elapsed[row])[0] == together[1][row]


@pytest.mark.parametrize("days", [[1.0], [7.0, 90.0], [1.0, 2.0, 5.0, 30.0, 31.0]])
def test_an_exponential_curve_has_no_memory_on_any_grid(days: list[float]) -> None:
    hazard = 0.02
    days = [*days, 1e5]
    survival = Survival(np.array(days), -hazard * np.array([days]))
    for elapsed in (0.0, 0.5, 6.0, 30.5, 90.0, 5000.0):
        assert survival.log_at(elapsed)[0] == pytest.approx(-hazard * elapsed)
        assert survival.quantile(0.5, elapsed)[0] - elapsed == pytest.approx(math.log(2) / hazard)
        p = survival.probability_within(45, elapsed)[0]
        assert p == pytest.approx(1 - math.exp(-hazard * 45))


@given(curves(), st.floats(1, 1000), st.floats(1, 1000))
def test_beyond_the_grid_equal_ratios_of_days_have_equal_chances(
    survival: Survival, further: float, ratio: float
) -> None:
    last = survival.days[-1]
    near, far = (survival.probability_within((ratio - 1) * t, t) for t in (last, last * further))
    np.testing.assert_allclose(near, far, rtol=1e-6, atol=1e-9)


def test_who_has_been_silent_for_fifteen_years_hardly_comes_back_within_a_month() -> None:
    survival = Survival(np.array([100.0, 200, 300]), np.array([[-0.5, -0.9, -1.2]]))
    assert survival.probability_within(30, 300.0)[0] > 0.06
    assert survival.probability_within(30, 15 * 365.0)[0] < 0.005


@pytest.mark.parametrize("shape", [0.6, 1.0, 1.7])
def test_a_weibull_curve_on_a_fine_grid_has_its_closed_form(shape: float) -> None:
    scale = 50.0
    days = np.arange(0.05, 300, 0.05)
    survival = Survival(days, -((days / scale) ** shape)[None])
    for elapsed in (0.0, 10.0, 80.0):
        waited = (elapsed / scale) ** shape
        for level in (0.1, 0.5, 0.9):
            t = scale * (waited - math.log1p(-level)) ** (1 / shape)
            if t < days[-1]:
                assert survival.quantile(level, elapsed)[0] == pytest.approx(t, rel=1e-3)
        p = 1 - math.exp(waited - ((elapsed + 30) / scale) ** shape)
        assert survival.probability_within(30, elapsed)[0] == pytest.approx(p, rel=1e-3)


def test_beyond_the_grid_falls_the_mean_hazard_of_the_last_third() -> None:
    days = np.arange(1.0, 301)
    survival = Survival(days, -((days / 100) ** 2)[None])
    exponent = (3**2 - 2**2) / 100 * math.sqrt(200 * 300)
    assert survival.log_at(400)[0] == pytest.approx(-9 - exponent * math.log(400 / 300))
    ratio = 2 ** (1 / exponent)
    assert survival.quantile(0.5, 300)[0] == pytest.approx(300 * ratio)
    assert survival.quantile(0.5, 1000)[0] == pytest.approx(1000 * ratio)


@pytest.mark.parametrize("days", [[10.0], [10.0, 20.0], [1.0, 10.0, 20.0]])
def test_a_curve_that_never_falls_never_ends(days: list[float]) -> None:
    survival = Survival(np.array(days), np.zeros((1, len(days))))
    for elapsed in (0, 10, 15, 99):
        assert survival.quantile(0.01, elapsed)[0] == math.inf
        assert survival.probability_within(3650, elapsed)[0] == 0


def test_a_curve_that_stops_falling_ends_only_above_its_plateau() -> None:
    survival = Survival(np.array([10.0, 20.0, 90.0, 100.0]), np.array([[-0.5, -1, -1, -1]]))
    assert survival.quantile(1 - math.exp(-0.75))[0] == pytest.approx(15)
    assert survival.quantile(0.9)[0] == math.inf
    assert survival.quantile(0.01, 20)[0] == math.inf


def test_a_flat_stretch_is_left_at_its_begin() -> None:
    survival = Survival(np.array([10.0, 20.0, 30.0]), np.array([[-1.0, -1.0, -2.0]]))
    assert survival.quantile(-math.expm1(-1.0))[0] == pytest.approx(10)
    assert survival.quantile(-math.expm1(-1.5))[0] == pytest.approx(25)
    assert survival.quantile(-math.expm1(-0.5), 15)[0] == pytest.approx(25)


def test_a_wait_of_centuries_is_answered() -> None:
    survival = Survival(np.array([30.0, 90.0]), np.array([[-1.0, -2.0], [-400.0, -800.0]]))
    elapsed = 1e6
    assert np.all(survival.quantile(0.5, elapsed) > elapsed)
    exponent = np.array([1 / 60, 400 / 60]) * math.sqrt(30 * 90)
    expected = -np.expm1(-exponent * np.log1p(30 / elapsed))
    np.testing.assert_allclose(survival.probability_within(30, elapsed), expected)


def test_no_curves_give_no_answers() -> None:
    nobody = Survival(np.array([1.0, 2.0]), np.empty((0, 2)))
    assert len(nobody) == 0
    assert len(nobody.quantile(0.5, np.empty(0))) == 0
    assert len(nobody.probability_within(30, np.empty(0))) == 0
