"""Search on the past, fit on everything: both through the same few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.checkpoints import ALONE, Progress
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import inner_level
from ordergap.contract.metrics import TrainingMetrics
from ordergap.evaluation.compare import LEVEL, MODEL, Comparison, Protocol, as_json, compare
from ordergap.evaluation.judge import forecasts, inner_levels, judge, outcomes, window_caps
from ordergap.histories import Histories
from ordergap.models.base import Model
from ordergap.outliers import OutlierStudy, keep_mask
from ordergap.stopping import Stopped
from ordergap.survival.curve import Survival
from ordergap.survival.targets import Targets, every_order
from ordergap.trainers.base import Sample, time_grid
from ordergap.trainers.factory import make_trainer
from ordergap.training.split import Split

CALENDAR_DAYS = 2 * 365
NAIVE = "naive"
REPLICATES = 40

Scores = dict[str, dict[str, dict[str, float]]]
"""Protocol -> trainer -> metric -> value."""


@dataclass(frozen=True, eq=False)
class Check:
    """The model's curves for one protocol of the validation, what came, and the cap in days."""

    survival: Survival
    targets: Targets
    cap: float


@dataclass(frozen=True)
class Findings:
    """What validation in time settled; nothing, where there was nothing to validate on.

    calendar         whether calendar features are used
    found            rounds and the like, for the fit on everything
    interval_levels  nominal level -> the model's own level that covers it
    scores           the metrics of the model beside those of the naive baseline
    checks           protocol -> what the model's metrics were taken from
    comparisons      protocol -> the model's intervals and its differences to the naive baseline
    past             the model that was validated, which has not seen the later days
    """

    calendar: bool
    found: Mapping[str, float] | None = None
    interval_levels: dict[str, float] = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    past: Fit | None = None

    def metrics(
        self, trainer: str, validated_after: date, *, stopped_early: bool = False
    ) -> TrainingMetrics:
        """What goes into metrics.json."""
        return TrainingMetrics.model_validate(
            {
                "trainer": trainer,
                "validated_after": validated_after,
                "stopped_early": stopped_early,
                "found": {"calendar": self.calendar, **(self.found or {})},
                "caps": {protocol: check.cap for protocol, check in self.checks.items()},
                "validation": as_json(self.scores),
                "interval_level": LEVEL,
                "intervals": {
                    protocol: as_json(each.intervals) for protocol, each in self.comparisons.items()
                },
                "differences": {
                    protocol: as_json(each.differences[NAIVE])
                    for protocol, each in self.comparisons.items()
                },
            }
        )


@dataclass(frozen=True, eq=False)
class Fit:
    """The model that is kept, what drives it, and who was not learnt from."""

    model: Model
    drivers: dict[str, float]
    outliers: OutlierStudy


def judged_horizons(hyperparameters: Hyperparameters) -> list[int]:
    """The horizons asked for, and 30 days, by which models are compared."""
    return sorted({*hyperparameters.horizons, 30})


def search(hyperparameters: Hyperparameters, split: Split, progress: Progress = ALONE) -> Findings:
    """Fit on the past, look for what foresees best what came after, and score it beside naive.

    With `calendar` auto and two full years of history both ways are tried, with calendar features
    and without, and the one with the lower Brier score is kept. With a single year the calendar was
    measured to hurt, and is off.

    When `progress` says stop it is the best so far that is scored (Stopped where there is none).
    """
    ways = [hyperparameters.calendar == "on"]
    span = split.as_of - int(split.whole.day.min()) + 1
    if hyperparameters.calendar == "auto" and span >= CALENDAR_DAYS:
        ways = [False, True]
    if not split.usable:
        return Findings(calendar=ways[-1])
    learnt = _learnt(hyperparameters, split.whole.until(split.cutoff), split.learn)
    naive = hyperparameters.model_copy(update={"trainer": NAIVE})
    baseline = _search(naive, split, learnt, progress, calendar=False)
    if hyperparameters.trainer == NAIVE:
        return baseline
    tried: list[Findings] = []
    for way in ways:
        try:
            tried.append(_search(hyperparameters, split, learnt, progress, calendar=way))
        except Stopped:
            if not tried:
                raise
    found = min(
        tried,
        key=lambda each: sum(models[hyperparameters.trainer]["brier_30"]
                             for models in each.scores.values()),
    )  # fmt: skip
    both = {name: baseline.scores[name] | found.scores[name] for name in found.scores}
    comparisons = {
        name: _beside(hyperparameters, split, name, {MODEL: found, NAIVE: baseline})
        for name in found.checks
    }
    return replace(found, scores=both, comparisons=comparisons)


