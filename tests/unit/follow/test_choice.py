"""One cohort a week, the later run of a day, and what is left out is said."""

import datetime
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.errors import DataError
from ordergap.follow.choice import Choice, Stored, _weekly, choose
from ordergap.histories import date_of

from tests.cohorts import EARLY, MONDAY, cohort, saved

P = {30: [0.1, 0.2]}


def days(found: Sequence[Stored]) -> list[int]:
    return [each.about.as_of - MONDAY for each in found]


def test_monday_is_one() -> None:
    assert date_of(MONDAY).strftime("%A") == "Monday"


def test_of_nights_the_first_of_a_week_is_graded(tmp_path: Path) -> None:
    for day in range(-2, 16):
        saved(tmp_path, cohort(MONDAY + day, P))
    choice = choose(tmp_path)
    assert days(choice.champions) == [-2, 2, 7, 14]  # from a Saturday on, whose Monday is too close
    (said,) = choice.left_out
    assert "14 cohorts, such as 2011-12-11_champion.parquet" in said
    assert "overlap" in said


@given(st.sets(st.integers(0, 60), min_size=1, max_size=12))
def test_no_two_overlap_and_no_week_is_empty_without_a_reason(made: set[int]) -> None:
    found = [Stored(Path(), cohort(MONDAY + day, P).about) for day in sorted(made)]
    taken = days(_weekly(Choice(), found))
    assert taken[0] == min(made)
    pairs = pairwise(taken)
    assert all(later - earlier >= 4 and later // 7 > earlier // 7 for earlier, later in pairs)
    for day in made - {*taken}:
        assert any(each // 7 == day // 7 or 0 < day - each < 4 for each in taken)


def test_of_two_runs_of_a_day_the_later_counts(tmp_path: Path) -> None:
    later = EARLY + datetime.timedelta(hours=3)
    saved(tmp_path, cohort(MONDAY, P, made_at=later, model="m2"), "a")
    saved(tmp_path, cohort(MONDAY, P), "b")
    choice = choose(tmp_path)
    assert [each.about.model_version for each in choice.champions] == ["m2"]
    (said,) = choice.left_out
    assert said.startswith("b_champion.parquet (as of 2011-12-12): run run-")
    assert "of the same day is later" in said


def test_challengers_are_taken_of_the_days_that_are_graded(tmp_path: Path) -> None:
    for day in (0, 7):
        saved(tmp_path, cohort(MONDAY + day, P))
    for day in (7, 8):
        saved(tmp_path, cohort(MONDAY + day, P, role="challenger"))
    choice = choose(tmp_path)
    assert days([*choice.challengers.values()]) == [7]
    assert "1 cohort of challengers, such as 2011-12-20_challenger" in choice.left_out[0]


def test_a_file_that_cannot_be_read_is_named_and_the_rest_taken(tmp_path: Path) -> None:
    saved(tmp_path, cohort(MONDAY, P))
    (tmp_path / "2011-12-19.parquet").write_bytes(b"PAR1 and no more")
    choice = choose(tmp_path)
    assert days(choice.champions) == [0]
    assert "2011-12-19.parquet is cut" in choice.left_out[0]


def test_a_folder_without_a_cohort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no cohort of forecasts \(\*\.parquet\)"):
        choose(tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"x\.parquet is cut"):
        choose(tmp_path)
