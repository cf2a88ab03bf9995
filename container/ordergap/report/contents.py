"""What a report is made of: plain figures, collected by the job that has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ordergap.contract.metrics import Metric
from ordergap.contract.orders import DataReport

Metrics = dict[str, float]
"""Metric -> value, NaN where it could not be judged; and `rows` where known."""


@dataclass(frozen=True)
class Histogram:
    """(from, to, count) of equally wide bars."""

    title: str
    bars: Sequence[tuple[float, float, int]]
    x: str
    y: str


@dataclass(frozen=True)
class Steps:
    """(x, share) of a curve that falls in steps."""

    title: str
    points: Sequence[tuple[float, float]]
    x: str
    y: str


@dataclass(frozen=True)
class Columns:
    """(label, count) of columns side by side."""

    title: str
    columns: Sequence[tuple[str, int]]
    x: str
    y: str


@dataclass(frozen=True)
class Diagonal:
    """What was forecast against what came, both shares: best on the diagonal.

    points  (forecast, came); NaN where there are no rows
    rows    behind each point; empty where the points are a curve
    error   mean distance from the diagonal; None where it was not taken
    """

    title: str
    points: Sequence[tuple[float, float]]
    x: str
    y: str
    rows: Sequence[int] = ()
    error: float | None = None


@dataclass(frozen=True)
class Table:
    """Texts in rows; of the columns `words` the texts are words, of the others figures."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)


Block = Histogram | Steps | Columns | Diagonal | Table


@dataclass(frozen=True)
class Section:
    """A part of the report that a task adds; without blocks `absent` says why."""

    name: str
    title: str
    blocks: Sequence[Block]
    introduction: str = ""
    absent: str = "Left out: there is nothing to show."


@dataclass(frozen=True)
class Judged:
    """One protocol's verdict on later data.

    cap          days at which errors, intervals and gaps are capped; NaN: nothing is
    metrics      "model" and baselines -> their metrics, the model first
    differences  baseline -> metric -> (model less baseline, low, high), where they were drawn
    segments     segment -> the model's metrics on it
    calibration  of probabilities and intervals
    """

    cap: float
    metrics: dict[str, Metrics]
    differences: dict[str, dict[str, tuple[float, float, float]]] = field(default_factory=dict)
    segments: dict[str, Metrics] = field(default_factory=dict)
    calibration: Sequence[Diagonal] = ()


@dataclass(frozen=True)
class TaskContents:
    """What the report says of one task.

    metrics   the metrics that are shown
    judged    protocol -> verdict
    sections  of this task alone
    """

    title: str
    metrics: Mapping[str, Metric]
    judged: Mapping[str, Judged]
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class Contents:
    """Everything on the page; an empty part leaves its section out with a word on why.

    title     such as "Model 4aee195b4aff" or "Backtest at 4 cutoffs"
    card      label -> text: kind of model, learnt from … until …, validated after, settings
    data      what was read and what became of it
    tasks     name -> what is said of it
    drivers   (feature, mean absolute SHAP value in log-odds of an order), largest first
    outliers  a sentence on the filter; then name ("with the filter", …) -> metrics
    """

    title: str
    card: Mapping[str, str]
    data: DataReport
    tasks: Mapping[str, TaskContents]
    drivers: Sequence[tuple[str, float]] = ()
    outliers: tuple[str, dict[str, Metrics]] | None = None