def _beside(
    hyperparameters: Hyperparameters, split: Split, protocol: str, both: Mapping[str, Findings]
) -> Comparison:
    """How sure the model's metrics are, and how far it is from the naive baseline."""
    answers = {}
    for name, findings in both.items():
        own = inner_level(findings.interval_levels, hyperparameters.interval_level)
        check = findings.checks[protocol]
        answers[name] = forecasts(check.survival, check.targets, own, check.cap)
    customer = split.whole.customer[check.targets.row]
    judged = Protocol(customer, outcomes(check.targets), check.cap, answers, {})
    return compare([judged], hyperparameters.seed, REPLICATES)


def _search(
    hyperparameters: Hyperparameters,
    split: Split,
    learnt: tuple[Targets, OutlierStudy],
    progress: Progress,
    *,
    calendar: bool,
) -> Findings:
    progress.proceed()
    learn, study = learnt
    sides = split.protocols
    trainer = make_trainer(hyperparameters, calendar=calendar)
    matrix = features.compute(split.whole, trainer.feature_names)
    samples = [_sample(matrix, targets) for targets in sides.values()]
    days = time_grid(learn.gap, learn.observed, hyperparameters.time_bins)
    progress = progress.of("validated with calendar" if calendar else "validated")
    fitted = trainer.fit(_sample(matrix, learn), days, samples[0] + samples[1], progress=progress)
    caps = window_caps(split.cutoff, split.as_of)
    checks = {
        name: Check(fitted.model.survival(sample.features), targets, float(cap))
        for (name, targets), sample, cap in zip(sides.items(), samples, caps, strict=True)
    }
    levels = inner_levels([(c.survival, c.targets, c.cap) for c in checks.values()])
    own = inner_level(levels, hyperparameters.interval_level)
    scores: Scores = {
        name: {
            hyperparameters.trainer: judge(
                check.survival, check.targets, own, check.cap, judged_horizons(hyperparameters)
            )
        }
        for name, check in checks.items()
    }
    past = Fit(fitted.model, fitted.drivers, study)
    return Findings(calendar, fitted.found, levels, scores, checks, past=past)


def fit_all(
    hyperparameters: Hyperparameters,
    histories: Histories,
    as_of: int,
    findings: Findings,
    progress: Progress = ALONE,
) -> Fit:
    """The model learnt from every order until `as_of`, outliers set aside.

    When `progress` says stop it is the validated one, `findings.past` (Stopped without it).
    """
    progress = progress.of("final")
    if stopped := _stopped(findings, progress):
        return stopped
    learn, study = _learnt(hyperparameters, histories, every_order(histories, as_of))
    trainer = make_trainer(hyperparameters, calendar=findings.calendar)
    matrix = features.compute(histories, trainer.feature_names)
    days = time_grid(learn.gap, learn.observed, hyperparameters.time_bins)
    fitted = trainer.fit(_sample(matrix, learn), days, None, findings.found, progress)
    return _stopped(findings, progress) or Fit(fitted.model, fitted.drivers, study)


def _stopped(findings: Findings, progress: Progress) -> Fit | None:
    """The validated model where the job was told to stop, Stopped without it; else None."""
    if not findings.past:
        progress.proceed()
    return findings.past if progress.stopping() else None


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
