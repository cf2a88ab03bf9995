"""metrics.json: how a training job's model did on the days after those it had learnt from."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

METRICS_SCHEMA_VERSION = 2
MODEL, NAIVE, BG_NBD = "model", "naive", "BG/NBD"
"""What the model, the naive baseline and the strongest one are called among scores."""
PLAIN = "model, without attributes"
"""What the same model is called there that has not learnt from attributes."""

Value = float | None
"""A metric; null where no row could be judged by it."""


class EvaluationProtocol(StrEnum):
    """When a forecast that is judged was made."""

    AT_CUTOFF = "at cutoff"
    AT_ORDER = "at order"

    @property
    def meaning(self) -> str:
        """Which forecasts are held against what."""
        return {
            EvaluationProtocol.AT_CUTOFF: "forecasts of every customer on one day, against what "
            "came after it",
            EvaluationProtocol.AT_ORDER: "forecasts at every order after that day, against what "
            "followed the order",
        }[self]

    @property
    def moment(self) -> str:
        """When such a forecast is made, at the end of a sentence."""
        return {
            EvaluationProtocol.AT_CUTOFF: "for every customer on one day",
            EvaluationProtocol.AT_ORDER: "right after an order",
        }[self]


class Metric(BaseModel):
    """What a metric is called, how it is written and which way is better.

    digits    after the decimal point; those of a share before it is written in percent
    better    None: best near a nominal value, as coverage is
    decides   the protocols under which a model must beat naive by it to be promoted
    compared  those under which it must besides not be behind the champion; so do those above
    sentence  says a value, which takes the place of {value}; empty: the title does
    naive     what the naive baseline is, in that sentence's words; empty: "naive"
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    unit: Literal["days", "share", ""] = ""
    digits: int = 3
    better: Literal["lower", "higher"] | None = None
    decides: tuple[EvaluationProtocol, ...] = ()
    compared: tuple[EvaluationProtocol, ...] = ()
    meaning: str
    sentence: str = ""
    naive: str = ""


class ProtocolMetrics(BaseModel):
    """One protocol's verdict.

    Beside the metrics that `TaskMetrics.definitions` names there may be others, such as those of
    further horizons and `rows`: how many rows were followed up to the cap.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cap: Value = None
    """Days at which errors are capped, or that were judged."""
    scores: dict[str, dict[str, Value]]
    """The model, and baselines beside it -> metric -> value."""
    intervals: dict[str, tuple[Value, Value]] = Field(default_factory=dict)
    """Metric -> (low, high) of the model."""
    baseline: str = NAIVE
    """The baseline that `differences` are from."""
    differences: dict[str, tuple[Value, Value, Value]] = Field(default_factory=dict)
    """Metric -> (model less baseline, low, high), both on the same draws of customers."""


class TaskMetrics(BaseModel):
    """The validation of one task; without protocols where there was too little data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chosen: dict[str, bool | float] = Field(default_factory=dict)
    """What was chosen on the validation, such as the number of rounds."""
    definitions: dict[str, Metric] = Field(default_factory=dict)
    """Metric -> its title, unit, digits, direction and meaning."""
    protocols: dict[EvaluationProtocol, ProtocolMetrics] = Field(default_factory=dict)
    """Protocol -> its verdict; empty where there was too little data."""

    @property
    def scores(self) -> dict[EvaluationProtocol, dict[str, dict[str, Value]]]:
        """Protocol -> the model and its baselines -> metric -> value."""
        return {protocol: each.scores for protocol, each in self.protocols.items()}


class LearntFrom(BaseModel):
    """The sample of customers, of whose orders a model learnt and was validated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customers: int
    orders: int
    of_customers: int
    """All that were read."""
    of_orders: int
    """All that were read."""


class InputDrift(BaseModel):
    """How far one feature of the latest orders is from those before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    excess: float
    """The population stability index less what chance alone makes it."""
    usual: float
    """The largest excess of a third of the earlier orders against the rest of them."""
    p: float
    """The probability of an index as large by chance alone."""
    drifted: bool
    """Whether it is large, larger than usual, and no chance."""


class Inputs(BaseModel):
    """The latest orders beside those before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recent_orders: int
    """Orders of the last 28 days."""
    earlier_orders: int
    """Orders of the 84 days before."""
    features: dict[str, InputDrift] = Field(default_factory=dict)
    """Feature -> its drift; empty where there are too few orders, or days, to tell."""

    @property
    def drifted(self) -> list[str]:
        """The features that have."""
        return [name for name, each in self.features.items() if each.drifted]

    @property
    def sentence(self) -> str:
        """What was found."""
        orders = f"{self.recent_orders:,} orders of 28 days beside {self.earlier_orders:,} before"
        if not self.features:
            return f"{orders}: too few, or of too few days, to tell whether they have drifted."
        if not self.drifted:
            return f"{orders}: no feature of them has drifted."
        return (
            f"{orders}: drifted in {', '.join(self.drifted)}; see whether prices, a unit or the "
            "source have changed."
        )


class TrainingMetrics(BaseModel):
    """The validation of one model, by task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = METRICS_SCHEMA_VERSION
    trainer: str
    """What fitted the model."""
    validated_after: datetime.date
    """The last day learnt from before validating."""
    stopped_early: bool = False
    """Whether the job was stopped: the model learnt from the days until then alone."""
    interval_level: float = 0.9
    """How often the intervals of scores hold; they come from drawing customers again."""
    interval_customers: int | None = None
    """The most customers that intervals are computed from, drawn once; null: all."""
    sample: LearntFrom | None = None
    """Null: all orders were learnt from."""
    tasks: dict[str, TaskMetrics] = Field(default_factory=dict)
    """Name of a task -> its validation."""
    unanswered: dict[str, str] = Field(default_factory=dict)
    """Name of a task that was asked for, and that this model does not answer -> why."""
    inputs: Inputs | None = None
    """The latest orders beside those before; null where an earlier version trained."""

    @property
    def answered(self) -> list[str]:
        """The tasks that this model answers."""
        return [task for task in self.tasks if task not in self.unanswered]
