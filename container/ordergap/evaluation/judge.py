"""Curves against outcomes: the two protocols' metrics, and interval levels that hold on later data.

Protocol B, every order: its gap is forecast at the order. Protocol A, every customer: the days
still to wait are forecast at a cutoff, given the days already waited. One function serves both,
since the days waited (`Targets.entry`) are 0 in B.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap.evaluation.metrics import Outcomes, Predicted, coverage_and_width, evaluate
from ordergap.survival.curve import Survival
from ordergap.survival.targets import Targets

NOMINAL_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CAP_SHARE_B = 0.64  # of the window: an order needs so much follow-up to be judged


def judge(
    survival: Survival,
    targets: Targets,
    inner_level: float,
    cap: float,
    horizons: Sequence[int] = (30,),
) -> dict[str, float]:
    """Every metric of `evaluate` for the days still to wait, capped at `cap` days.

    inner_level  the curves' own central level of the interval
    """
    forecast = forecasts(survival, targets, inner_level, cap, horizons)
    return evaluate(forecast, outcomes(targets), cap)


def forecasts(
    survival: Survival,
    targets: Targets,
    inner_level: float,
    cap: float,
    horizons: Sequence[int] = (30,),
) -> Predicted:
    """The days still to wait that the curves foresee, given the days already waited.

    Rows are ranked by the probability of an order within `cap` days: where many medians lie beyond
    anything that was watched, they would rank by how the curves' tails are drawn.
    """
    tail = (1 - inner_level) / 2
    left = targets.entry
    median, low, high = survival.quantile(np.c_[[0.5, tail, 1 - tail]], left) - left
    *probabilities, soon = survival.probability_within(np.c_[[*horizons, cap]], left)
    return Predicted(median, low, high, dict(zip(horizons, probabilities, strict=True)), soon)


def outcomes(targets: Targets) -> Outcomes:
    """What happened after the days already waited."""
    return Outcomes(targets.gap - targets.entry, targets.observed, targets.watched - targets.entry)


def inner_levels(checks: list[tuple[Survival, Targets, float]]) -> dict[str, float]:
    """Nominal level -> the curves' own central level whose capped interval covers so much.

    checks  curves, outcomes and cap of each protocol; their coverages are averaged

    The curves' own levels are searched on a fine grid, and each nominal level takes the narrowest
    that covers it; a level that even the widest does not cover takes the widest. A check without
    a row to judge is left out, and where none has one the nominal levels stand.
    """
    own = np.linspace(0.02, 0.98, 49)
    covered = np.array([[_covered(check, level) for level in own] for check in checks])
    judged = covered[~np.isnan(covered).any(axis=1)]
    if len(judged) == 0:
        return {str(nominal): nominal for nominal in NOMINAL_LEVELS}
    narrowest = np.searchsorted(judged.mean(axis=0), NOMINAL_LEVELS)
    inner = own[np.minimum(narrowest, len(own) - 1)]
    return {str(n): round(float(i), 4) for n, i in zip(NOMINAL_LEVELS, inner, strict=True)}


def _covered(check: tuple[Survival, Targets, float], level: float) -> float:
    survival, targets, cap = check
    left, tail = targets.entry, (1 - level) / 2
    what = outcomes(targets)
    low, high = (survival.quantile(q, left) - left for q in (tail, 1 - tail))
    return coverage_and_width(low, high, what.gap, what.follow_up, cap)[0]


def window_caps(cutoff: int, as_of: int) -> NDArray[np.float64]:
    """Caps in days of protocols A and B for outcomes between `cutoff` and `as_of`."""
    window = as_of - cutoff
    return np.array([window, int(window * CAP_SHARE_B)], float)
