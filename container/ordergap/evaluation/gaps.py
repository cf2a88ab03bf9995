"""Survival curves against gaps: forecasts of the days still to wait, and what they score.

At the cutoff, every customer's days still to wait are forecast, given the days already waited. At
the order, the gap that it opens is. One function serves both, since the days waited
(`Targets.left_truncation`) are 0 at an order.

See docs/decisions/evaluation.md#concordance-ranks-by-probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap.contract.metrics import EvaluationProtocol, Metric
from ordergap.evaluation.compare import Evaluation, Metrics
from ordergap.evaluation.metrics import (
    Outcomes,
    Predicted,
    Rows,
    evaluate,
)
from ordergap.evaluation.segments import SilenceGroup, StatusOutcome
from ordergap.models.population import Expected, sum_interval
from ordergap.survival.curve import Survival, central_levels
from ordergap.survival.targets import Targets

CAP_SHARE_AT_ORDER = 0.64  # of the window: an order needs so much follow-up to be judged

BOTH = (EvaluationProtocol.AT_CUTOFF, EvaluationProtocol.AT_ORDER)
METRICS: dict[str, Metric] = {
    "capped_mae": Metric(
        title="capped error", unit="days", digits=2, better="lower", decides=BOTH,
        meaning="Mean distance of the forecast from what came, both capped. Lower is better.",
        sentence="Forecast dates are off by {value} on average",
        naive="a customer's own average gap",
    ),
    "concordance": Metric(
        title="concordance", better="higher", decides=BOTH,
        meaning="Of two customers, how often the one forecast to order first did. "
        "0.5 is a coin's.",
    ),
    "auc_30": Metric(
        title="AUC, 30 days", better="higher",
        meaning="How often who ordered within 30 days had a higher probability than who did not.",
    ),
    "brier_30": Metric(
        title="Brier, 30 days", better="lower",
        meaning="Mean squared distance of that probability from 0 or 1, what came. "
        "Lower is better.",
    ),
    "coverage": Metric(
        title="interval holds", unit="share", digits=2,
        meaning="Share of later gaps inside the interval. Best near its nominal level.",
    ),
    "width": Metric(
        title="its width", unit="days", digits=1,
        meaning="Mean length of the interval, capped. "
        "Of two that hold as often, the narrower is better.",
    ),
}  # fmt: skip
"""The metrics that are shown; `evaluate` has more, of each horizon."""


@dataclass(frozen=True, eq=False)
class GapEvaluation(Evaluation):
    """Forecasts of the n days still to wait, and what came.

    forecasts  the model, as MODEL, and baselines -> their forecasts of the n rows
    coverage   (nominal level, share of gaps in the model's interval), rising; empty: not taken

    Of the protocol "at cutoff" alone, by the model, and empty otherwise:

    weeks         customers foreseen to order in each week ahead, and those who came
    weekly_error  relative standard deviation of their sums beyond chance, as the model has it
    by_status     status -> what became of its customers, in the enum's sequence
    silences      groups by orders so far and days waited; those without a customer are left out
    """

    customer: NDArray[np.str_] | NDArray[np.int64]
    outcomes: Outcomes
    cap: float
    forecasts: Mapping[str, Predicted]
    segments: Mapping[str, NDArray[np.bool_]]
    coverage: Sequence[tuple[float, float]] = ()
    weeks: Sequence[Week] = ()
    weekly_error: float = 0.0
    by_status: Mapping[str, StatusOutcome] = field(default_factory=dict)
    silences: Sequence[SilenceGroup] = ()

    @property
    @override
    def names(self) -> Sequence[str]:
        return [*self.forecasts]

    @override
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        if rows is None:
            return evaluate(self.forecasts[name], self.outcomes, self.cap)
        return evaluate(self.forecasts[name][rows], self.outcomes[rows], self.cap)


def forecasts(
    survival: Survival,
    targets: Targets,
    level: float | NDArray[np.float64],
    cap: float,
    horizons: Sequence[int] = (30,),
) -> Predicted:
    """The days still to wait that the curves foresee, given the days already waited.

    level  the curves' own central level of the interval, one for all or (n,)

    Rows are ranked by the probability of an order within `cap` days: where many medians lie beyond
    any follow-up, they would rank by how the curves' tails are drawn.
    """
    waited = targets.left_truncation
    median, low, high = survival.quantile(central_levels(level, len(targets)), waited) - waited
    *probabilities, risk_score = survival.probability_within(np.c_[[*horizons, cap]], waited)
    return Predicted(median, low, high, dict(zip(horizons, probabilities, strict=True)), risk_score)


def outcomes(targets: Targets) -> Outcomes:
    """What happened after the days already waited."""
    waited = targets.left_truncation
    return Outcomes(targets.gap - waited, targets.observed, targets.follow_up - waited)


WEEKS = tuple(range(7, 57, 7))
"""Ends of the weeks ahead, in days, for which it is forecast how many customers order."""


class Week(NamedTuple):
    """How many customers were foreseen to order in a week, and how many came."""

    until: int
    expected: float
    variance: float
    came: int

    def interval(self, error: float, level: float) -> Expected:
        """The number foreseen, with its interval; `error` as `Population.weekly_error`."""
        return sum_interval(self.expected, self.variance, level, error)

    def held(self, error: float, level: float) -> bool:
        """Whether the interval holds those who came."""
        _, low, high = self.interval(error, level)
        return low <= self.came <= high


def weeks(survival: Survival, targets: Targets) -> list[Week]:
    """Each of `WEEKS` that the follow-up of all rows spans: next orders foreseen and come.

    The days already waited are given. `variance` is that of the number by chance alone.
    """
    if not len(targets):
        return []
    what, waited = outcomes(targets), targets.left_truncation
    ends = [until for until in WEEKS if until <= what.follow_up.min()]
    within = survival.probability_within(np.reshape(ends, (-1, 1)), waited)
    result: list[Week] = []
    for until, each in zip(ends, np.diff(within, axis=0, prepend=0.0), strict=True):
        came = what.observed & (what.gap > until - 7) & (what.gap <= until)
        result.append(
            Week(until, float(each.sum()), float((each * (1 - each)).sum()), int(came.sum()))
        )
    return result


def weekly_error(weeks: Sequence[Week]) -> float:
    """The relative standard deviation of those who came from those foreseen, beyond chance.

    The squared errors less the variance by chance, over the squared sums; 0 without a week.
    """
    foreseen = sum(week.expected**2 for week in weeks)
    beyond = sum((week.came - week.expected) ** 2 - week.variance for week in weeks)
    return math.sqrt(max(beyond, 0.0) / foreseen) if foreseen else 0.0


def window_caps(cutoff: int, as_of: int) -> dict[EvaluationProtocol, float]:
    """The cap of each protocol, in days, for outcomes between `cutoff` and `as_of`."""
    window = as_of - cutoff
    return {
        EvaluationProtocol.AT_CUTOFF: float(window),
        EvaluationProtocol.AT_ORDER: float(int(window * CAP_SHARE_AT_ORDER)),
    }
