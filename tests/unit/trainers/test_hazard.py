"""What the trees of the hazard begin from, and when boosting ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray
from ordergap import features
from ordergap.contract.hyperparameters import parse
from ordergap.errors import AlgorithmError
from ordergap.hosts import ALONE
from ordergap.models.bg_nbd import BgNbd, Start
from ordergap.models.xgboost import HazardModel
from ordergap.survival.targets import order_gaps
from ordergap.trainers import hazard
from ordergap.trainers.base import FitRequest, Sample, time_grid
from ordergap.trainers.factory import make_trainer
from ordergap.trainers.hazard import FROM_BG_NBD
from ordergap.trainers.hazard_rows import HazardRows
from ordergap.trainers.rounds import best_round, shifted_log_loss
from scipy.optimize import minimize_scalar

from tests.shop import shop

MODEL = BgNbd(0.25, 30.0, 0.8, 2.4)
DAYS = np.array([7.0, 30, 90, 300])


@pytest.fixture(scope="module")
def request_() -> FitRequest:
    histories = shop(200, seed=3)
    as_of = int(histories.day.max())
    gaps = order_gaps(histories, as_of)
    matrix = features.compute(histories, features.names(calendar=False))
    sample = Sample(matrix[gaps.row], gaps.gap, gaps.observed, gaps.left_truncation)
    later = np.arange(len(sample)) % 4 == 0
    return FitRequest(sample[~later], time_grid(gaps.gap, gaps.observed, 8), sample[later])


def trainer(**values: object) -> Any:
    settings: dict[str, object] = {"num_round": 20, "eta": 0.3, "min_child_weight": 5}
    return make_trainer(parse({**settings, **values}), calendar=False)


def test_a_start_is_halfway_between_the_level_and_bg_nbd() -> None:
    order_count, tenure = np.array([1.0, 4, 9]), np.array([0.0, 60, np.nan])
    start = Start(MODEL, -2.0)(order_count, tenure, DAYS)
    known = tenure[:2]
    log_s = MODEL.log_survival(order_count[:2] - 1, known, known, DAYS)
    s = np.exp(np.column_stack([np.zeros(2), log_s]))
    within = 1 - s[:, 1:] / s[:, :-1]
    expected = (np.log(within / (1 - within)) - 2.0) / 2
    np.testing.assert_allclose(start[:2], expected, rtol=1e-6)
    assert (start[2] == -2.0).all()  # an unknown tenure


def test_a_start_is_written_and_read() -> None:
    start = Start(MODEL, -1.5)
    assert Start.parse(start.content()) == start


def test_a_model_with_a_start_adds_it_and_without_trees_is_it(request_: FitRequest) -> None:
    request = replace(request_, validation=None, chosen={"rounds": 1, FROM_BG_NBD: 1.0})
    model = trainer(eta=1e-9).fit(request).model
    assert isinstance(model, HazardModel)
    start = Start.parse(model.parameters["start"])
    matrix = request.train.features[:50]
    columns = [model.feature_names.index(name) for name in ("order_count", "tenure")]
    order_count, tenure = matrix[:, columns].T.astype(float)
    one = order_count == 1  # whom no recalibration changes
    log_odds = start(order_count, tenure, model.days)
    log_s = -np.logaddexp(0, log_odds).cumsum(axis=1)
    np.testing.assert_allclose(model.survival(matrix).log_s[one], log_s[one], rtol=1e-5)


@pytest.mark.parametrize(("bar", "taken"), [(1e9, True), (-1e9, False)])
def test_the_start_is_taken_where_the_validation_is_better_and_the_refit_keeps_the_choice(
    request_: FitRequest, monkeypatch: pytest.MonkeyPatch, *, bar: float, taken: bool
) -> None:
    monkeypatch.setattr(hazard, "_BEYOND_NOISE", bar)
    fitted = trainer().fit(request_)
    assert bool(fitted.chosen.get(FROM_BG_NBD)) == taken
    assert bool(fitted.model.parameters["start"]) == taken
    again = trainer().fit(replace(request_, validation=None, chosen=fitted.chosen))
    assert bool(again.model.parameters["start"]) == taken


def test_the_better_of_the_two_is_judged_gap_by_gap(request_: FitRequest) -> None:
    """A start that is nonsense is not taken; one that knows the truth is."""
    gaps = np.random.default_rng(0).exponential(30, 400).round() + 1
    blind = Sample(
        np.full((400, len(features.names(calendar=False))), np.nan, np.float32),
        gaps, np.ones(400, bool), np.zeros(400),
    )  # fmt: skip
    blind.features[:, 0], blind.features[:, 1] = 3, 60
    made, request = trainer(), replace(request_, train=blind, validation=blind)
    rows = HazardRows(blind, request.days)
    booster = made._grown(rows, None, replace(request, chosen={"rounds": 1}))
    wrong = made._from(Start(BgNbd(50.0, 1.0, 0.1, 9.0), 4.0), rows)
    assert not hazard._is_better(wrong, booster, rows, booster, request.hosts)


def test_without_a_fit_of_bg_nbd_the_trees_begin_from_one_level(
    request_: FitRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> BgNbd:
        raise AlgorithmError("BG/NBD found no maximum")

    monkeypatch.setattr("ordergap.models.bg_nbd.fit", fails)
    assert trainer().fit(request_).model.parameters["start"] is None


def test_boosting_ends_with_the_last_of_the_losses_at_its_least() -> None:
    assert best_round([[3.0], [2.0], [2.5]]) == 2
    assert best_round([[3.0, 9.0], [2.0, 8.0], [2.5, 7.0], [2.6, 7.0]]) == 3


def test_the_shifted_loss_is_the_least_over_all_shifts() -> None:
    random = np.random.default_rng(0)
    x: NDArray[np.float64] = random.normal(size=(500, 2))
    label = (random.random(500) < 1 / (1 + np.exp(2 - x[:, 0]))).astype(float)
    weight = random.random(500)
    rows = xgboost.DMatrix(x, label=label, weight=weight)
    booster = xgboost.train({"objective": "binary:logistic", "base_score": 0.8}, rows, 3)
    margin = booster.predict(rows, output_margin=True).astype(float)
    label, weight = (np.float32(each).astype(float) for each in (label, weight))

    def loss(shift: float) -> float:
        p = 1 / (1 + np.exp(-margin - shift))
        lost = -np.where(label == 1, np.log(p), np.log(1 - p))
        return float((weight * lost).sum() / weight.sum())

    found = shifted_log_loss(xgboost, ALONE)(booster, rows)
    assert found == pytest.approx(minimize_scalar(loss).fun, rel=1e-4)
    assert found < loss(0.0)


def test_where_every_gap_has_ended_there_is_still_a_level(request_: FitRequest) -> None:
    some = request_.train[request_.train.observed]
    request = replace(request_, train=some, validation=some, days=np.array([1e4, 2e4]))
    data = HazardRows(some, request.days)
    assert data.columns().label.all()
    everyone = replace(request, train=request_.train)  # whose last orders BG/NBD is fitted on
    start = trainer()._half_of_bg_nbd(data, everyone)
    assert start is not None
    assert start.level == pytest.approx(np.log(len(some) / 0.5))
