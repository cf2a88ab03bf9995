"""Models that were validated, and what their validation shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.gaps import (
    GapEvaluation,
    forecasts,
    outcomes,
)
from ordergap.evaluation.interval_levels import NOMINAL_LEVELS, Check, coverage
from ordergap.evaluation.metrics import evaluate
from ordergap.evaluation.segments import segments
from ordergap.models.levels import uncalibrated_level
from ordergap.models.next_order import NextOrderHead
from ordergap.tasks.base import Fit, Split
from ordergap.tasks.next_order_groups import groups


class Candidate(NamedTuple):
    """A model that was validated."""

    chosen: Mapping[str, float | bool]
    fit: Fit
    checks: Mapping[EvaluationProtocol, Check]

    @property
    def head(self) -> NextOrderHead:
        """The head that was validated."""
        return cast("NextOrderHead", self.fit.head)

    def brier(self) -> float:
        """The sum of both protocols' Brier scores at 30 days."""
        return sum(
            evaluate(
                forecasts(check.survival, check.targets, 0.5, check.cap),
                outcomes(check.targets),
                check.cap,
            )["brier_30"]
            for check in self.checks.values()
        )


def evaluation(
    hyperparameters: Hyperparameters,
    split: Split,
    protocol: EvaluationProtocol,
    candidates: Mapping[str, Candidate],
) -> GapEvaluation:
    """The candidates' forecasts of one protocol of the validation, each at its own levels."""
    answers = {}
    for name, candidate in candidates.items():
        check = candidate.checks[protocol]
        own = uncalibrated_level(
            candidate.head.interval_levels, hyperparameters.interval_level, check.order_count
        )
        answers[name] = forecasts(
            check.survival, check.targets, own, check.cap, horizons(hyperparameters)
        )
    model = candidates[MODEL]
    check, levels = model.checks[protocol], model.head.interval_levels
    return GapEvaluation(
        split.whole.customer[check.targets.row],
        outcomes(check.targets),
        check.cap,
        answers,
        segments(split.whole, check.targets),
        [
            (level, coverage(check, uncalibrated_level(levels, level, check.order_count)))
            for level in NOMINAL_LEVELS
        ],
        **groups(protocol, split, model.head.population, check.survival, check.targets),
    )


def horizons(hyperparameters: Hyperparameters) -> list[int]:
    """The horizons that are forecast, and 30 days, by which models are compared."""
    return sorted({*hyperparameters.horizons, 30})
