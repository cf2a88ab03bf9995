"""How much each feature speaks for an order: Shapley values, and what they add up to."""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap import features
from ordergap.contract.hyperparameters import parse
from ordergap.histories import Histories
from ordergap.models.bg_nbd import BgNbd, Start
from ordergap.models.contributions import of_customer_and_waiting
from ordergap.models.recalibration import Recalibration, middles
from ordergap.models.xgboost import BoosterModel, HazardModel, SquaredErrorModel, predict
from ordergap.survival.targets import order_gaps
from ordergap.tasks import next_order_rows as rows
from ordergap.trainers.base import FitRequest, time_grid
from ordergap.trainers.factory import make_trainer
from ordergap.trainers.vector_leaves import with_vector_leaves

from tests.shop import shop

Float = NDArray[np.float64]
DAYS = np.array([5.0, 12.0, 30.0, 60.0])
NAMES = ("order_count", "tenure", "amount")
START = Start(BgNbd(0.8, 30.0, 0.9, 2.5), -1.3)
NONE = np.zeros(14)
SOME = np.random.default_rng(3).normal(size=14) / 5
AT_RISK = np.array([0.5, 0.3, 0.15, 0.05])
MEAN_LOG_BIN = float(AT_RISK @ np.log([5.0, 7.0, 18.0, 30.0]))


def hazard(
    seed: int,
    depth: int = 3,
    coefficients: Float = NONE,
    trees: int = 4,
    forest: int = 1,
    start: Start | None = None,
) -> tuple[HazardModel, xgboost.Booster, NDArray[np.float32]]:
    """A small model, its trees as fitted, and customers with orders, tenure and amount."""
    random = np.random.default_rng(seed)
    customers = np.column_stack([
        random.integers(1, 9, 150), random.integers(0, 300, 150), random.normal(50, 20, 150),
    ]).astype(np.float32)  # fmt: skip
    customers[random.random(customers.shape) < 0.1] = np.nan
    bins = len(DAYS)
    matrix = np.column_stack([np.repeat(customers, bins, axis=0), np.tile(np.arange(bins), 150)])
    odds = np.nan_to_num(matrix[:, 0]) / 4 - 1 + np.nan_to_num(matrix[:, 2]) * matrix[:, -1] / 200
    label = random.random(len(matrix)) < 1 / (1 + np.exp(1 - odds))
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "max_depth": depth,
            "num_parallel_tree": forest,
            "subsample": 0.7,
            "seed": seed,
        },
        xgboost.DMatrix(matrix, label=label),
        trees,
    )
    written = json.dumps(with_vector_leaves(json.loads(booster.save_raw("json")), bins))
    model = HazardModel(
        xgboost.Booster(model_file=bytearray(written.encode())),
        NAMES,
        {
            "days": DAYS.tolist(),
            "recalibration": Recalibration(20.0, coefficients).content(),
            "start": start.content() if start else None,
            "start_mean": [-1.0, -0.8, -0.9, -1.2] if start else None,
            "at_risk": AT_RISK.tolist(),
        },
        bytes(booster.save_raw("ubj")),
    )
    return model, booster, customers


def expectation(tree: Mapping[str, Any], row: Float, known: set[int], node: int = 0) -> float:
    """What a tree says on average where only some columns are known: as its training rows fell."""
    left, right = tree["left_children"][node], tree["right_children"][node]
    if left == -1:
        return float(tree["split_conditions"][node])
    column = tree["split_indices"][node]
    if column in known:
        goes_left = (
            bool(tree["default_left"][node])
            if np.isnan(row[column])
            else np.float32(row[column]) < np.float32(tree["split_conditions"][node])
        )
        return expectation(tree, row, known, left if goes_left else right)
    below = {child: expectation(tree, row, known, child) for child in (left, right)}
    return float(np.average(list(below.values()), weights=[tree["sum_hessian"][c] for c in below]))


