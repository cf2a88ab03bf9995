"""Search on the past, fit on everything: both through the same few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from container import features
from container.contract.hyperparameters import Hyperparameters
from container.contract.manifest import inner_level
from container.evaluation.judge import inner_levels, judge, window_caps
from container.histories import Histories
from container.models.base import Model
from container.outliers import OutlierStudy, keep_mask
from container.targets import Targets, every_order
from container.trainers.base import Sample, time_grid
from container.trainers.factory import make_trainer
from container.training.split import Split

Scores = dict[str, dict[str, dict[str, float]]]
"""Protocol -> trainer -> metric -> value."""


@dataclass(frozen=True)
class Findings:
    """What validation in time settled; nothing, where there was nothing to validate on.

    found            rounds and the like, for the fit on everything
    interval_levels  nominal level -> the model's own level that covers it
    scores           the metrics of the model beside those of the naive baseline
    """

    found: Mapping[str, float] | None = None
    interval_levels: dict[str, float] = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, JsonValue]:
        """What goes into metrics.json; a metric that could not be judged is null."""
        scores: dict[str, JsonValue] = {
            protocol: {
                name: {metric: None if isnan(value) else value for metric, value in each.items()}
                for name, each in models.items()
            }
            for protocol, models in self.scores.items()
        }
        return {"found": dict(self.found or {}), "validation": scores}


def search(hyperparameters: Hyperparameters, split: Split, *, calendar: bool) -> Findings:
    """Fit on the past, look for what foresees best what came after, and score it beside naive."""
    if not split.usable:
        return Findings()
    past = split.whole.until(split.cutoff)
    learn, _ = _learnt(hyperparameters, past, split.learn)
    caps = window_caps(split.cutoff, split.as_of)
    checks = dict(zip(("every customer", "every order"), (split.waits, split.orders), strict=True))
    scores: Scores = {name: {} for name in checks}
    naive = hyperparameters.model_copy(update={"trainer": "naive"})
    for each in dict.fromkeys((naive, hyperparameters)):
        trainer = make_trainer(each, calendar=calendar)
        matrix = features.compute(split.whole, trainer.feature_names)
        samples = [_sample(matrix, targets) for targets in checks.values()]
        days = time_grid(learn.gap, learn.observed, each.time_bins)
        fitted = trainer.fit(_sample(matrix, learn), days, samples[0] + samples[1])
        curves = [fitted.model.survival(sample.features) for sample in samples]
        levels = inner_levels(list(zip(curves, checks.values(), caps, strict=True)))
        own = inner_level(levels, each.interval_level)
        for curve, (name, targets), cap in zip(curves, checks.items(), caps, strict=True):
            scores[name][each.trainer] = judge(curve, targets, own, cap)
    return Findings(fitted.found, levels, scores)


def fit_all(
    hyperparameters: Hyperparameters,
    histories: Histories,
    as_of: int,
    found: Mapping[str, float] | None,
    *,
    calendar: bool,
) -> tuple[Model, OutlierStudy]:
    """The model learnt from every order until `as_of`, outliers set aside."""
    learn, study = _learnt(hyperparameters, histories, every_order(histories, as_of))
    trainer = make_trainer(hyperparameters, calendar=calendar)
    matrix = features.compute(histories, trainer.feature_names)
    days = time_grid(learn.gap, learn.observed, hyperparameters.time_bins)
    return trainer.fit(_sample(matrix, learn), days, None, found).model, study


def _learnt(
    hyperparameters: Hyperparameters, histories: Histories, targets: Targets
) -> tuple[Targets, OutlierStudy]:
    """The gaps to learn from: without the outliers', unless only they have gaps that ended."""
    contamination = hyperparameters.outlier_contamination
    study = keep_mask(histories, contamination, hyperparameters.seed)
    learn = targets[np.repeat(study.keep, histories.order_count)]
    if not learn.observed.any():
        return targets, keep_mask(histories, 0, hyperparameters.seed)
    return learn, study


def _sample(matrix: NDArray[np.float32], targets: Targets) -> Sample:
    return Sample(matrix[targets.row], targets.gap, targets.observed, targets.entry)
