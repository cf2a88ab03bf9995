"""Which of the stored cohorts are graded: one a week, and of one day the run that came last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ordergap.errors import DataError
from ordergap.histories import date_of
from ordergap.scoring import cohorts
from ordergap.scoring.cohorts import About

APART = 4  # days: the least between two cohorts of neighbouring weeks
_MONDAY = 4  # days since 1970-01-01, a Thursday


@dataclass(frozen=True)
class Stored:
    """A cohort's file, and what it is of."""

    path: Path
    about: About

    def __str__(self) -> str:
        return f"{self.path.name} (as of {date_of(self.about.as_of)})"


@dataclass
class Choice:
    """The champions' cohorts that are graded, by day, and the challengers' of the same days.

    left_out  what is not graded, and why: files that cannot be read, runs of one day, days between
    """

    champions: list[Stored] = field(default_factory=list)
    challengers: dict[int, Stored] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def choose(folder: Path) -> Choice:
    """Raises DataError where the folder has no cohort that can be read."""
    choice, found = Choice(), list[Stored]()
    for path in cohorts.find(folder):
        try:
            found.append(Stored(path, cohorts.peek(path)))
        except DataError as error:
            choice.left_out.append(str(error))
    if not found:
        why = f": {'; '.join(choice.left_out[:3])}" if choice.left_out else ""
        raise DataError(f"{folder} has no cohort of forecasts (*.parquet) that can be read{why}")
    champions = _latest(choice, (each for each in found if each.about.role == "champion"))
    choice.champions = _weekly(choice, champions)
    challengers = _latest(choice, (each for each in found if each.about.role == "challenger"))
    days = {each.about.as_of for each in choice.champions}
    choice.challengers = {e.about.as_of: e for e in challengers if e.about.as_of in days}
    if alone := [each for each in challengers if each.about.as_of not in days]:
        choice.left_out.append(
            f"{_several(len(alone))} of challengers, such as {alone[0]}: no champion's of the "
            "same day is graded"
        )
    return choice


def _latest(choice: Choice, found: Iterable[Stored]) -> list[Stored]:
    """Of each day the run that was made last, by rising day."""
    days: dict[int, Stored] = {}
    for each in sorted(found, key=lambda each: (each.about.as_of, each.about.made_at, each.path)):
        if earlier := days.get(each.about.as_of):
            choice.left_out.append(f"{earlier}: run {each.about.run} of the same day is later")
        days[each.about.as_of] = each
    return [*days.values()]


def _weekly(choice: Choice, found: Sequence[Stored]) -> list[Stored]:
    """The first of each week from Monday on, and none within `APART` days of the one before it."""
    taken: list[Stored] = []
    overlapping: list[Stored] = []
    for each in found:
        if taken and not _next_week(taken[-1].about.as_of, each.about.as_of):
            overlapping.append(each)
        else:
            taken.append(each)
    if overlapping:
        choice.left_out.append(
            f"{_several(len(overlapping))}, such as {overlapping[0]}: one of the same week is "
            "graded, and their outcomes overlap"
        )
    return taken


def _several(count: int) -> str:
    return f"{count:,} cohort{'' if count == 1 else 's'}"


def _next_week(earlier: int, later: int) -> bool:
    return (later - _MONDAY) // 7 > (earlier - _MONDAY) // 7 and later - earlier >= APART