def shapley(booster: xgboost.Booster, row: Float) -> Float:
    """(c,) Shapley values of the columns, from all subsets of them."""
    trees = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    every = set(range(len(row)))

    def value(known: set[int]) -> float:
        return math.fsum(expectation(tree, row, known) for tree in trees)

    shares = np.zeros(len(row))
    for column in every:
        others = every - {column}
        for size in range(len(row)):
            share = 1 / (len(row) * math.comb(len(row) - 1, size))
            for known in itertools.combinations(others, size):
                shares[column] += share * (value({*known, column}) - value({*known}))
    return shares


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.sampled_from([NONE, SOME]))
def test_contributions_in_a_bin_are_shapley_values_and_the_recalibration(
    seed: int, depth: int, coefficients: Float
) -> None:
    model, booster, customers = hazard(seed, depth, coefficients, trees=2)
    some = customers[:4]
    correction = Recalibration(20.0, coefficients)(
        some[:, 0].astype(float), some[:, 1].astype(float), middles(DAYS)
    )
    for j in range(len(DAYS)):
        found = model.shares(some, np.full(len(some), j))
        for i, row in enumerate(some):
            expected = shapley(booster, np.append(row, j).astype(float))
            expected[-1] += correction[i, j]
            np.testing.assert_allclose(found[i, :-1], expected, atol=1e-5)


@pytest.mark.parametrize(("trees", "forest"), [(30, 1), (1, 30)])
@pytest.mark.parametrize("coefficients", [NONE, SOME])
@pytest.mark.parametrize("start", [None, START])
def test_contributions_in_a_bin_add_up_to_its_log_odds(
    trees: int, forest: int, coefficients: Float, start: Start | None
) -> None:
    model, _, customers = hazard(1, 4, coefficients, trees, forest, start)
    customers = customers[~np.isnan(customers).any(axis=1)]
    for j in range(len(DAYS)):
        shares = model.shares(customers, np.full(len(customers), j))
        np.testing.assert_allclose(
            shares.sum(axis=1), model.log_odds(customers)[:, j], rtol=0, atol=2e-5
        )
        assert np.ptp(shares[:, -1]) == 0  # the constant is one
    # and these are the log odds that the curve is made of
    curve = -np.logaddexp(0.0, model.log_odds(customers)).cumsum(axis=1)
    np.testing.assert_allclose(model.survival(customers).log_s, curve)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 59), st.integers(1, 60), st.sampled_from([NONE, SOME]))
def test_contributions_in_a_window_add_up_to_the_log_of_its_mean_odds_by_the_day(
    elapsed: int, horizon: int, coefficients: Float
) -> None:
    model, _, customers = hazard(2, coefficients=coefficients)
    horizon = min(horizon, int(DAYS[-1]) - elapsed)
    shares = model.contributions(customers, np.full(len(customers), elapsed), horizon)
    odds = np.exp(model.log_odds(customers)) / np.diff(DAYS, prepend=0.0)
    days = [np.searchsorted(DAYS, day) for day in range(elapsed + 1, elapsed + horizon + 1)]
    daily = odds[:, days].mean(axis=1)
    constant = model.shares(customers[:1], np.array([0]))[0, -1]
    np.testing.assert_allclose(
        shares.sum(axis=1) + constant, np.log(daily) + MEAN_LOG_BIN, rtol=0, atol=2e-5
    )


