import json

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.trainers.base import Sample, time_grid
from ordergap.trainers.hazard_rows import HazardRows
from ordergap.trainers.vector_leaves import with_vector_leaves

DAYS = np.array([5.0, 10.0, 20.0])


def sample(gap: float, observed: bool, entry: float = 0.0) -> Sample:
    return Sample(
        np.zeros((1, 1), np.float32), np.array([gap]), np.array([observed]), np.array([entry])
    )


@pytest.mark.parametrize(
    ("one", "bins", "labels", "weights"),
    [
        (sample(7, True), [0, 1], [0, 1], [1, 1]),
        (sample(5, True), [0], [1], [1]),
        (sample(10, False), [0, 1], [0, 0], [1, 1]),
        (sample(12, False), [0, 1, 2], [0, 0, 0], [1, 1, 0.2]),
        (sample(12, True, entry=6), [1, 2], [0, 1], [0.8, 1]),
        (sample(12, False, entry=12), [], [], []),
        (sample(0, False), [], [], []),
        (sample(50, True), [0, 1, 2], [0, 0, 1], [1, 1, 1]),
    ],
)
def test_a_gap_is_at_risk_in_the_bins_in_which_it_was_watched(
    one: Sample, bins: list[int], labels: list[int], weights: list[float]
) -> None:
    rows = HazardRows(one, DAYS).rows(slice(None))
    assert rows.matrix[:, -1].tolist() == bins
    assert rows.label is not None
    assert rows.label.tolist() == labels
    assert rows.weight == pytest.approx(weights)


@given(
    st.lists(st.tuples(st.floats(0, 400), st.booleans()), min_size=1, max_size=60),
    st.integers(2, 40),
)
def test_a_time_grid_rises_to_the_longest_gap_in_at_most_so_many_steps(
    gaps: list[tuple[float, bool]], bins: int
) -> None:
    gap = np.array([float(round(days)) for days, _ in gaps])
    observed = np.array([seen and days > 0 for (_, seen), days in zip(gaps, gap, strict=True)])
    if not observed.any():
        return
    grid = time_grid(gap, observed, bins)
    assert 2 <= len(grid) <= bins
    assert (np.diff(grid) > 0).all()
    assert grid[-1] == gap.max() or grid[-1] == 2 * grid[0]
    assert grid[0] > 0


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(2, 12), st.sampled_from([1, 5]))
def test_vector_leaves_answer_as_the_trees_do_bin_by_bin(
    seed: int, depth: int, bins: int, forest: int
) -> None:
    random = np.random.default_rng(seed)
    features = random.normal(size=(200, 3)).astype(np.float32)
    features[random.random(features.shape) < 0.2] = np.nan
    rows = np.column_stack([np.repeat(features, bins, axis=0), np.tile(np.arange(bins), 200)])
    chance = np.nan_to_num(rows[:, 0]) * rows[:, -1] / bins - np.nan_to_num(rows[:, 1])
    label = random.random(len(rows)) < 1 / (1 + np.exp(-chance))
    parameters = {"objective": "binary:logistic", "max_depth": depth, "nthread": 1}
    booster = xgboost.train(
        parameters | {"num_parallel_tree": forest, "subsample": 0.8},
        xgboost.DMatrix(rows, label=label),
        5,
    )
    written = json.dumps(with_vector_leaves(json.loads(booster.save_raw("json")), bins))
    vector = xgboost.Booster(model_file=bytearray(written.encode()))
    expected = booster.inplace_predict(rows.astype(np.float32)).reshape(-1, bins)
    np.testing.assert_allclose(
        vector.inplace_predict(features).reshape(-1, bins), expected, atol=1e-6
    )
    np.testing.assert_allclose(
        vector.inplace_predict(features[:1]).reshape(-1, bins), expected[:1], atol=1e-6
    )
