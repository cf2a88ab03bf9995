"""One cutoff of the backtest: learn from the rows until a day, forecast, keep what is needed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ordergap import features, ingest
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import inner_level
from ordergap.errors import AlgorithmError
from ordergap.evaluation.baselines import BASELINES
from ordergap.evaluation.compare import MODEL, Protocol
from ordergap.evaluation.judge import forecasts, outcomes, window_caps
from ordergap.evaluation.metrics import Outcomes, Predicted
from ordergap.evaluation.segments import segments
from ordergap.histories import date_of
from ordergap.survival.targets import every_order
from ordergap.training.fitting import fit_all, judged_horizons, search
from ordergap.training.split import later_split, temporal_split

UNFILTERED = "model, no outlier filter"
MEAN_GAP = "customer mean gap"
LEAK_R2 = 0.3


@dataclass(frozen=True, eq=False)
class Fold:
    """What one cutoff gave: protocol -> forecasts, orders learnt from, revenue not learnt from."""

    cutoff: datetime.date
    until: datetime.date
    learnt: int
    revenue_set_aside: float
    protocols: dict[str, Protocol]


def run_fold(hyperparameters: Hyperparameters, source: Path, cutoff: int, until: int) -> Fold:
    """Learn from the rows of `source` until day `cutoff`, forecast, and watch until day `until`.

    The file is read as it stood at the cutoff: later cancellations of its orders are not known.
    Raises AlgorithmError where a forecast knows what it cannot know honestly.
    """
    columns = hyperparameters.columns
    past = ingest.read(source, columns, as_of=date_of(cutoff)).histories
    if past.day.max() > cutoff:
        raise AlgorithmError(f"an order after the cutoff {date_of(cutoff)} is among the past")
    split = later_split(past, ingest.read(source, columns, as_of=date_of(until)).histories)
    inner = temporal_split(past, hyperparameters.validation_fraction)
    findings = search(hyperparameters, inner)
    fit = fit_all(hyperparameters, past, cutoff, findings)
    model, models = fit.model, {MODEL: fit.model}
    if fit.outliers.set_aside:
        unfiltered = hyperparameters.model_copy(update={"outlier_contamination": 0.0})
        models[UNFILTERED] = fit_all(unfiltered, past, cutoff, findings).model
    matrix = features.compute(split.whole, model.feature_names)
    known = split.whole.day <= cutoff
    if not np.array_equal(
        matrix[known], features.compute(past, model.feature_names), equal_nan=True
    ):
        raise AlgorithmError("a feature of an order changed when later orders were added")
    level, horizons = hyperparameters.interval_level, judged_horizons(hyperparameters)
    own = inner_level(findings.interval_levels, level)
    gaps = every_order(past, cutoff)
    opponents = {name: learn(past, gaps, cutoff) for name, learn in BASELINES.items()}
    protocols = {}
    caps = window_caps(cutoff, split.as_of)
    for (name, targets), cap in zip(split.protocols.items(), caps, strict=True):
        answers = {
            each_name: forecasts(each.survival(matrix[targets.row]), targets, own, cap, horizons)
            for each_name, each in models.items()
        }
        for opponent, learnt in opponents.items():
            guess = learnt.survival(split.whole, targets)
            answers[opponent] = forecasts(guess, targets, level, cap, horizons)
        owner = split.whole.customer[targets.row]
        customer = np.array(split.whole.customer_ids)[owner]
        groups = segments(split.whole, targets)
        protocols[name] = Protocol(customer, outcomes(targets), float(cap), answers, groups)
    refuse_too_good(protocols["every order"])
    return Fold(
        date_of(cutoff), date_of(split.as_of), len(past), fit.outliers.revenue_share, protocols
    )


def refuse_too_good(protocol: Protocol) -> None:
    """Stop where the forecasts explain more of the gaps than honest ones could.

    On this task a share of variance explained above 0.3 is a leak, unless a shop's customers are
    so regular that their mean gap alone explains nearly as much.
    """
    ours, mean_gap = (
        _explained(protocol.forecasts[name], protocol.outcomes) for name in (MODEL, MEAN_GAP)
    )
    if ours > LEAK_R2 and ours > mean_gap + LEAK_R2:
        raise AlgorithmError(
            f"the forecasts explain {ours:.2f} of the gaps' variance, the customers' mean gap "
            f"{max(mean_gap, 0.0):.2f}: a later fact must be among the features"
        )


def _explained(forecast: Predicted, what: Outcomes) -> float:
    """R squared of the medians over the gaps that ended, both capped at the longest of them."""
    gap = what.gap[what.observed].astype(float)
    if len(gap) == 0 or gap.var() == 0:
        return 0.0
    error = np.minimum(forecast.median[what.observed], gap.max()) - gap
    return float(1 - (error**2).mean() / gap.var())
