"""Intervals of metrics: those of all customers, and of a draw where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from ordergap.contract.metrics import MODEL, NAIVE
from ordergap.evaluation import compare
from ordergap.evaluation.compare import Comparison, Evaluation, Metrics
from ordergap.evaluation.large import LargeEvaluation, Question
from ordergap.evaluation.metrics import Rows
from typing_extensions import override

CUSTOMERS = 4_000


@dataclass
class Means(Evaluation):
    """The mean of each column, and the number of rows."""

    customer: NDArray[np.int64]
    columns: dict[str, NDArray[np.float64]]
    seen: list[int] = field(default_factory=list)

    cap = 1.0
    segments = {}  # noqa: RUF012

    @property
    @override
    def names(self) -> Sequence[str]:
        return [*self.columns]

    @override
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        some = self.columns[name][slice(None) if rows is None else rows]
        self.seen.append(len(some))
        return {"mean": float(some.mean()), "rows": float(len(some))}


def judged(rows_each: int = 2) -> Means:
    """Rows of a customer are alike, so that the customers are what counts."""
    random = np.random.default_rng(4)
    customer = np.repeat(np.arange(CUSTOMERS), rows_each)
    own = random.normal(5, 1, (2, CUSTOMERS)).repeat(rows_each, axis=1)
    return Means(customer, dict(zip((MODEL, NAIVE), own, strict=True)))


def compared(evaluation: Evaluation, most: int, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    monkeypatch.setattr(compare, "MOST_CUSTOMERS", most)
    return compare.compare([evaluation], seed=3, replicates=400)


def test_up_to_so_many_customers_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    every = compared(judged(), 10**9, monkeypatch)
    assert compared(judged(), CUSTOMERS, monkeypatch) == every
    assert compared(judged(), CUSTOMERS - 1, monkeypatch) != every


def test_a_draw_of_customers_has_intervals_as_wide_as_all_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By theory: 1.645 standard errors of a mean of so many customers to either side."""
    found = compared(judged(), CUSTOMERS // 10, monkeypatch)
    half = 1.645 / np.sqrt(CUSTOMERS)
    for value, (low, high), expected in (
        (found.metrics[MODEL]["mean"], found.intervals["mean"], half),
        (found.differences[NAIVE]["mean"][0], found.differences[NAIVE]["mean"][1:], 2**0.5 * half),
    ):
        assert high - value == pytest.approx(expected, rel=0.25)
        assert value - low == pytest.approx(expected, rel=0.25)


def test_a_count_has_the_interval_of_all_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    evaluation = judged(1)
    rows = np.repeat(np.arange(CUSTOMERS), random.integers(1, 4, CUSTOMERS))
    columns = {name: column[rows] for name, column in evaluation.columns.items()}
    uneven = Means(evaluation.customer[rows], columns)
    whole, drawn = (
        compared(uneven, most, monkeypatch).intervals["rows"] for most in (10**9, CUSTOMERS // 10)
    )
    assert drawn[1] - drawn[0] == pytest.approx(whole[1] - whole[0], rel=0.25)
    assert drawn[0] < len(rows) < drawn[1]


def test_beyond_so_many_customers_replicates_cost_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that are judged, beside those of all customers and of the draw, once each."""
    evaluation = judged()
    compared(evaluation, CUSTOMERS // 10, monkeypatch)
    assert sorted(set(evaluation.seen)) == [2 * CUSTOMERS // 10, 2 * CUSTOMERS]
    assert evaluation.seen.count(2 * CUSTOMERS) == 2


def test_the_same_seed_draws_the_same_and_another_seed_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compare, "MOST_CUSTOMERS", CUSTOMERS // 10)
    first, again, other = (compare.compare([judged()], seed, 40) for seed in (1, 1, 2))
    assert first == again
    assert first.intervals != other.intervals
    assert first.metrics == other.metrics


def test_a_part_of_large_orders_is_judged_as_its_rows_alone() -> None:
    random = np.random.default_rng(1)
    question, n = Question(100.0, 30), 300
    chance = random.random(n).round(2)
    large = LargeEvaluation(
        np.arange(n), {}, {"": question}, {question: random.random(n) < chance},
        {MODEL: {question: chance}, NAIVE: {}},
    )  # fmt: skip
    rows = np.flatnonzero(random.random(n) < 0.4)
    part = large.of(rows)
    drawn = random.integers(0, len(rows), len(rows))
    assert part.customer.tolist() == rows.tolist()
    assert part.metrics(MODEL) == pytest.approx(large.metrics(MODEL, rows))
    assert part.metrics(MODEL, drawn) == pytest.approx(large.metrics(MODEL, rows[drawn]))
    assert np.isnan(part.metrics(NAIVE)["auc"])
