"""What the grades of several weeks say together: where somebody is to look, and why.

See docs/decisions/evaluation.md#the-level-has-an-allowance-for-the-season.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np

from ordergap.evaluation.cohorts import Rank
from ordergap.evaluation.drift import DAYS, Drift
from ordergap.follow.grades import Grade, Graded
from ordergap.histories import date_of

Kind = Literal["level", "rank", "ageing", "inputs"]
SURE = 3.0  # standard errors
RANK_LOST = 0.05  # of the AUC
MAIN = 30  # days ahead
EARLIER = 90  # days: of cohorts that another is held against, before the outcomes of its own


@dataclass(frozen=True)
class Alarm:
    """One kind of alarm, in cohorts that follow one another, or of the latest orders.

    days          ahead; of inputs, the latest days that are compared with those before
    since, until  as_of of the first and the last cohort, or the first and the last of those days
    current       whether the last cohort that can be judged is among them
    retrain       whether a new model may help; the season's level is no reason
    """

    kind: Kind
    days: int
    since: int
    until: int
    current: bool
    retrain: bool
    sentence: str


def with_earlier(cohorts: Sequence[Graded]) -> list[Graded]:
    """The cohorts, which are by rising day, with their rank beside that of earlier ones.

    Earlier ones are of the same role, by any model, and their outcomes were known by the day of the
    forecast. One whose own rank sounds is no measure for others.
    """
    found: list[Graded] = []
    for each in cohorts:
        grades = {}
        for days, grade in each.grades.items():
            before = [
                was.grades[days].rank
                for was in found
                if was.about.role == each.about.role
                and days <= each.about.as_of - was.about.as_of < days + EARLIER
                and days in was.grades
                and not np.isnan(was.grades[days].rank.error)
                and not rank_lost(was.grades[days])
            ]
            grades[days] = replace(grade, earlier=grade.rank.beside(before) if before else None)
        found.append(replace(each, grades=grades))
    return found


def alarms(cohorts: Sequence[Graded]) -> list[Alarm]:
    """Every alarm of the champions' cohorts, `with_earlier`, which are by rising day."""
    days = {days for each in cohorts for days in each.grades}
    main = main_days(days)
    return [
        alarm
        for ahead in sorted(days)
        if ahead <= main
        for kind, rule in _RULES.items()
        if kind == "level" or ahead == main
        for alarm in rule([each for each in cohorts if ahead in each.grades], ahead)
    ]


def input_alarms(found: Drift, watermark: int) -> list[Alarm]:
    """That of the orders until `watermark`; none where they are as before, or too few to tell."""
    names = [name for name, each in found.features.items() if each.drifted]
    if not names:
        return []
    largest = max(names, key=lambda name: found.features[name].excess)
    drifted = found.features[largest]
    return [
        Alarm(
            "inputs", DAYS, watermark - DAYS + 1, watermark, current=True, retrain=True,
            sentence=f"the {found.recent:,} orders of the last {DAYS} days are not as the "
            f"{found.earlier:,} before them: {', '.join(names)} (most {largest}, whose stability "
            f"index exceeds chance by {drifted.excess:.2f}, usually by up to {drifted.usual:.2f}). "
            "Look at prices, units and the feed; where the change is meant, train anew",
        )
    ]  # fmt: skip


def main_days(days: set[int]) -> int:
    """The days ahead by which models are told apart: the least from `MAIN` on, or the most."""
    return min((each for each in days if each >= MAIN), default=max(days, default=MAIN))


def _runs(
    cohorts: Sequence[Graded], days: int, least: int, sounds: Callable[[Grade], bool]
) -> Iterator[tuple[list[Graded], bool]]:
    """Spans of `least` cohorts or more that it sounds in; whether the last cohort is among them."""
    for sounding, span in groupby(cohorts, lambda each: sounds(each.grades[days])):
        found = [*span]
        if sounding and len(found) >= least:
            yield found, found[-1] is cohorts[-1]


def _when(span: Sequence[Graded]) -> str:
    first, last = (date_of(span[i].about.as_of) for i in (0, -1))
    return f"as of {first}" if len(span) == 1 else f"in {len(span)} weeks, {first} to {last}"


def level_off(grade: Grade) -> bool:
    """Whether more or fewer came than chance and the season explain; sounds in two cohorts."""
    return abs(grade.level.z) > SURE


def rank_lost(grade: Grade) -> bool:
    """Whether the AUC is far below the validation's or earlier cohorts', and not by chance."""
    return _far_below(grade.rank) or (grade.earlier is not None and _far_below(grade.earlier))


def _far_below(rank: Rank) -> bool:
    return rank.difference < -RANK_LOST and rank.z < -SURE


def behind(grade: Grade) -> bool:
    """Whether the challenger's forecasts are better; sounds in two cohorts."""
    return grade.ageing is not None and grade.ageing.z > SURE


def _level(cohorts: Sequence[Graded], days: int) -> Iterator[Alarm]:
    for span, current in _runs(cohorts, days, 2, level_off):
        level = span[-1].grades[days].level
        word = "more" if level.z > 0 else "fewer"
        yield _alarm(
            "level", days, span, current,
            f"{word} customers ordered within {days} days than the season explains, {_when(span)}: "
            f"at last {level.came:,} came and {level.foreseen:,.0f} were foreseen (z "
            f"{level.z:+.1f}). A new model would not mend it: look at prices, promotions and the "
            "feed of orders",
        )  # fmt: skip


def _rank(cohorts: Sequence[Graded], days: int) -> Iterator[Alarm]:
    for span, current in _runs(cohorts, days, 1, rank_lost):
        grade = span[-1].grades[days]
        rank, other = grade.rank, "the validation of its model"
        if grade.earlier and not _far_below(rank):
            rank, other = grade.earlier, "that of earlier cohorts"
        yield _alarm(
            "rank", days, span, current,
            f"forecasts no longer tell who orders within {days} days as they did, {_when(span)}: "
            f"the last AUC was {rank.auc:.3f}, {-rank.difference:.3f} below {other}. Look whether "
            "orders are of the right customers, and train anew",
        )  # fmt: skip


def _ageing(cohorts: Sequence[Graded], days: int) -> Iterator[Alarm]:
    compared = [each for each in cohorts if each.grades[days].ageing]
    for span, current in _runs(compared, days, 2, behind):
        ageing = span[-1].grades[days].ageing
        assert ageing  # noqa: S101 - only those sound
        yield _alarm(
            "ageing", days, span, current,
            f"the champion is behind the challenger within {days} days, whatever the season, "
            f"{_when(span)}: at last its Brier score was {ageing.difference:.5f} higher (z "
            f"{ageing.z:+.1f}). Promote the challenger, or train anew",
        )  # fmt: skip


def _alarm(kind: Kind, days: int, span: Sequence[Graded], current: bool, said: str) -> Alarm:
    since, until = span[0].about.as_of, span[-1].about.as_of
    return Alarm(kind, days, since, until, current, kind != "level", said)


_RULES: dict[Kind, Callable[[Sequence[Graded], int], Iterator[Alarm]]] = {
    "level": _level,
    "rank": _rank,
    "ageing": _ageing,
}
