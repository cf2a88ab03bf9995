"""The five lines in plain words with which a backtest of the task "next order" ends.

See docs/decisions/evaluation.md#a-backtest-ends-with-a-verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ordergap.contract.metrics import BG_NBD, MODEL
from ordergap.evaluation.baselines import MEAN_GAP
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import GapEvaluation
from ordergap.evaluation.segments import LEAST_CUSTOMERS, ORDERS, SilenceGroup
from ordergap.report.numbers import plain

RIVALS = {BG_NBD: "BG/NBD", MEAN_GAP: "own mean gap"}
AHEAD, BEHIND = "the model is ahead", "the model is behind"
_UNFOLLOWED = "nobody was followed for long enough"


class _Figure(NamedTuple):
    """A metric as the verdict says it.

    unit    what it is shown as so many of, such as 100 for percent
    sign    1 where lower is better, else -1
    absent  why there is none
    """

    metric: str
    words: str
    unit: float
    sign: int
    absent: str


_DATES = _Figure("capped_mae", "off by {} days on average", 1, 1, _UNFOLLOWED)
_RANKING = _Figure(
    "concordance",
    "right in {}% of pairs of customers",
    100,
    -1,
    "there are no two customers of whom it is known who ordered first",
)
_HARDLY_RANKS = 0.55  # of pairs; a coin is right in half
SLACK = 0.1  # of weekly intervals that may miss beyond their level, before sums are not held
LOW, HIGH = 0.05, 0.08  # of an interval's level: how far below and above it a group may be covered


def verdict(
    comparison: Comparison,
    judged: Sequence[GapEvaluation],
    off: Sequence[SilenceGroup],
    level: float,
) -> list[str]:
    """Dates, ranking, weekly sums, intervals, and what is weak: a line each.

    comparison  of the protocol "at cutoff", over all cutoffs, of which `judged` has each
    off         the groups of silences that are off
    level       of intervals
    """
    return [
        f"Dates: {_beside(comparison, _DATES)}",
        f"Ranking: {_beside(comparison, _RANKING)}",
        f"Weeks: {_weeks(judged, level)}",
        f"Intervals: {_intervals(comparison, level)}",
        f"Weak: {'; '.join(_weaknesses(comparison, judged, off, level)) or 'nothing stands out'}",
    ]


def _beside(comparison: Comparison, figure: _Figure) -> str:
    """The model's figure beside the rivals'."""

    def shown(value: float, *, sign: bool = False) -> str:
        return plain(figure.unit * value, 1, sign=sign)

    value = comparison.metrics[MODEL][figure.metric]
    if math.isnan(value):
        return f"not judged: {figure.absent}"
    parts = [figure.words.format(shown(value))]
    for rival, name in RIVALS.items():
        if rival not in comparison.differences:
            parts.append(f"{name} could not be fitted")
            continue
        gain, low, high = (
            shown(each, sign=True) for each in comparison.differences[rival][figure.metric]
        )
        other = shown(comparison.metrics[rival][figure.metric])
        side = _side(comparison, rival, figure)
        parts.append(f"{name} {other}: {side} ({gain}, interval {low} to {high})")
    return "; ".join(parts)


def _side(comparison: Comparison, rival: str, figure: _Figure) -> str:
    """Whether the model is ahead, by the whole interval of the difference."""
    _, *ends = comparison.differences[rival][figure.metric]
    if max(figure.sign * end for end in ends) < 0:
        return AHEAD
    return BEHIND if min(figure.sign * end for end in ends) > 0 else "no clear difference"


def _weeks(judged: Sequence[GapEvaluation], level: float) -> str:
    held = _held(judged, level)
    if not held:
        return "not judged: less than a week was followed"
    first = [each.weeks[0] for each in judged if each.weeks]
    expected, came = sum(week.expected for week in first), sum(week.came for week in first)
    return (
        f"{'held' if _sums_hold(held, level) else 'NOT held'}: of {len(held)} weekly sums "
        f"{sum(held)} lie in their {level:.0%} interval; "
        f"in the first weeks {plain(expected)} expected, {plain(came)} came"
    )


def _held(judged: Sequence[GapEvaluation], level: float) -> list[bool]:
    """Of each week of each cutoff, whether the interval of its sum held."""
    return [week.held(each.weekly_error, level) for each in judged for week in each.weeks]


def _sums_hold(held: Sequence[bool], level: float) -> bool:
    return sum(held) >= (level - SLACK) * len(held)


def _covered(comparison: Comparison) -> dict[str, float]:
    """Group by number of orders -> coverage of its intervals, where that was judged."""
    covered = {name: comparison.segments[name][MODEL]["coverage"] for name in ORDERS}
    return {name: share for name, share in covered.items() if not math.isnan(share)}


def _narrow(comparison: Comparison, level: float) -> list[str]:
    return [name for name, share in _covered(comparison).items() if share < level - LOW]


def _intervals(comparison: Comparison, level: float) -> str:
    covered = _covered(comparison)
    if not covered:
        return f"not judged: {_UNFOLLOWED}"
    wide = [name for name, share in covered.items() if share > level + HIGH]
    faults = [
        f"{word} for {' and '.join(names)}"
        for word, names in (("too narrow", _narrow(comparison, level)), ("wide", wide))
        if names
    ]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in covered.items())
    return f"{'; '.join(faults) or 'held'}: the {level:.0%} interval holds for {shares}"


def _weaknesses(
    comparison: Comparison,
    judged: Sequence[GapEvaluation],
    off: Sequence[SilenceGroup],
    level: float,
) -> Iterator[str]:
    """What is weak, and what to do about it."""
    customers = max(len(each.customer) for each in judged)
    if customers < LEAST_CUSTOMERS:
        yield f"{customers} customers at most are few, and every figure is rough: give more orders"
    if (ranking := comparison.metrics[MODEL]["concordance"]) < _HARDLY_RANKS:
        yield (
            f"ranking is hardly better than chance ({ranking:.0%} of pairs): give a longer period, "
            "and check that the customer column tells customers apart"
        )
    behind = [
        word
        for word, figure in (("dates", _DATES), ("ranking", _RANKING))
        if BG_NBD in comparison.differences and _side(comparison, BG_NBD, figure) == BEHIND
    ]
    if behind:
        yield f"BG/NBD is ahead in {' and '.join(behind)}: give a longer period of orders"
    if narrow := _narrow(comparison, level):
        yield f"dates of customers with {' and '.join(narrow)} are less sure than their interval"
    held = _held(judged, level)
    if held and not _sums_hold(held, level):
        yield "sums by week miss: plan with a margin, and look at the table by week"
    if off:
        worst = max(off, key=lambda group: abs(group.foreseen - group.came))
        yield (
            f"customers of the group {worst}: "
            f"{worst.foreseen:.0%} foreseen, {worst.came:.0%} came: rank them, but do not rely on "
            "their probabilities"
        )