def test_a_start_is_of_the_customer_at_an_order_and_of_the_waiting_from_there_on() -> None:
    values = np.random.default_rng(5).normal(size=(7, 4))
    found = np.array(
        [
            of_customer_and_waiting(values, np.full(7, j), values.mean(axis=0), AT_RISK)
            for j in range(4)
        ]
    )  # (4 bins, 3 parts, 7 customers)
    np.testing.assert_allclose(found.sum(axis=1), values.T)
    customer, waiting, constant = found.transpose(1, 0, 2)
    assert (np.ptp(customer, axis=0) == 0).all()  # whatever the bin
    np.testing.assert_allclose(customer[0] - customer[0, 0], values[:, 0] - values[0, 0])
    assert np.ptp(constant) == 0
    # each is beside a mean: that of customers, and that of rows at risk
    np.testing.assert_allclose(customer.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(AT_RISK @ waiting.mean(axis=1), 0, atol=1e-12)


def test_beyond_the_grid_the_days_waited_speak_ever_more_against_an_order() -> None:
    model, _, customers = hazard(2)
    waits = [np.full(len(customers), days) for days in (100, 200, 400)]
    near, far, farther = (model.contributions(customers, wait, 7) for wait in waits)
    np.testing.assert_allclose(near[:, :-1], far[:, :-1], atol=1e-9)
    # the tail's hazard is p / t
    expected = np.log(np.log(207 / 200) / np.log(107 / 100))
    np.testing.assert_allclose(far[:, -1] - near[:, -1], expected, atol=1e-9)
    assert (farther[:, -1] < far[:, -1]).all()


def test_what_makes_an_order_likelier_is_above_0() -> None:
    """With one split on a feature there is nothing else that a probability could come from."""
    model, booster, customers = hazard(4, depth=1, trees=1)
    (tree,) = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    column = tree["split_indices"][0]
    assert column < len(NAMES)
    waited = np.full(len(customers), 6)
    shares = model.contributions(customers, waited, 7)
    chance = model.survival(customers).probability_within(7, waited)
    high = chance > chance.mean()
    assert 0 < high.sum() < len(high)
    assert (shares[high, column] > 0).all()
    assert (shares[~high, column] < 0).all()
    others = [c for c in range(len(NAMES)) if c != column]
    assert not shares[:, others].any()
    assert np.ptp(shares[:, -1]) == pytest.approx(0, abs=1e-12)  # all have waited the same


def test_without_customers_there_are_no_contributions() -> None:
    model, _, customers = hazard(2)
    assert model.contributions(customers[:0], np.zeros(0, np.int64), 7).shape == (0, 4)


def trained(histories: Histories, **settings: Any) -> tuple[BoosterModel, NDArray[np.float32]]:
    """A model of the histories, and the features of each customer's last order."""
    trainer = make_trainer(parse({"num_round": 30, **settings}), calendar=False)
    gaps = order_gaps(histories, int(histories.day.max()))
    matrix = features.compute(histories, trainer.feature_names)
    sample = rows.sample(histories, trainer.feature_names, gaps)
    request = FitRequest(sample, time_grid(sample.gap, sample.observed, 12))
    model = trainer.fit(replace(request, chosen={"rounds": 30, "scale": 1.0})).model
    assert isinstance(model, BoosterModel)
    return model, matrix[histories.last_row]


def test_all_contributions_together_rank_customers_as_the_probability_does() -> None:
    histories = shop(200)
    model, customers = trained(histories)
    waited = int(histories.day.max()) - histories.day[histories.last_row].astype(np.int64)
    total = model.contributions(customers, waited, 7).sum(axis=1)
    chance = model.survival(customers).probability_within(7, waited)
    assert np.corrcoef(total.argsort().argsort(), chance.argsort().argsort())[0, 1] > 0.95


def test_a_silence_far_beyond_all_gaps_speaks_against_an_order() -> None:
    """Although the bins of long waits have many days, and orders are likelier in many days."""
    model, customers = trained(shop(200))
    silent = np.full(len(customers), int(model.days[-1]) - 1)
    assert np.diff(model.days)[-1] > 2 * model.days[0]
    assert (model.contributions(customers, silent, 7)[:, -1] < 0).all()


@pytest.mark.parametrize("objective", ["aft", "squared-error"])
def test_a_model_of_the_gap_is_explained_by_how_much_shorter_the_gap_is(objective: str) -> None:
    model, customers = trained(shop(80), objective=objective)
    some = customers[:50]
    shares = model.contributions(some, np.full(50, 90), 7)
    foreseen = predict(model.booster, some, "margin")
    np.testing.assert_allclose(np.ptp(shares.sum(axis=1) + foreseen), 0, atol=1e-4)
    assert not shares[:, -1].any()
    if isinstance(model, SquaredErrorModel):
        assert np.abs(shares).max() > 1  # in days


@pytest.mark.parametrize("held", [1, 40, 150])
def test_curves_do_not_depend_on_how_many_are_made_at_once(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _, customers = hazard(5, coefficients=np.linspace(-0.2, 0.2, 14))
    whole = model.survival(customers)
    monkeypatch.setattr("ordergap.models.curves._HELD", held)
    assert np.array_equal(model.survival(customers).log_s, whole.log_s)
    assert model.survival(customers[:0]).log_s.shape == (0, len(DAYS))
