"""Level, rank and ageing of stored forecasts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.evaluation.cohorts import (
    SEASON,
    Rank,
    ageing,
    allowance,
    at_level,
    auc_error,
    level,
    rank,
)

chances = st.lists(st.floats(0.001, 0.999), min_size=2, max_size=60).map(np.array)


def drawn(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Chances, and events that come as often as they say."""
    random = np.random.default_rng(seed)
    p = random.beta(0.5, 3, n)
    return p, random.random(n) < p


@given(chances, st.integers(0, 2**32 - 1))
def test_the_level_is_its_formula(p: np.ndarray, seed: int) -> None:
    event = np.random.default_rng(seed).random(len(p)) < p
    came, foreseen = sum(map(bool, event)), math.fsum(p)
    variance = math.fsum(each * (1 - each) for each in p.tolist()) / foreseen**2 + 0.15**2
    found = level(p, event, 30)
    assert found.came == came
    assert found.foreseen == pytest.approx(foreseen)
    assert found.z == pytest.approx(math.log((came or 0.5) / foreseen) / math.sqrt(variance))


def test_the_level_stays_quiet_in_a_season_and_sounds_beyond_it() -> None:
    p, event = drawn(1)
    assert abs(level(p, event, 7).z) < 1
    assert abs(level(p / 1.35, event, 7).z) < 3 < abs(level(p / 2.2, event, 7).z)
    assert level(p, np.zeros(len(p), bool), 7).z < -10
    assert math.isnan(level(np.zeros(3), np.zeros(3, bool), 7).z)


def test_the_allowance_is_between_those_that_were_measured() -> None:
    assert [allowance(days) for days in (1, 7, 30, 90)] == [0.2, 0.2, 0.15, 0.15]
    assert SEASON[30] < allowance(14) < SEASON[7]


def test_the_error_of_an_auc_is_how_much_it_varies() -> None:
    """Of exponential scores, for which the formula is exact."""
    random = np.random.default_rng(0)
    mean, events, others = 4.0, 20, 35  # so the area is 4 / 5
    scores = random.exponential(mean, (4000, events, 1)), random.exponential(1, (4000, 1, others))
    areas = (scores[0] > scores[1]).mean(axis=(1, 2))
    assert auc_error(0.8, events, others) == pytest.approx(areas.std(), rel=0.05)
    assert math.isnan(auc_error(0.9, 0, 5))
    assert math.isnan(auc_error(0.9, 5, 0))


def test_the_rank_is_beside_that_of_the_validation() -> None:
    p, event = drawn(2)
    found = rank(p, event, 0.7)
    assert found.auc == pytest.approx((p[event][:, None] > p[~event]).mean())
    assert found.difference == pytest.approx(found.auc - 0.7)
    assert found.z == pytest.approx(found.difference / found.error)
    assert math.isnan(rank(p, event, math.nan).z)
    beside = found.beside([Rank(0.8, 0.03, math.nan), Rank(0.7, 0.05, math.nan)])
    assert beside.auc == found.auc
    assert beside.difference == pytest.approx(found.auc - 0.75)
    assert beside.error == pytest.approx(math.hypot(found.error, 0.04))


@given(chances, st.floats(0.01, 0.99))
def test_forecasts_are_shifted_to_a_level_in_their_sequence(p: np.ndarray, share: float) -> None:
    shifted = at_level(p, share)
    assert shifted.mean() == pytest.approx(share, abs=1e-9)
    assert np.all(np.diff(shifted[np.argsort(p, kind="stable")]) >= 0)


@given(st.floats(0.05, 0.9), st.integers(0, 50))
def test_ageing_does_not_see_the_level(share: float, seed: int) -> None:
    p, event = drawn(seed, 500)
    other = np.clip(p + np.random.default_rng(seed).normal(0, 0.1, 500), 0.001, 0.999)
    p = np.clip(p, 0.001, 0.999)
    plain = ageing(p, other, event)
    moved = ageing(at_level(p, share), at_level(other, share / 2), event)
    assert moved.difference == pytest.approx(plain.difference, abs=1e-6)
    assert moved.z == pytest.approx(plain.z, abs=1e-3)
    assert ageing(other, p, event).difference == pytest.approx(-plain.difference)


def test_ageing_is_above_0_where_the_champion_is_worse() -> None:
    p, event = drawn(3)
    noisy = np.random.default_rng(0).permutation(p)
    assert ageing(noisy, p, event).z > 3
    assert math.isnan(ageing(p, p, event).z)
    assert math.isnan(ageing(p, noisy, np.ones(len(p), bool)).z)
