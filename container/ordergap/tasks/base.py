"""What a task is: everything that depends on the question, and nothing else."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import JsonValue

from ordergap.checkpoints import Checkpoints, FitCheckpoint, raise_if_stopped
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import EvaluationProtocol, Metric, ProtocolMetrics, TaskMetrics
from ordergap.evaluation.compare import Comparison, Evaluation, Metrics, as_json
from ordergap.evaluation.segments import LEAST_CUSTOMERS
from ordergap.features import attribute_names
from ordergap.histories import Histories
from ordergap.hosts import ALONE, Hosts
from ordergap.leads.table import LeadTable
from ordergap.models.base import Head, TaskForecast
from ordergap.models.forecasts import Forecasts
from ordergap.outliers import OutlierStudy
from ordergap.report.contents import Outlook, TaskContents
from ordergap.stopping import Stopping, never


@dataclass(frozen=True)
class Execution:
    """How a job runs.

    hosts        that share the fits
    stopping     whether the job is to stop
    checkpoints  of the job; None: it keeps none
    """

    hosts: Hosts = ALONE
    stopping: Stopping = never
    checkpoints: Checkpoints | None = None

    def checkpoint(self, name: str) -> FitCheckpoint:
        """Where the state of the fit `name` is kept."""
        return FitCheckpoint(self.checkpoints, name)

    def raise_if_stopped(self) -> None:
        """Between two phases without a model: raises Stopped where the job is to stop."""
        raise_if_stopped(self.stopping, self.checkpoints)


@dataclass(frozen=True, eq=False)
class Split:
    """Orders until `cutoff` are learnt from; what happened then, until `as_of`, validates.

    whole  past and later orders
    """

    whole: Histories
    cutoff: int
    as_of: int

    @cached_property
    def past(self) -> Histories:
        """The orders until the cutoff."""
        return self.whole.until(self.cutoff)


@dataclass(frozen=True, eq=False)
class Learning:
    """What a task learns from.

    histories   the orders until `as_of`
    outliers    which customers are not learnt from
    heads       of the tasks before this one, learnt from the same orders
    leads       all that are known, whose events after `as_of` are not to be looked at; None: none
    replicates  that the intervals of the validation are of; 0: it has none
    """

    hyperparameters: Hyperparameters
    histories: Histories
    as_of: int
    outliers: OutlierStudy
    execution: Execution = field(default_factory=Execution)
    heads: Mapping[str, Head] = field(default_factory=dict)
    leads: LeadTable | None = None
    replicates: int = 40

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The features of attributes that a tabular model reads; see `features.names`."""
        return attribute_names(self.histories)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted head, what drives it, and who was not learnt from."""

    head: Head
    outliers: OutlierStudy
    drivers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Validation:
    """What validation in time chose and showed; nothing, where there was too little data.

    chosen       for the fit on everything
    fit          what was validated, which has not learnt from the later days
    evaluations  protocol -> the model's forecasts beside those of naive
    comparisons  protocol -> their metrics, the model's intervals, the differences; and the metrics
                 of further baselines, without differences
    """

    chosen: Mapping[str, float | bool] = field(default_factory=dict)
    fit: Fit | None = None
    evaluations: Mapping[EvaluationProtocol, Evaluation] = field(default_factory=dict)
    comparisons: Mapping[EvaluationProtocol, Comparison] = field(default_factory=dict)

    @property
    def scores(self) -> dict[EvaluationProtocol, dict[str, Metrics]]:
        """Protocol -> "model" and baselines -> metric -> value."""
        return {protocol: each.metrics for protocol, each in self.comparisons.items()}


@dataclass(frozen=True)
class Findings:
    """What a backtest says of a task beside its metrics.

    tables   lines for people
    content  protocol -> the same as JSON, by name
    verdict  a few lines in plain words, of all that was judged
    """

    tables: Sequence[str] = ()
    content: Mapping[EvaluationProtocol, Mapping[str, JsonValue]] = field(default_factory=dict)
    verdict: Sequence[str] = ()


class Task(ABC):
    """One question about a customer.

    name         as in `contract.tasks.TASKS`
    title        for people
    rival        the baseline whose differences are in metrics.json; None: the first
    needs_leads  whether it is asked of leads, so that there must be some
    metrics      those that are shown, compared and gated by
    """

    name: ClassVar[str]
    title: ClassVar[str]
    rival: ClassVar[str | None] = None
    needs_leads: ClassVar[bool] = False
    metrics: ClassVar[Mapping[str, Metric]]

    def unanswerable(self, hyperparameters: Hyperparameters, histories: Histories) -> str | None:  # noqa: ARG002
        """Why this question is not asked of such orders, in a sentence; None where it is."""
        return None

    def asked(self, hyperparameters: Hyperparameters) -> bool:  # noqa: ARG002
        """Whether it is to be answered where the data allow it."""
        return True

    def lost(self, validation: Validation) -> str | None:
        """Why its answers are not good enough to be given, in a sentence; None where they are.

        A few customers show no loss: `LEAST_CUSTOMERS` at least are judged at the cutoff.
        """
        judged = validation.evaluations.get(EvaluationProtocol.AT_CUTOFF)
        if judged is None or len(np.unique(judged.customer)) < LEAST_CUSTOMERS:
            return None
        return self.behind(validation.comparisons[EvaluationProtocol.AT_CUTOFF])

    def behind(self, comparison: Comparison) -> str | None:  # noqa: ARG002
        """In what it is surely worse than a baseline that counts, in a sentence; None: in nothing.

        comparison  of the validation, at the cutoff
        """
        return None

    @abstractmethod
    def search(self, learning: Learning, split: Split) -> Validation:
        """Learn until the cutoff, choose what foresees best what came after, and score it.

        `learning` has the orders until the cutoff of `split`. When the job is to stop, the best so
        far is scored; Stopped where there is none.
        """

    @abstractmethod
    def fit(self, learning: Learning, validation: Validation) -> Fit:
        """The head learnt from every order of `learning`, with what the validation chose.

        When the job is to stop it is the validated one; Stopped without it.
        """

    @abstractmethod
    def evaluate(
        self,
        learning: Learning,
        validation: Validation,
        split: Split,
        heads: Mapping[str, Head],
        caps: Mapping[EvaluationProtocol, float] | None = None,
    ) -> dict[EvaluationProtocol, Evaluation]:
        """Forecasts of what came after the cutoff, by `heads` and by baselines.

        heads  name -> head learnt from the orders until the cutoff; the model's name is MODEL
        caps   days at which errors are capped; None: as the length of the follow-up suggests
        """

    @abstractmethod
    def contents(
        self,
        histories: Histories,
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        forecast: TaskForecast | None,
    ) -> TaskContents:
        """What the report says.

        histories    every order that was read
        comparisons  of the validation, or of all cutoffs of a backtest
        evaluations  the single ones that were compared
        forecast     of every customer as of the last day; None in a backtest and for what lost
        """

    def outlook(self, forecasts: Forecasts, head: Head) -> Outlook | None:  # noqa: ARG002
        """The page in front of a training job's report; None: this task has none.

        forecasts  of every customer as of the last day, at the horizons of `training.report_data`
        head       of this task, which made its part of them
        """
        return None

    @abstractmethod
    def findings(
        self,
        cutoffs: Sequence[datetime.date],
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        hyperparameters: Hyperparameters,
    ) -> Findings:
        """What a backtest says beside the metrics.

        comparisons  over all cutoffs, of which `evaluations` has those of each
        """

    def training_metrics(self, validation: Validation) -> TaskMetrics:
        """What goes into metrics.json."""
        protocols = {}
        for protocol, comparison in validation.comparisons.items():
            baselines = [*comparison.differences]
            rival = self.rival if self.rival in baselines else next(iter(baselines), None)
            protocols[protocol] = ProtocolMetrics.model_validate({
                "cap": as_json(validation.evaluations[protocol].cap),
                "scores": as_json(comparison.metrics),
                "intervals": as_json(comparison.intervals),
                **({"baseline": rival, "differences": as_json(comparison.differences[rival])}
                   if rival else {}),
            })  # fmt: skip
        return TaskMetrics(
            chosen=dict(validation.chosen), definitions=dict(self.metrics), protocols=protocols
        )
