"""What a report is made of: plain figures, collected by the job that has them."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ordergap.contract.metrics import EvaluationProtocol, Metric
from ordergap.contract.orders import DataReport
from ordergap.models.population import Expected

Metrics = dict[str, float]
"""Metric -> value, NaN where it could not be judged; and `rows` where known."""
Difference = tuple[float, float, float]
"""Model less baseline, and the interval's low and high end."""


@dataclass(frozen=True)
class Histogram:
    """(from, to, count) of bars side by side."""

    title: str
    bars: Sequence[tuple[float, float, int]]
    x: str
    y: str


@dataclass(frozen=True)
class Steps:
    """(x, share) of a curve that falls in steps from 1."""

    title: str
    points: Sequence[tuple[float, float]]
    x: str
    y: str


@dataclass(frozen=True)
class Columns:
    """(label, count) of columns side by side.

    ends  (low, high) of an interval around each; empty: without intervals
    """

    title: str
    columns: Sequence[tuple[str, float]]
    x: str
    y: str
    ends: Sequence[tuple[float, float]] = ()


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
class Ranked:
    """(name, meaning, value, the value as text) of horizontal bars, one below the other."""

    title: str
    bars: Sequence[tuple[str, str, float, str]]
    head: tuple[str, str, str] = ("Name", "Meaning", "Value")


@dataclass(frozen=True)
class Table:
    """Texts in rows.

    words   columns whose texts are words; those of the others are figures
    strong  (row, column) of texts in bold
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)
    strong: Collection[tuple[int, int]] = ()


Chart = Histogram | Steps | Columns | Diagonal | Ranked


@dataclass(frozen=True)
class Section:
    """A part of the report that a task adds: its charts side by side, then its tables.

    absent  what stands there instead if no block has anything to show
    """

    name: str
    title: str
    blocks: Sequence[Chart | Table]
    introduction: str = ""
    absent: str = "Left out: there is nothing to show."


@dataclass(frozen=True)
class Judged:
    """One protocol's verdict on later data.

    cap          days at which errors, intervals and gaps are capped; NaN: nothing is
    metrics      "model" and baselines -> their metrics, the model first
    differences  baseline -> metric -> difference, where they were drawn
    segments     segment -> the model's metrics on it
    calibration  of probabilities and intervals
    """

    cap: float
    metrics: Mapping[str, Metrics]
    differences: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)
    segments: Mapping[str, Metrics] = field(default_factory=dict)
    calibration: Sequence[Diagonal] = ()


@dataclass(frozen=True)
class TaskContents:
    """What the report says of one task.

    metrics   the metrics that are shown; the first stands for all where there is room for one
    sections  of this task alone
    use       what its forecasts are for
    limits    name -> what they cannot know
    findings  on what -> what was found, in words, above all else
    """

    title: str
    metrics: Mapping[str, Metric]
    judged: Mapping[EvaluationProtocol, Judged]
    sections: Sequence[Section] = ()
    use: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, str] = field(default_factory=dict)

    @property
    def scores(self) -> dict[EvaluationProtocol, Mapping[str, Metrics]]:
        """Protocol -> "model" and baselines -> their metrics."""
        return {protocol: each.metrics for protocol, each in self.judged.items()}


@dataclass(frozen=True)
class Listed:
    """A ranked list of customers.

    table      the first of them; without rows: nobody is on the list
    absent     what stands in the table's place then
    customers  how many are on the list
    file_name  of the download
    csv        the list, or its first `rows` rows, below the names of its columns
    """

    name: str
    title: str
    meaning: str
    absent: str
    table: Table
    customers: int
    file_name: str
    csv: str
    rows: int


@dataclass(frozen=True)
class Outlook:
    """The first page: how many customers order in the days ahead, and which of them matter.

    from_day, until_day  the week ahead, both among its days
    known                customers who are known
    level                of every interval
    ordering             customers whose next order falls in the week
    amount               of one usual order of each; None where some amounts are unknown
    weeks                the same customers, of this week and the next ones
    """

    from_day: datetime.date
    until_day: datetime.date
    known: int
    level: float
    ordering: Expected
    amount: float | None
    weeks: Columns
    lists: Sequence[Listed]


@dataclass(frozen=True)
class Contents:
    """Everything in the report; an empty part leaves its section out with a word on why.

    title     such as "Model 4aee195b4aff" or "Backtest at 4 cutoffs"
    card      label -> text: kind of model, learnt from … until …, validated after, settings
    data      what was read and what became of it
    tasks     name -> what is said of it
    drivers   (feature, mean absolute SHAP value), largest first
    outliers  a sentence on the filter; then name ("with the filter", …) -> the first task's metrics
    caution   why the coverage may look better than it is
    outlook   the page in front of all that; None: there is none
    inputs    the latest orders beside those before; None: they were not compared
    """

    title: str
    card: Mapping[str, str]
    data: DataReport
    tasks: Mapping[str, TaskContents]
    drivers: Sequence[tuple[str, float]] = ()
    outliers: tuple[str, Mapping[str, Metrics]] | None = None
    caution: str = ""
    outlook: Outlook | None = None
    inputs: Section | None = None


@dataclass(frozen=True)
class Followed:
    """The page "Was it right?": stored forecasts beside what came of them.

    until     the last day that is known
    judged    cohorts of which something has passed
    alarms    on what -> a sentence; none: nothing is amiss
    sections  of days ahead, of each further question, and of the latest orders
    """

    until: datetime.date
    judged: int
    alarms: Mapping[str, str]
    sections: Sequence[Section]
