"""The task "first order": which lead becomes a customer, and when?"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, cast

import numpy as np
from typing_extensions import override

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, EvaluationProtocol, Metric
from ordergap.errors import NothingToLearn
from ordergap.evaluation.compare import Comparison, Evaluation, compare_each
from ordergap.evaluation.first_order import METRICS, LeadEvaluation
from ordergap.histories import Histories, date_of
from ordergap.leads.features import LeadFeatures
from ordergap.leads.rows import LeadRows, days_until, rows_of
from ordergap.leads.table import LeadTable, first_orders
from ordergap.models.base import Head, TaskForecast
from ordergap.models.first_order import FirstOrderHead
from ordergap.outliers import no_outliers
from ordergap.report.contents import TaskContents
from ordergap.tasks.base import Findings, Fit, Learning, Split, Task, Validation
from ordergap.tasks.first_order_contents import contents, verdict
from ordergap.trainers.base import FitRequest, Sample, time_grid
from ordergap.trainers.first_order import FirstOrderTrainer, classified, ranked

HORIZON = 30
"""Days ahead at which first orders are judged."""
EVENTS, DIRECT, SHARE = "events of 30 days", "direct classifier", "share of all"
USUAL_ROUNDS = 100
_AT_CUTOFF = EvaluationProtocol.AT_CUTOFF


class FirstOrder(Task):
    """The days until a lead's first order, as a survival curve."""

    name: ClassVar[str] = "first_order"
    title: ClassVar[str] = "First order of leads"
    rival: ClassVar[str | None] = SHARE
    needs_leads: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, Metric]] = METRICS

    @override
    def lost(self, validation: Validation) -> str | None:
        if not validation.comparisons:
            return (
                "too few leads ordered before or after the cutoff to judge the forecasts: give "
                "leads and orders of a longer period"
            )
        return super().lost(validation)

    @override
    def behind(self, comparison: Comparison) -> str | None:
        differences = comparison.differences
        if differences.get(EVENTS, {}).get("auc", (0, 0, 0))[2] < 0:
            return f"on later days it ranks leads surely worse than their {EVENTS} do"
        if differences[SHARE]["brier"][1] > 0:
            return "on later days its Brier score is surely worse than that of one share for all"
        return None

    @override
    def search(self, learning: Learning, split: Split) -> Validation:
        """See `Task.search`. The rounds are chosen on days before the cutoff."""
        columns = LeadFeatures.of(_leads(learning), learning.as_of)
        chosen = {"rounds": self._rounds(learning, columns)}
        if not _rows(learning, columns, learning.as_of).ordered.any():
            return Validation(chosen)
        fit = self._fitted(learning, columns, chosen, "validated")
        validation = Validation(chosen, fit)
        evaluations = self.evaluate(learning, validation, split, {MODEL: fit.head})
        judged = cast("LeadEvaluation | None", evaluations.get(_AT_CUTOFF))
        if not judged or not 0 < judged.ordered.sum() < len(judged.ordered):
            return validation
        seed = learning.hyperparameters.seed
        comparisons = compare_each(evaluations, seed, learning.replicates)
        return replace(validation, evaluations=evaluations, comparisons=comparisons)

    def _rounds(self, learning: Learning, columns: LeadFeatures) -> float:
        """How many do best in the last 30 days, learnt from the days before; else the usual."""
        leads, end = _leads(learning), learning.as_of
        before = end - HORIZON
        train = _rows(learning, columns, before)
        check = rows_of(leads, first_orders(leads, learning.histories), columns, [before], end)
        if not train.ordered.any() or not check.ordered.any():
            return float(min(USUAL_ROUNDS, _most_rounds(learning.hyperparameters)))
        trainer = FirstOrderTrainer(learning.hyperparameters, columns.names)
        name = f"{self.name}, rounds, {end}"
        request = replace(_request(learning, _sample(train), name), validation=_sample(check))
        return trainer.fit(request).chosen["rounds"]

    def _fitted(
        self, learning: Learning, columns: LeadFeatures, chosen: Mapping[str, float], name: str
    ) -> Fit:
        rows = _rows(learning, columns, learning.as_of)
        if not rows.ordered.any():
            raise NothingToLearn(
                f"no lead who was known on one of the {learning.hyperparameters.lead_cutoffs} days "
                f"before {date_of(learning.as_of)} ordered until then: give leads and orders of a "
                "longer period, or raise lead_cutoffs or lead_step_days"
            )
        sample = _sample(rows)
        request = _request(learning, sample, f"{self.name}, {name}")
        trainer = FirstOrderTrainer(learning.hyperparameters, columns.names)
        fitted = trainer.fit(replace(request, chosen=chosen))
        return Fit(FirstOrderHead(fitted.model, columns), no_outliers(learning.histories))

    @override
    def fit(self, learning: Learning, validation: Validation) -> Fit:
        if validation.fit and learning.execution.stopping():
            return validation.fit
        columns = LeadFeatures.of(_leads(learning), learning.as_of)
        chosen = {"rounds": float(validation.chosen["rounds"])}
        return self._fitted(learning, columns, chosen, "final")

    @override
    def evaluate(
        self,
        learning: Learning,
        validation: Validation,
        split: Split,
        heads: Mapping[str, Head],
        caps: Mapping[EvaluationProtocol, float] | None = None,
    ) -> dict[EvaluationProtocol, Evaluation]:
        leads, h = _leads(learning), learning.hyperparameters
        horizon = min(HORIZON, split.as_of - split.cutoff)
        models = {name: cast("FirstOrderHead", head) for name, head in heads.items()}
        columns = models[MODEL].columns
        first = first_orders(leads, split.whole)
        rows = rows_of(leads, first, columns, [split.cutoff], split.as_of)
        if not len(rows):
            return {}
        of_rows = leads.pick(rows.lead)
        answers = {
            name: head.probability(of_rows, rows.as_of, (horizon,))[0]
            for name, head in models.items()
        }
        past = _rows(learning, columns, learning.as_of, least=horizon)
        label = past.ordered & (past.wait <= horizon)
        share = float(label.mean()) if len(label) else 0.0
        if 0 < share < 1:
            events = columns.names.index("events, 30 days")
            answers[EVENTS] = ranked(past.features[:, events], label, rows.features[:, events])
            rounds = int(validation.chosen["rounds"])
            trainer = FirstOrderTrainer(h, columns.names)
            answers[DIRECT] = classified(trainer, past.features, label, rows.features, rounds)
        answers[SHARE] = np.full(len(rows), share)
        ids = np.array(of_rows.lead_ids, np.str_)
        ordered = rows.ordered & (rows.wait <= horizon)
        return {_AT_CUTOFF: LeadEvaluation(ids, answers, ordered, horizon, cap=float(horizon))}

    @override
    def contents(
        self,
        histories: Histories,
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        forecast: TaskForecast | None,
    ) -> TaskContents:
        judged = cast("Sequence[LeadEvaluation]", evaluations.get(_AT_CUTOFF, []))
        return contents(self.title, comparisons, judged)

    @override
    def findings(
        self,
        cutoffs: Sequence[datetime.date],
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        hyperparameters: Hyperparameters,
    ) -> Findings:
        return Findings(verdict=verdict(comparisons[_AT_CUTOFF]))


def _leads(learning: Learning) -> LeadTable:
    assert learning.leads is not None  # noqa: S101 - the task is asked only where there are leads
    return learning.leads


def _rows(learning: Learning, columns: LeadFeatures, end: int, least: int = 0) -> LeadRows:
    """Leads as of several days before `end`, followed up until it, for `least` days or more."""
    leads, h = _leads(learning), learning.hyperparameters
    days = days_until(end, int(leads.first_seen.min()), h.lead_step_days, h.lead_cutoffs)
    days = [day for day in days if day <= end - least]
    return rows_of(leads, first_orders(leads, learning.histories), columns, days, end)


def _sample(rows: LeadRows) -> Sample:
    return Sample(rows.features, rows.wait, rows.ordered, np.zeros(len(rows)))


def _request(learning: Learning, sample: Sample, name: str) -> FitRequest:
    execution = learning.execution
    return FitRequest(
        sample,
        time_grid(sample.gap, sample.observed, learning.hyperparameters.time_bins),
        hosts=execution.hosts,
        stopping=execution.stopping,
        checkpoint=execution.checkpoint(name),
    )


def _most_rounds(hyperparameters: Hyperparameters) -> int:
    return int(getattr(hyperparameters.trainer, "num_round", USUAL_ROUNDS))
