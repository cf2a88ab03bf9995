"""Probabilities of a large order against whether one came.

See docs/decisions/tasks.md#a-large-order-is-a-thinned-curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap.contract.metrics import EvaluationProtocol, Metric
from ordergap.evaluation.compare import Evaluation, Metrics
from ordergap.evaluation.metrics import Rows

Float = NDArray[np.float64]
_COMPARED = (EvaluationProtocol.AT_CUTOFF,)
METRICS: dict[str, Metric] = {
    "auc": Metric(
        title="AUC", better="higher", compared=_COMPARED,
        meaning="How often a customer with a large order had a higher probability than one "
        "without. 0.5 is a coin's. Of the model's largest amount and the longest horizon judged.",
    ),
    "brier": Metric(
        title="Brier", digits=4, better="lower", compared=_COMPARED,
        meaning="Mean squared distance of that probability from 0 or 1, what came.",
    ),
    "ece": Metric(
        title="calibration error", digits=4, better="lower",
        meaning="Mean distance of that probability from the share that came, in ten groups.",
    ),
}  # fmt: skip
_BINS = 10
_NONE = float("nan")


class Question(NamedTuple):
    """An order above `threshold` within `days` days."""

    threshold: float
    days: int


class _Ranked(NamedTuple):
    """One forecast by rising probability: `order` of rows, where equal ones `start`, and bins."""

    order: NDArray[np.int64]
    start: NDArray[np.int64]
    bins: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LargeEvaluation(Evaluation):
    """Who of n customers made a large order within a window after one day, and who was to.

    questions  ending of the metrics' names -> question; the first, "", is the one that is shown
    came       question -> (n,) whether such an order came
    forecasts  model or baseline -> question -> (n,) probability; NaN metrics where it has none
    """

    customer: NDArray[np.str_] | NDArray[np.int64]
    segments: Mapping[str, NDArray[np.bool_]]
    questions: Mapping[str, Question]
    came: Mapping[Question, NDArray[np.bool_]]
    forecasts: Mapping[str, Mapping[Question, Float]]
    cap: float = _NONE
    _ranked: dict[tuple[str, Question], _Ranked] = field(default_factory=dict, repr=False)

    @property
    @override
    def names(self) -> Sequence[str]:
        return [*self.forecasts]

    @override
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        weight = self._weight(rows)
        found: Metrics = {}
        for ending, question in self.questions.items():
            p = self.forecasts[name].get(question)
            if p is None or not weight.any():
                figures = (_NONE, _NONE, _NONE)
            else:
                figures = _figures(p, self.came[question], weight, self._rank(name, question, p))
            found |= dict(zip((f"{metric}{ending}" for metric in METRICS), figures, strict=True))
        return found

    @override
    def of(self, rows: NDArray[np.int64]) -> LargeEvaluation:
        def some(columns: Mapping[Question, NDArray[Any]]) -> dict[Question, NDArray[Any]]:
            return {question: column[rows] for question, column in columns.items()}

        return LargeEvaluation(
            self.customer[rows],
            {},
            self.questions,
            some(self.came),
            {name: some(each) for name, each in self.forecasts.items()},
            self.cap,
        )

    def _weight(self, rows: Rows | None) -> Float:
        """(n,) how many times each row counts: drawing customers again sorts nothing anew."""
        if rows is None:
            return np.ones(len(self.customer))
        if rows.dtype == bool:
            return rows.astype(float)
        return np.bincount(rows, minlength=len(self.customer)).astype(float)

    def _rank(self, name: str, question: Question, p: Float) -> _Ranked:
        key = name, question
        if key not in self._ranked:
            order = np.argsort(p, kind="stable")
            start = np.flatnonzero(np.diff(p[order], prepend=-1.0))
            bins = np.searchsorted(np.linspace(0, 1, _BINS + 1)[1:-1], p)
            self._ranked[key] = _Ranked(order, start, bins)
        return self._ranked[key]


def _figures(
    p: Float, came: NDArray[np.bool_], weight: Float, ranked: _Ranked
) -> tuple[float, float, float]:
    """AUC, Brier score and expected calibration error, of rows that count so many times."""
    yes, no = weight * came, weight * ~came
    of_equal = [np.add.reduceat(each[ranked.order], ranked.start) for each in (yes, no)]
    below = np.cumsum(of_equal[1]) - of_equal[1] / 2
    pairs = yes.sum() * no.sum()
    auc = float((of_equal[0] * below).sum() / pairs) if pairs else _NONE
    foreseen, seen = (np.bincount(ranked.bins, each, _BINS) for each in (weight * p, yes))
    total = weight.sum()
    return (
        auc,
        float((weight * (p - came) ** 2).sum() / total),
        float(np.abs(foreseen - seen).sum() / total),
    )
