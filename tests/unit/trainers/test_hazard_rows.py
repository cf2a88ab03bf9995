"""Rows of the hazard, a block at a time, and a quarter of them where there are very many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.hyperparameters import parse
from ordergap.hosts import Hosts
from ordergap.models.xgboost import HazardModel
from ordergap.trainers import hazard, hazard_rows, rows
from ordergap.trainers.base import FitRequest, Sample, time_grid
from ordergap.trainers.factory import make_trainer
from ordergap.trainers.hazard_rows import HazardRows

from tests.shop import shop
from tests.unit.trainers.test_rows import request_of, sample_of

DAYS = np.array([7.0, 30, 90, 300])


def sample(size: int, seed: int) -> Sample:
    random = np.random.default_rng(seed)
    gap = random.exponential(60, size).round()
    waited = np.where(random.random(size) < 0.2, random.integers(0, 50, size), 0.0)
    features = np.arange(size, dtype=np.float32)[:, None]  # so that a row tells its gap
    return Sample(features, gap, random.random(size) < 0.6, waited)


def at_once(source: HazardRows) -> list[tuple[float, ...]]:
    whole = source.rows(slice(None))
    assert whole.label is not None
    assert whole.weight is not None
    columns = (*whole.matrix.T.tolist(), whole.label.tolist(), whole.weight.tolist())
    return [*zip(*columns, strict=True)]


@given(st.integers(1, 80), st.integers(1, 90), st.booleans(), st.integers(0, 99))
def test_neither_rows_nor_columns_tell_where_blocks_end(
    size: int, block: int, drawn: bool, seed: int
) -> None:
    source = HazardRows(sample(size, seed), DAYS, drawn=drawn)
    whole = at_once(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", block)
        parts = [source.rows(part) for part in rows.blocks(size)]
        columns = source.columns()
    assert np.vstack([each.matrix for each in parts]).tolist() == [[*row[:2]] for row in whole]
    found = (columns.owner, columns.bins, columns.label, columns.weight)
    assert [*zip(*(each.tolist() for each in found), strict=True)] == whole


def test_of_rows_without_an_order_a_quarter_stands_for_all() -> None:
    every, some = (HazardRows(sample(20_000, 1), DAYS, drawn=each) for each in (False, True))
    all_rows = {row[:2]: row[2:] for row in at_once(every)}
    kept = {row[:2]: row[2:] for row in at_once(some)}
    for row, (label, weight) in kept.items():
        assert all_rows[row] == (label, weight if label else weight / 4)
    ended = {row for row, (label, _) in all_rows.items() if label}
    assert ended <= {*kept}
    assert (len(kept) - len(ended)) / (len(all_rows) - len(ended)) == pytest.approx(0.25, abs=0.01)
    for number in range(len(DAYS)):  # the hazard of each bin stays as it is
        total, estimated = (
            sum(weight for (_, bins), (_, weight) in each.items() if bins == number)
            for each in (all_rows, kept)
        )
        assert estimated == pytest.approx(total, rel=0.04)


def test_rows_are_drawn_where_those_of_all_hosts_are_very_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = sample(200, 2)
    count = len(at_once(HazardRows(some, DAYS)))
    for most, many in ((count, False), (count - 1, True)):
        monkeypatch.setattr(hazard_rows, "MOST_ROWS", most)
        assert hazard_rows.are_many(some, DAYS) == many


def test_a_model_of_drawn_rows_forecasts_nearly_as_one_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = request_of(sample_of(shop(250, 300, seed=3)))
    trainer = make_trainer(parse({"num_round": 25, "eta": 0.15}), calendar=False)
    validation = request.validation
    assert validation is not None
    log_s, losses = [], []
    for most in (10**9, 0):
        monkeypatch.setattr(hazard_rows, "MOST_ROWS", most)
        model = trainer.fit(request).model
        assert isinstance(model, HazardModel)
        curves = model.survival(validation.features)
        log_s.append(curves.log_s)
        check = HazardRows(validation, request.days).columns()
        log_hazard = np.log(-np.expm1(np.diff(curves.log_s, axis=1, prepend=0.0)))
        p = np.exp(log_hazard[check.owner, check.bins])
        losses.append(-(check.weight * np.where(check.label, np.log(p), np.log1p(-p))).mean())
    assert not np.array_equal(log_s[0], log_s[1])
    assert np.abs(np.exp(log_s[0]) - np.exp(log_s[1])).mean() < 0.03
    assert losses[1] == pytest.approx(losses[0], rel=0.03)


def test_hosts_decide_by_the_rows_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a part of the gaps, and all are to learn from rows of one kind."""
    asked: list[int] = []

    def many(some: Sample, _: object) -> bool:
        asked.append(len(some))
        raise InterruptedError

    monkeypatch.setattr(hazard, "are_many", many)
    whole = sample_of(shop(60, 200))

    class Two(Hosts):
        names = ("a", "b")

    request = replace(FitRequest(whole, time_grid(whole.gap, whole.observed, 6)), hosts=Two())
    with pytest.raises(InterruptedError):
        make_trainer(parse({}), calendar=False).fit(request)
    assert asked == [len(whole)]
