"""The guard against forecasts that know the future."""

from __future__ import annotations

import logging

import numpy as np

from ordergap.contract.metrics import MODEL, PLAIN
from ordergap.errors import AlgorithmError
from ordergap.evaluation.baselines import MEAN_GAP
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import GapEvaluation
from ordergap.evaluation.metrics import Outcomes, Predicted

log = logging.getLogger("ordergap")

LEAK_R2 = 0.3
LEAK_CONCORDANCE = 0.05
"""What attributes may add at a cutoff: facts were measured to add .01 at most, leaks .16."""


def refuse_too_good(evaluation: GapEvaluation) -> None:
    """Stop where the forecasts explain more of the gaps than honest ones could.

    On this task a share of variance explained above 0.3 is a leak, unless a shop's customers are
    so regular that their mean gap alone explains nearly as much.
    """
    model, mean_gap = (
        _explained(evaluation.forecasts[name], evaluation.outcomes) for name in (MODEL, MEAN_GAP)
    )
    if model > LEAK_R2 and model > mean_gap + LEAK_R2:
        raise AlgorithmError(
            f"the forecasts explain {model:.2f} of the gaps' variance, the customers' mean gap "
            f"{max(mean_gap, 0.0):.2f}: a later fact must be among the features"
        )


def warn_of_attributes(comparison: Comparison) -> None:
    """Warn where attributes make the validation better than facts beside orders do."""
    scores = comparison.metrics
    if PLAIN not in scores:
        return
    with_them, without = (scores[name]["concordance"] for name in (MODEL, PLAIN))
    if with_them - without > LEAK_CONCORDANCE:
        log.warning(
            "  attributes move the concordance from %.3f to %.3f, more than facts beside orders "
            "do: one of them may know what came later. See which, among what drives the model in "
            "its report; give its changes with their days in valid_from, or leave it out",
            without,
            with_them,
        )


def _explained(forecast: Predicted, what: Outcomes) -> float:
    """R squared of the medians over the gaps that ended, both capped at the longest of them."""
    gap = what.gap[what.observed].astype(float)
    if len(gap) == 0 or gap.var() == 0:
        return 0.0
    error = np.minimum(forecast.median[what.observed], gap.max()) - gap
    return float(1 - (error**2).mean() / gap.var())
