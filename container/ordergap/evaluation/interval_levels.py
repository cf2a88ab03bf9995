"""Which of a curve's own levels an interval has to have so that it holds as often as it says.

See docs/decisions/survival.md#interval-levels-are-of-groups-and-carried-to-twice-the-window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordergap.evaluation.gaps import outcomes
from ordergap.evaluation.metrics import coverage_and_width
from ordergap.evaluation.segments import ORDERS
from ordergap.survival.curve import Survival
from ordergap.survival.targets import Targets

NOMINAL_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
GROUPS = (*ORDERS.values(),)
"""The least orders so far of each group of customers that has levels of its own."""
_ENOUGH = 50  # rows, for a group to have a level of its own
_WINDOWS = 2  # a level is to hold over so many times the window that it was checked on
_OWN = np.linspace(0.02, 0.98, 49)

Levels = Mapping[str, Mapping[str, float]]
"""Least orders of a group -> nominal level -> the curves' own central level that covers it."""


class Check(NamedTuple):
    """The curves of one protocol's n rows, what came, the cap in days, and orders so far (n,)."""

    survival: Survival
    targets: Targets
    cap: float
    order_count: NDArray[np.int64]

    def bare(self) -> Check:
        """The same, without what the curves keep for later questions: twice their own size."""
        return self._replace(survival=Survival(self.survival.days, self.survival.log_s))


def uncalibrated_levels(checks: Sequence[Check]) -> dict[str, dict[str, float]]:
    """The levels of each of `GROUPS`, from the checks of all protocols together.

    An interval capped at the window holds most gaps by itself where the window is short. So the
    coverage that was checked is carried to a window twice as long: plus what the curves foresee
    there, less what they foresee for the window checked. The curves' own levels are searched on a
    fine grid, and each nominal level takes the narrowest that covers it, averaged over the checks;
    one that even the widest does not cover takes the widest. A group never has a lower level than
    all customers together, whose level it has where it is small. A check without a row to judge is
    left out; where none has one the nominal levels stand.
    """
    found = [each for check in checks if (each := _judged(check))]
    if not found:
        return {str(group): {str(n): n for n in NOMINAL_LEVELS} for group in GROUPS}
    every = _narrowest(np.mean([covered[0] for covered, _ in found], axis=0))
    levels = {}
    for i, group in enumerate(GROUPS, start=1):
        of_group = [(covered[i], rows[i]) for covered, rows in found if rows[i]]
        own = every
        if sum(rows for _, rows in of_group) >= _ENOUGH:
            own = np.maximum(own, _narrowest(np.mean([each for each, _ in of_group], axis=0)))
        levels[str(group)] = {
            str(n): round(float(level), 4) for n, level in zip(NOMINAL_LEVELS, own, strict=True)
        }
    return levels


def coverage(check: Check, level: float | NDArray[np.float64]) -> float:
    """How often the curves' own central `level` holds the gap, all capped; NaN: not judged."""
    what = outcomes(check.targets)
    low, high = _ends(check.survival, check.targets, level)
    return coverage_and_width(low, high, what.gap, what.follow_up, check.cap)[0]


def _judged(check: Check) -> tuple[NDArray[np.float64], list[int]] | None:
    """Carried coverage (1 + groups, own levels) of all rows and of each group, and their rows."""
    what, cap = outcomes(check.targets), check.cap
    judged = what.follow_up >= cap
    if not judged.any():
        return None
    group = np.searchsorted(GROUPS, check.order_count[judged], side="right")
    members = [np.ones(len(group), bool), *(group == i for i in range(1, len(GROUPS) + 1))]
    gap = np.minimum(what.gap[judged], cap)
    covered = np.full((len(members), len(_OWN)), np.nan)
    for column, level in enumerate(_OWN.tolist()):
        low, high = (end[judged] for end in _ends(check.survival, check.targets, level))
        holds = (np.minimum(low, cap) <= gap) & (gap <= np.minimum(high, cap))
        carried = holds + _foreseen(low, high, level, _WINDOWS * cap)
        carried -= _foreseen(low, high, level, cap)
        for row, some in enumerate(members):
            if some.any():
                covered[row, column] = carried[some].mean()
    return covered, [int(some.sum()) for some in members]


def _ends(
    survival: Survival, targets: Targets, level: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of the curves' own central interval, in days still to wait."""
    waited, tail = targets.left_truncation, (1 - np.asarray(level)) / 2
    low, high = (survival.quantile(q, waited) - waited for q in (tail, 1 - tail))
    return low, high


def _foreseen(
    low: NDArray[np.float64], high: NDArray[np.float64], level: float, cap: float
) -> NDArray[np.float64]:
    """(n,) the curves' own probability that the interval holds the gap, both capped."""
    return np.select([low >= cap, high >= cap], [1.0, (1 + level) / 2], level)


def _narrowest(covered: NDArray[np.float64]) -> NDArray[np.float64]:
    """The narrowest of the own levels that covers each nominal level; else the widest."""
    enough = covered[:, None] >= NOMINAL_LEVELS
    return _OWN[np.where(enough.any(axis=0), enough.argmax(axis=0), len(_OWN) - 1)]
