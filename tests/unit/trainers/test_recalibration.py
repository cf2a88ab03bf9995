"""The correction of long waits: zero where it should be, and what the rows say where it should."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from ordergap.hosts import ALONE
from ordergap.models.recalibration import FREQUENT, Float, Recalibration, middles, terms
from ordergap.trainers.recalibration import recalibrate
from scipy.special import expit, logit

WAITED = np.array([1.0, 10, 40, 100, 300, 1e5])
COEFFICIENTS = np.linspace(-1, 1, 14)


def by_slice(
    order_count: Float, tenure: Float, waited: Float
) -> Callable[[slice], tuple[Float, Float, Float]]:
    return lambda some: (order_count[some], tenure[some], waited[some])


def test_customers_with_one_order_are_left_alone() -> None:
    correction = Recalibration(30.0, COEFFICIENTS)
    assert not correction(np.ones(2), np.zeros(2), WAITED).any()


def test_waits_within_the_usual_gap_are_left_alone() -> None:
    correction = Recalibration(30.0, COEFFICIENTS)(np.array([6.0]), np.array([100.0]), WAITED)
    assert not correction[0, WAITED <= 20].any()  # mean gap 20, typical 30
    assert correction[0, WAITED > 20].all()


def test_beyond_a_bound_the_correction_stays_as_it_is() -> None:
    far = np.array([1e5, 1e6, 1e9])
    (row,) = Recalibration(30.0, COEFFICIENTS)(np.array([6.0]), np.array([100.0]), far)
    assert row.tolist() == [row[0]] * 3


def test_the_frequent_have_lines_of_their_own() -> None:
    few, many = (
        np.stack(terms(np.array([orders]), np.array([100.0]), np.array([200.0]), 30.0))
        for orders in (FREQUENT - 1.0, float(FREQUENT))
    )
    assert few[:7].any()
    assert not few[7:].any()
    assert np.array_equal(many[:7], many[7:])


def test_where_the_tenure_is_unknown_only_the_typical_gap_counts() -> None:
    correction = Recalibration(30.0, COEFFICIENTS)
    unknown = correction(np.array([3.0]), np.array([np.nan]), WAITED)
    assert np.isfinite(unknown).all()
    assert not unknown[0, WAITED <= 30].any()


def test_it_is_written_and_read() -> None:
    correction = Recalibration(30.0, COEFFICIENTS)
    again = Recalibration.parse(json.loads(json.dumps(correction.content())))
    arguments = np.array([3.0, 9]), np.array([50.0, 50]), WAITED
    assert np.array_equal(correction(*arguments), again(*arguments))


def test_a_bin_is_waited_until_its_middle() -> None:
    assert middles(np.array([2.0, 10, 20])).tolist() == [1, 6, 15]


def test_rows_that_the_trees_got_right_are_hardly_corrected_and_wrong_ones_are() -> None:
    random = np.random.default_rng(0)
    n = 40_000
    order_count = random.integers(1, 12, n).astype(float)
    tenure = order_count * 10
    waited = random.choice([5.0, 50, 150, 300], n)
    margin = np.full(n, logit(0.1))
    silent = (order_count >= FREQUENT) & (waited >= 150)
    truth = np.where(silent, 0.02, 0.1)
    label = random.random(n) < truth
    rows = by_slice(order_count, tenure, waited)
    correction = recalibrate(rows, margin, label, np.ones(n), 30.0, ALONE)
    columns = terms(order_count, tenure, waited, 30.0)
    corrected = expit(margin + correction.coefficients @ np.stack(columns))
    assert corrected[silent].mean() == pytest.approx(0.02, abs=0.005)
    assert corrected[~silent].mean() == pytest.approx(0.1, abs=0.005)
    assert corrected[order_count == 1] == pytest.approx(0.1)


def test_blocks_of_rows_do_not_change_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    orders = random.integers(2, 9, 500).astype(np.float64)
    rows = by_slice(orders, random.random(500) * 90 + 9, random.random(500) * 200)
    label = random.random(500) < 0.2
    fits = []
    for block in (1 << 17, 37):
        monkeypatch.setattr("ordergap.trainers.recalibration._BLOCK", block)
        fits.append(recalibrate(rows, np.zeros(500), label, np.ones(500), 30.0, ALONE))
    whole, in_blocks = (fit.coefficients for fit in fits)
    np.testing.assert_allclose(in_blocks, whole, rtol=1e-6, atol=1e-9)
