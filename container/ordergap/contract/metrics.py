"""metrics.json: how a training job's model did on the days after those it had learnt from."""

from __future__ import annotations

import datetime

from pydantic import BaseModel, ConfigDict, Field

METRICS_SCHEMA_VERSION = 1

Value = float | None
"""A metric; null where no row could be judged by it."""


class TrainingMetrics(BaseModel):
    """The validation of one model, by protocol: "every customer" and "every order".

    Metrics are `capped_mae` in days, `concordance`, `auc_30`, `brier_30`, `ece_30` and so on for
    each horizon, `coverage` and `width` of the interval, and `rows`: how many could be watched
    until the cap.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = METRICS_SCHEMA_VERSION
    trainer: str
    validated_after: datetime.date
    """The last day learnt from before validating."""
    stopped_early: bool = False
    """Whether the job was told to stop: the model learnt from the days until then alone."""
    found: dict[str, bool | float] = Field(default_factory=dict)
    """What the validation settled, such as the number of rounds."""
    caps: dict[str, float] = Field(default_factory=dict)
    """Protocol -> days at which errors are capped."""
    validation: dict[str, dict[str, dict[str, Value]]] = Field(default_factory=dict)
    """Protocol -> trainer, and "naive" beside it -> metric -> value. Empty: too little data."""
    interval_level: float = 0.9
    """How often the intervals below hold; they come from drawing customers again."""
    intervals: dict[str, dict[str, tuple[Value, Value]]] = Field(default_factory=dict)
    """Protocol -> metric -> (low, high) of the model."""
    differences: dict[str, dict[str, tuple[Value, Value, Value]]] = Field(default_factory=dict)
    """Protocol -> metric -> (model less naive, low, high), both on the same draws of customers."""
