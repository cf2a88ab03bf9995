"""Probabilities of a first order against who ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap.contract.metrics import EvaluationProtocol, Metric
from ordergap.evaluation.compare import Evaluation, Metrics
from ordergap.evaluation.metrics import Rows, auc, brier

_COMPARED = (EvaluationProtocol.AT_CUTOFF,)
METRICS: Mapping[str, Metric] = {
    "auc": Metric(
        title="AUC",
        better="higher",
        compared=_COMPARED,
        meaning="P(a lead who ordered within 30 days had a higher probability than one who "
        "did not).",
    ),
    "brier": Metric(
        title="Brier",
        digits=4,
        better="lower",
        compared=_COMPARED,
        meaning="Mean squared distance of the probability of a first order within 30 days "
        "from what happened.",
    ),
    "total": Metric(
        title="forecast/came",
        digits=2,
        meaning="First orders that were forecast within 30 days, over those that came; 1 is best.",
    ),
}


@dataclass(frozen=True, eq=False)
class LeadEvaluation(Evaluation):
    """Forecasts of n leads on one day, and whether each ordered in the days after it.

    answers  name -> (n,) probability
    ordered  (n,)
    horizon  the days within which
    """

    customer: NDArray[np.str_]
    answers: Mapping[str, NDArray[np.float64]]
    ordered: NDArray[np.bool_]
    horizon: int
    cap: float = float("nan")
    segments: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    @override
    def names(self) -> Sequence[str]:
        return [*self.answers]

    @override
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        some = slice(None) if rows is None else rows
        chance, ordered = self.answers[name][some], self.ordered[some]
        came = float(ordered.sum())
        return {
            "auc": auc(chance, ordered),
            "brier": brier(chance, ordered),
            "total": float(chance.sum()) / came if came else float("nan"),
            "rows": float(len(ordered)),
        }
