"""The task "next order": when will the customer order again?"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, cast

import numpy as np
from typing_extensions import override

from ordergap import features
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import BG_NBD, MODEL, NAIVE, EvaluationProtocol, Metric
from ordergap.contract.trainers import NaiveParameters
from ordergap.evaluation.baselines import BASELINES, learnt
from ordergap.evaluation.compare import Comparison, Evaluation, compare_each
from ordergap.evaluation.gaps import (
    METRICS,
    GapEvaluation,
    forecasts,
    outcomes,
    weekly_error,
    weeks,
    window_caps,
)
from ordergap.evaluation.interval_levels import Check, uncalibrated_levels
from ordergap.evaluation.leaks import refuse_too_good, warn_of_attributes
from ordergap.evaluation.segments import segments
from ordergap.histories import Histories
from ordergap.models.base import Head, TaskForecast
from ordergap.models.forecasts import Forecasts
from ordergap.models.levels import uncalibrated_level
from ordergap.models.next_order import NextOrderForecast, NextOrderHead
from ordergap.models.population import Population, averages, in_parts
from ordergap.outliers import OutlierStudy
from ordergap.report.contents import Outlook, TaskContents
from ordergap.stopping import Stopped
from ordergap.survival.targets import Targets, order_gaps
from ordergap.tasks import next_order_rows as rows
from ordergap.tasks.base import Findings, Fit, Learning, Split, Task, Validation
from ordergap.tasks.next_order_candidates import Candidate, evaluation, horizons
from ordergap.tasks.next_order_contents import contents
from ordergap.tasks.next_order_findings import findings
from ordergap.tasks.next_order_groups import groups
from ordergap.tasks.next_order_outlook import outlook
from ordergap.tasks.next_order_rival import rival_metrics
from ordergap.trainers.base import FitRequest, Sample, time_grid
from ordergap.trainers.factory import make_trainer

CALENDAR_DAYS = 2 * 365


class NextOrder(Task):
    """The gap to the next order, as a survival curve."""

    name: ClassVar[str] = "next_order"
    title: ClassVar[str] = "Next order"
    metrics: ClassVar[Mapping[str, Metric]] = METRICS

    @override
    def search(self, learning: Learning, split: Split) -> Validation:
        """See `Task.search`.

        With `calendar` auto and two full years of history both ways are tried, with calendar
        features and without, and the one with the lower Brier score is kept. With a single year
        the calendar was measured to hurt, and is off.
        """
        h = learning.hyperparameters
        calendars = [h.calendar == "on"]
        span = split.as_of - int(split.whole.day.min()) + 1
        if h.calendar == "auto" and span >= CALENDAR_DAYS:
            calendars = [False, True]
        train, protocols = rows.past_gaps(split), rows.protocols(split)
        if not all(each.observed.any() for each in (train, *protocols.values())):
            return Validation(chosen={"calendar": calendars[-1]})
        kept, outliers = rows.kept(learning, train)
        naive_settings = h.model_copy(update={"trainer": NaiveParameters()})
        naive = replace(learning, hyperparameters=naive_settings)
        candidates = {NAIVE: self._validated(naive, split, kept, outliers, calendar=False)}
        if h.trainer.name == NAIVE:
            best = candidates.pop(NAIVE)
        else:
            best = self._best(learning, split, kept, outliers, calendars)
        candidates |= self._plainer(learning, split, kept, outliers, best)
        evaluations = {
            protocol: evaluation(h, split, protocol, {MODEL: best, **candidates})
            for protocol in protocols
        }
        comparisons = compare_each(evaluations, h.seed, learning.replicates)
        warn_of_attributes(comparisons[EvaluationProtocol.AT_CUTOFF])
        for protocol, metrics in rival_metrics(h, split).items():
            comparisons[protocol].metrics[BG_NBD] = metrics
        return Validation(best.chosen, best.fit, evaluations, comparisons)

    def _best(
        self,
        learning: Learning,
        split: Split,
        train: Targets,
        outliers: OutlierStudy,
        calendars: Sequence[bool],
    ) -> Candidate:
        candidates: list[Candidate] = []
        for calendar in calendars:
            try:
                candidates.append(
                    self._validated(learning, split, train, outliers, calendar=calendar)
                )
            except Stopped:
                if not candidates:
                    raise
        return min(candidates, key=Candidate.brier) if len(candidates) > 1 else candidates[0]

    def _plainer(
        self,
        learning: Learning,
        split: Split,
        train: Targets,
        outliers: OutlierStudy,
        best: Candidate,
    ) -> dict[str, Candidate]:
        """Variants without hashed columns or attributes; none where a job is to stop."""
        made, calendar = {}, bool(best.chosen["calendar"])
        for of, variant in rows.plainer(learning).items():
            with suppress(Stopped):
                each = self._validated(variant, split, train, outliers, calendar=calendar, of=of)
                if not learning.execution.stopping():
                    made[of] = each
        return made

    def _validated(
        self,
        learning: Learning,
        split: Split,
        train: Targets,
        outliers: OutlierStudy,
        *,
        calendar: bool,
        of: str = "",
    ) -> Candidate:
        learning.execution.raise_if_stopped()
        h, protocols = learning.hyperparameters, rows.protocols(split)
        trainer = make_trainer(h, calendar=calendar, more=learning.attribute_names)
        known, names = rows.known(split), trainer.feature_names
        samples = [rows.sample(known[each], names, targets) for each, targets in protocols.items()]
        name = f"{self.name}, validated{' with calendar' * calendar}{of and f', {of}'}"
        request = self._request(learning, rows.sample(split.whole, names, train), name)
        fitted = trainer.fit(replace(request, validation=samples[0] + samples[1]))
        caps = window_caps(split.cutoff, split.as_of)
        checks = {
            protocol: Check(
                fitted.model.survival(sample.features),
                targets,
                caps[protocol],
                split.whole.order_number[targets.row],
            )
            for (protocol, targets), sample in zip(protocols.items(), samples, strict=True)
        }
        waits = checks[EvaluationProtocol.AT_CUTOFF]
        population = Population(
            averages([(waits.survival, waits.targets.left_truncation)]),
            weekly_error(weeks(waits.survival, waits.targets)),
        )
        head = NextOrderHead(fitted.model, uncalibrated_levels([*checks.values()]), population)
        fit = Fit(head, outliers, fitted.drivers)
        bare = {protocol: check.bare() for protocol, check in checks.items()}
        return Candidate({"calendar": calendar, **fitted.chosen}, fit, bare)

    @override
    def fit(self, learning: Learning, validation: Validation) -> Fit:
        if stopped := _stopped(learning, validation):
            return stopped
        h = learning.hyperparameters
        train, outliers = rows.kept(learning, order_gaps(learning.histories, learning.as_of))
        calendar = bool(validation.chosen.get("calendar"))
        trainer = make_trainer(h, calendar=calendar, more=learning.attribute_names)
        sample = rows.sample(learning.histories, trainer.feature_names, train)
        request = self._request(learning, sample, f"{self.name}, final")
        chosen = {name: value for name, value in validation.chosen.items() if name != "calendar"}
        fitted = trainer.fit(replace(request, chosen=chosen or None))
        last = learning.histories.last_row
        elapsed = (learning.as_of - learning.histories.day[last]).astype(float)
        known = learning.histories.as_known(learning.as_of)
        newest = features.compute(known, trainer.feature_names, last)
        average = averages(in_parts(fitted.model, newest, elapsed))
        validated = _validated_head(validation)
        error = validated.population.weekly_error if validated else 0.0
        levels = validated.interval_levels if validated else {}
        head = NextOrderHead(fitted.model, levels, Population(average, error))
        return _stopped(learning, validation) or Fit(head, outliers, fitted.drivers)

    @staticmethod
    def _request(learning: Learning, train: Sample, name: str) -> FitRequest:
        execution = learning.execution
        return FitRequest(
            train,
            time_grid(train.gap, train.observed, learning.hyperparameters.time_bins),
            hosts=execution.hosts,
            stopping=execution.stopping,
            checkpoint=execution.checkpoint(name),
        )

    @override
    def evaluate(
        self,
        learning: Learning,
        validation: Validation,
        split: Split,
        heads: Mapping[str, Head],
        caps: Mapping[EvaluationProtocol, float] | None = None,
    ) -> dict[EvaluationProtocol, Evaluation]:
        h, past = learning.hyperparameters, learning.histories
        level, ahead = h.interval_level, horizons(h)
        gaps = order_gaps(past, split.cutoff)
        baselines = learnt(BASELINES, past, gaps, split.cutoff)
        validated, order_number = _validated_head(validation), split.whole.order_number
        levels = validated.interval_levels if validated else {}
        models = {name: cast("NextOrderHead", head).model for name, head in heads.items()}
        matrices = rows.matrices(split, models[MODEL].feature_names)
        evaluations: dict[EvaluationProtocol, Evaluation] = {}
        caps = caps or window_caps(split.cutoff, split.as_of)
        for protocol, targets in rows.protocols(split).items():
            cap = caps[protocol]
            own = uncalibrated_level(levels, level, order_number[targets.row])
            curves = {
                name: each.survival(matrices[protocol][targets.row])
                for name, each in models.items()
            }
            answers = {
                name: forecasts(each, targets, own, cap, ahead) for name, each in curves.items()
            }
            for name, each in baselines.items():
                survival = each.survival(split.whole, targets)
                answers[name] = forecasts(survival, targets, level, cap, ahead)
            owner = split.whole.customer[targets.row]
            population = cast("NextOrderHead", heads[MODEL]).population
            judged = GapEvaluation(
                np.array(split.whole.customer_ids)[owner],
                outcomes(targets),
                cap,
                answers,
                segments(split.whole, targets),
                **groups(protocol, split, population, curves[MODEL], targets),
            )
            if protocol == EvaluationProtocol.AT_ORDER:
                refuse_too_good(judged)
            evaluations[protocol] = judged
        return evaluations

    @override
    def contents(
        self,
        histories: Histories,
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        forecast: TaskForecast | None,
    ) -> TaskContents:
        return contents(
            self.title,
            histories,
            comparisons,
            cast("Mapping[EvaluationProtocol, Sequence[GapEvaluation]]", evaluations),
            cast("NextOrderForecast | None", forecast),
        )

    @override
    def outlook(self, forecasts: Forecasts, head: Head) -> Outlook:
        forecast = cast("NextOrderForecast", forecasts.tasks[self.name])
        return outlook(forecasts, forecast, cast("NextOrderHead", head).population.weekly_error)

    @override
    def findings(
        self,
        cutoffs: Sequence[datetime.date],
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        hyperparameters: Hyperparameters,
    ) -> Findings:
        judged = cast("Mapping[EvaluationProtocol, Sequence[GapEvaluation]]", evaluations)
        return findings(cutoffs, comparisons, judged, hyperparameters.interval_level)


def _validated_head(validation: Validation) -> NextOrderHead | None:
    return cast("NextOrderHead", validation.fit.head) if validation.fit else None


def _stopped(learning: Learning, validation: Validation) -> Fit | None:
    """The validated model where the job is to stop, Stopped without it; else None."""
    execution = learning.execution
    if not validation.fit:
        execution.raise_if_stopped()
    return validation.fit if execution.stopping() else None
