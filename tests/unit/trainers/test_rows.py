"""Rows that are boosted from pages on the disk make the boosters of rows in memory."""

from __future__ import annotations

import gc
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import features, ingest
from ordergap.checkpoints import Checkpoints, FitCheckpoint
from ordergap.contract.hyperparameters import parse
from ordergap.contract.orders import Columns
from ordergap.errors import PlatformError
from ordergap.histories import Histories
from ordergap.survival.targets import order_gaps
from ordergap.trainers import rows
from ordergap.trainers.base import FitRequest, Sample, time_grid
from ordergap.trainers.factory import make_trainer
from ordergap.trainers.hazard import FROM_BG_NBD
from ordergap.trainers.hazard_rows import HazardRows
from ordergap.trainers.rows import Rows, matrices

from tests.shop import shop

RETAIL = Path("../shared/data/online_retail.csv.gz")
KINDS: dict[str, dict[str, object]] = {
    "hazard": {},
    "aft": {"objective": "aft"},
    "squared-error": {"objective": "squared-error"},
    "random-forest": {"trainer": "random-forest"},
}


def sample_of(histories: Histories) -> Sample:
    gaps = order_gaps(histories, int(histories.day.max()))
    matrix = features.compute(histories, features.names(calendar=False))
    return Sample(matrix[gaps.row], gaps.gap, gaps.observed, gaps.left_truncation)


def request_of(sample: Sample) -> FitRequest:
    later = np.arange(len(sample)) % 4 == 0
    return FitRequest(sample[~later], time_grid(sample.gap, sample.observed, 8), sample[later])


@pytest.fixture(scope="module")
def request_() -> FitRequest:
    return request_of(sample_of(shop(200, seed=3)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, in which nothing stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("ordergap-")]


class Model(NamedTuple):
    """Of two fits: what has to be equal."""

    files: dict[str, bytes]
    parameters: dict[str, Any]
    chosen: dict[str, float]
    drivers: dict[str, float]


def fit(request: FitRequest, **values: object) -> Model:
    quick: dict[str, object] = {"num_round": 20, "eta": 0.3, "min_child_weight": 5}
    fitted = make_trainer(parse(quick | values), calendar=False).fit(request)
    model = fitted.model
    return Model(model.files(), dict(model.parameters), fitted.chosen, fitted.drivers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [False, True])
def test_pages_make_the_same_model(
    kind: str, request_: FitRequest, monkeypatch: pytest.MonkeyPatch, *, start: bool
) -> None:
    """With rows that validate, and with chosen rounds and a start of the trees."""
    request = request_
    if start:
        chosen = {"rounds": 9, "scale": 0.8, FROM_BG_NBD: 1.0}
        request = replace(request, validation=None, chosen=chosen)
    whole = fit(request, **KINDS[kind])
    monkeypatch.setattr(rows, "BLOCK", 700)
    paged = fit(request, **KINDS[kind])
    assert paged == whole


@pytest.mark.parametrize("kind", ["hazard", "aft"])
def test_pages_resume_from_a_checkpoint(
    kind: str, request_: FitRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(request_, **KINDS[kind])
    monkeypatch.setattr(rows, "BLOCK", 700)
    for rounds in (7, 20):
        checkpoints = Checkpoints(tmp_path / "checkpoints", {}, every=1e9)
        resumed = replace(request_, checkpoint=FitCheckpoint(checkpoints))
        model = fit(resumed, **KINDS[kind], num_round=rounds)
    assert model == whole


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 150),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_a_booster_does_not_tell_where_blocks_end(
    seed: int, size: int, block: int, weighted: bool, based: bool
) -> None:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(size, 3)).astype(np.float32).round(1)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    source = Rows(
        matrix,
        (random.random(size) < 0.3).astype(float),
        random.random(size) + 0.1 if weighted else None,
        base=random.normal(size=size) if based else None,
    )
    parameters = {"objective": "binary:logistic", "max_depth": 3, "subsample": 0.7, "seed": 1}
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for block_size in (size, block):
            patch.setattr(rows, "BLOCK", block_size)
            with matrices(size, 1, "cpu") as matrix_of:
                learnt = matrix_of(source, None)
                later: dict[str, Any] = {}
                booster = xgboost.train(
                    parameters, learnt, 4, evals=[(matrix_of(source.rows(slice(50)), learnt), "v")],
                    evals_result=later, verbose_eval=False,
                )  # fmt: skip
                found.append((bytes(booster.save_raw()), later))
                del learnt
    assert found[0] == found[1]


def test_a_block_whose_gaps_have_no_rows_is_passed_over(
    request_: FitRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, first = request_.train, np.arange(len(request_.train)) < 1500  # two blocks
    unseen = np.where(first, train.gap, train.left_truncation)
    request = replace(request_, train=replace(train, left_truncation=unseen), validation=None)
    whole = fit(request)
    monkeypatch.setattr(rows, "BLOCK", 700)
    assert fit(request) == whole


def test_the_matrix_of_rows_that_are_spread_is_of_these_rows(request_: FitRequest) -> None:
    source = HazardRows(request_.train, request_.days)
    whole = source.rows(slice(None)).matrix
    for most in (1, 7, 500, len(whole)):
        expected = whole[:: max(1, len(whole) // most)]
        np.testing.assert_array_equal(source.spread(most), expected)


def test_rows_are_held_whole_where_a_block_has_those_of_a_host_and_on_a_card() -> None:
    source = Rows(np.zeros((3, 1), np.float32), np.zeros(3))
    for gaps, hosts, device in [
        (rows.BLOCK, 1, "cpu"),
        (2 * rows.BLOCK, 2, "cpu"),
        (1 << 30, 1, "cuda"),
    ]:
        with matrices(gaps, hosts, device) as matrix_of:
            assert type(matrix_of(source, None)) is xgboost.DMatrix
    with matrices(rows.BLOCK + 1, 1, "cpu") as matrix_of:
        assert type(matrix_of(source, None)) is xgboost.ExtMemQuantileDMatrix


@pytest.mark.parametrize("kind", ["hazard", "aft"])
def test_a_temporary_folder_without_room_is_named_before_xgboost_ends_the_process(
    kind: str, request_: FitRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        monkeypatch.setattr(rows, "BLOCK", 700)
        with pytest.raises(PlatformError, match=rf"cannot be kept in {folder}: .*TMPDIR"):
            fit(request_, **KINDS[kind])
    finally:
        gc.collect()
        subprocess.run(["umount", str(folder)], check=True)


def test_a_temporary_folder_that_is_not_there_is_named(
    request_: FitRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BLOCK", 700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(PlatformError, match=r"cannot be kept in .*none: No such file"):
        fit(request_)


def test_after_a_fit_nothing_holds_the_rows(
    request_: FitRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the collector of cycles: it comes late, and rows are large."""
    monkeypatch.setattr(rows, "BLOCK", 700)

    def held() -> int:
        kinds = (xgboost.DMatrix, xgboost.DataIter)
        return sum(issubclass(type(each), kinds) for each in gc.get_objects())

    gc.collect()
    before = held()  # by other tests
    gc.disable()
    try:
        fit(request_)
        assert held() == before
    finally:
        gc.enable()


@pytest.mark.skipif(not RETAIL.exists(), reason=f"{RETAIL} is not here")
def test_pages_make_the_same_model_of_online_retail(monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(sample_of(ingest.read(RETAIL, Columns()).histories))
    whole = fit(request, num_round=12)
    monkeypatch.setattr(rows, "BLOCK", 3000)
    assert fit(request, num_round=12) == whole
