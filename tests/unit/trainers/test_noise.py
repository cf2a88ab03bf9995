"""The noise of AFT: what it was made with is found again, gaps that have not ended included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ordergap.trainers.base import Sample
from ordergap.trainers.noise import GROUPS, noise_by_orders

MADE = np.array([1.4, 1.1, 1.0, 0.9, 0.7])
COUNTS = np.array([1, 2, 4, 9, 30])


def watched(each: int, seed: int = 0) -> tuple[Sample, np.ndarray, np.ndarray]:
    """So many gaps of each group, of which about a third have not ended; location, order counts."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(5), each)
    location = random.uniform(2, 5, len(group))
    gap = np.exp(location + MADE[group] * random.standard_normal(len(group)))
    until = np.exp(location + 0.5 + random.standard_normal(len(group)))
    nothing = np.empty((len(gap), 0), np.float32)
    sample = Sample(nothing, np.minimum(gap, until), gap <= until, np.zeros(len(gap)))
    return sample, location, COUNTS[group]


def test_each_group_has_the_noise_it_was_made_with() -> None:
    found: dict[str, Any] = noise_by_orders(*watched(20_000), usual=9.0)
    assert found["orders"] == list(GROUPS)
    assert found["scales"] == pytest.approx(MADE, rel=0.02)


def test_a_group_of_few_gaps_has_the_usual_noise() -> None:
    sample, location, order_count = watched(500)
    few = np.flatnonzero(sample.observed & (order_count == 9))[19:]
    keep = np.ones(len(sample), bool)
    keep[few] = False
    found: dict[str, Any] = noise_by_orders(
        sample[keep], location[keep], order_count[keep], usual=9.0
    )
    assert found["scales"][3] == 9.0
    assert 9.0 not in [*found["scales"][:3], found["scales"][4]]
