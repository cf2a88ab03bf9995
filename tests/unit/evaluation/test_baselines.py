"""Opponents that know the past alone, judged like any model."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from ordergap import features
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.evaluation.baselines import BASELINES, Baseline, BuyTillYouDie, OwnGap, RecencyOnly
from ordergap.histories import Histories
from ordergap.models.bg_nbd import fit
from ordergap.models.naive import FEATURES
from ordergap.survival.curve import Survival
from ordergap.survival.kaplan_meier import kaplan_meier
from ordergap.survival.targets import gaps_at_order, order_gaps, waits_at_cutoff
from ordergap.trainers.base import FitRequest, Sample
from ordergap.trainers.naive import NaiveTrainer
from scipy.stats import spearmanr

from tests.trained import judge

CUTOFF, END = 300, 400

every_baseline = pytest.mark.parametrize("name", BASELINES)


@cache
def shop() -> Histories:
    """400 customers who each keep to a rate of their own, and leave by a coin."""
    random = np.random.default_rng(3)
    orders: list[tuple[int, int]] = []
    for customer in range(400):
        day, mean = float(random.integers(0, 200)), 3 + random.gamma(1.5, 20)
        while day <= END:
            orders.append((customer, int(day)))
            day += 1 + random.exponential(mean)
            if random.random() < 0.05:
                break
    owner, days = np.array(orders).T
    names = [f"c{i:03}" for i in range(400)]
    return Histories.from_orders(names, owner, days.astype(np.int32), np.ones(len(days)))


@cache
def learnt(name: str) -> Baseline:
    past = shop().until(CUTOFF)
    return BASELINES[name](past, order_gaps(past, CUTOFF), CUTOFF)


@every_baseline
def test_every_baseline_is_judged_and_about_right_in_both_protocols(name: str) -> None:
    sides = waits_at_cutoff(shop(), CUTOFF, END), gaps_at_order(shop(), CUTOFF, END)
    for targets, cap in zip(sides, (100, 64), strict=True):
        survival = learnt(name).survival(shop(), targets)
        judged = judge(survival, targets, 0.8, cap)
        assert np.isfinite(list(judged.values())).all()
        assert judged["concordance"] >= 0.5
        assert judged["capped_mae"] < 30
        came = targets.observed & (targets.gap - targets.left_truncation <= 30)
        whole = targets.follow_up - targets.left_truncation >= 30
        expected = survival.probability_within(30, targets.left_truncation)[whole].mean()
        assert expected == pytest.approx(came[whole].mean(), abs=0.1)


@every_baseline
def test_curves_start_at_1_and_never_rise(name: str) -> None:
    for targets in (waits_at_cutoff(shop(), CUTOFF, END), gaps_at_order(shop(), CUTOFF, END)):
        survival = learnt(name).survival(shop(), targets)
        assert (np.diff(survival.days, prepend=0) > 0).all()
        assert (np.diff(survival.log_s, axis=1, prepend=0) <= 1e-12).all()
        assert np.isfinite(survival.log_s).all()


@every_baseline
def test_gaps_at_order_the_one_that_is_asked_about_change_nothing(name: str) -> None:
    past = shop().until(CUTOFF)
    now, later = waits_at_cutoff(past, CUTOFF, CUTOFF), waits_at_cutoff(shop(), CUTOFF, END)
    assert (past.day[now.row] == shop().day[later.row]).all()
    of_past, of_all = (learnt(name).survival(*each) for each in ((past, now), (shop(), later)))
    assert (of_past.log_s == of_all.log_s).all()


@every_baseline
def test_the_smallest_shop_that_can_be_learnt_from_is_enough(name: str) -> None:
    days = np.array([0, 9, 3], np.int32)
    histories = Histories.from_orders(["a", "b"], np.array([0, 0, 1]), days, np.ones(3))
    targets = order_gaps(histories, 12)
    baseline = BASELINES[name](histories, targets, 12)
    waits = waits_at_cutoff(histories, 12, 12)
    assert np.isfinite(baseline.survival(histories, waits).log_s).all()


def test_the_mean_gap_is_what_the_naive_model_says() -> None:
    past = shop().until(CUTOFF)
    targets = order_gaps(past, CUTOFF)
    matrix = features.compute(past, FEATURES)
    sample = Sample(matrix, targets.gap, targets.observed, targets.left_truncation)
    baseline = learnt("customer mean gap")
    assert isinstance(baseline, OwnGap)
    naive = (
        NaiveTrainer(Hyperparameters(), calendar=False).fit(FitRequest(sample, baseline.days)).model
    )
    np.testing.assert_array_equal(
        baseline.survival(past, targets).log_s, naive.survival(matrix).log_s
    )


def test_the_median_gap_stretches_one_curve() -> None:
    later = gaps_at_order(shop(), CUTOFF, END)
    survival = learnt("customer median gap").survival(shop(), later)
    own = []
    for row in later.row:
        mine = shop().day[
            (shop().customer == shop().customer[row]) & (shop().day <= shop().day[row])
        ]
        own.append(np.median(np.diff(mine)) if len(mine) > 1 else np.nan)
    known = np.isfinite(own)
    ratio = survival.quantile(0.5)[known] / np.maximum(np.array(own)[known], 1)
    inside = survival.quantile(0.5)[known] < survival.days[-1] / 2
    assert ratio[inside] == pytest.approx(np.median(ratio), rel=0.05)


def test_kaplan_meier_is_one_curve_through_the_estimate() -> None:
    past = shop().until(CUTOFF)
    targets = order_gaps(past, CUTOFF)
    survival = learnt("Kaplan-Meier").survival(past, targets)
    assert (survival.log_s == survival.log_s[0]).all()
    days, estimate = kaplan_meier(targets.gap, targets.observed)
    found = np.exp(Survival(survival.days, survival.log_s[:1]).log_at(days[:, None]))[:, 0]
    assert np.abs(found - estimate).max() < 0.02


def test_recency_ranks_by_the_days_waited() -> None:
    waits = waits_at_cutoff(shop(), CUTOFF, END)
    survival = learnt("recency only").survival(shop(), waits)
    left = survival.quantile(0.5, waits.left_truncation) - waits.left_truncation
    waited = waits.left_truncation > 0
    assert spearmanr(left[waited], waits.left_truncation[waited]).statistic > 0.999


def test_recency_has_one_curve_of_the_wait_to_come() -> None:
    waits = waits_at_cutoff(shop(), CUTOFF, END)
    waits = waits[waits.left_truncation > 0]
    baseline = learnt("recency only")
    assert isinstance(baseline, RecencyOnly)
    survival = baseline.survival(shop(), waits)
    point = waits.left_truncation + baseline.at_order.typical
    one = Survival(
        baseline.ratio, np.broadcast_to(baseline.log_s, (len(waits), len(baseline.ratio)))
    )
    for share in (0.3, 1.0, 2.0):
        found = survival.probability_within(share * point, waits.left_truncation)
        inside = (
            waits.left_truncation + share * point < survival.days[-1]
        )  # beyond, the hazard stays
        assert found[inside] == pytest.approx(one.probability_within(share)[inside], abs=0.02)


def test_at_an_order_recency_says_what_kaplan_meier_says() -> None:
    later = gaps_at_order(shop(), CUTOFF, END)
    one, other = (learnt(name).survival(shop(), later) for name in ("recency only", "Kaplan-Meier"))
    assert (one.log_s == other.log_s).all()


def test_bg_nbd_learns_from_the_last_orders_and_is_told_how_long_the_customer_has_waited() -> None:
    waits = waits_at_cutoff(shop(), CUTOFF, END)
    baseline = learnt("BG/NBD")
    assert isinstance(baseline, BuyTillYouDie)
    first = shop().day[shop().offsets[:-1]][shop().customer[waits.row]]
    recency = (shop().day[waits.row] - first).astype(float)
    frequency = (waits.row - shop().offsets[:-1][shop().customer[waits.row]]).astype(float)
    age = (CUTOFF - first).astype(float)
    assert baseline.model == fit(frequency, recency, age)
    log_s = baseline.model.log_survival(frequency, recency, age, np.array([30.0]))
    found = baseline.survival(shop(), waits).probability_within(30, waits.left_truncation)
    assert found == pytest.approx(1 - np.exp(log_s[:, 0]), abs=1e-3)


def test_knowing_the_customer_beats_knowing_the_crowd() -> None:
    later = gaps_at_order(shop(), CUTOFF, END)
    mae = {
        name: judge(learnt(name).survival(shop(), later), later, 0.8, 64)["capped_mae"]
        for name in BASELINES
    }
    assert mae["BG/NBD"] < mae["customer mean gap"] < mae["Kaplan-Meier"]
