"""Alarms over the weeks: how many cohorts it takes, which days ahead count, and what is said."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.evaluation.cohorts import Ageing, Level, Rank
from ordergap.evaluation.drift import Drift, FeatureDrift
from ordergap.follow.alarms import EARLIER, alarms, input_alarms, main_days, with_earlier
from ordergap.follow.grades import Grade, Graded
from ordergap.scoring.cohorts import About

from tests.cohorts import EARLY, MONDAY


def graded(week: int, **z: float) -> Graded:
    """A cohort whose grades of each days ahead are as healthy as `z` says."""
    about = About(MONDAY + 7 * week, f"run-{week}", "champion", EARLY, "m1", 0.8)
    lost = z.get("rank", 0.0)
    grade = {
        days: Grade(
            days,
            Level(100.0, 110, z.get(f"level_{days}", z.get("level", 0.5))),
            Rank(z.get("auc", 0.7), z.get("error", 0.01), lost),
            {},
            Ageing(z["ageing"] / 1000, z["ageing"], 50) if "ageing" in z else None,
        )
        for days in (7, 30, 90)
    }
    return Graded(about, 500, 10, grade)


def found(cohorts: Sequence[Graded]) -> list[tuple[str, int, int, int, bool]]:
    weeks = [
        (a.kind, a.days, (a.since - MONDAY) // 7, (a.until - MONDAY) // 7, a.current)
        for a in alarms(cohorts)
    ]
    return sorted(weeks)


def test_healthy_cohorts_are_quiet() -> None:
    assert not alarms([graded(week, rank=-0.049, ageing=2.9, level=2.9) for week in range(9)])
    assert not alarms([])


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_level_sounds_in_two_cohorts_running_and_asks_for_no_new_model(sign: int) -> None:
    one = [graded(0), graded(1, level=4 * sign), graded(2), graded(3, level=4 * sign)]
    assert not alarms(one)
    two = [*one, graded(4, level=4 * sign), graded(5)]
    assert found(two) == [("level", 7, 3, 4, False), ("level", 30, 3, 4, False)]
    alarm = alarms(two)[0]
    assert not alarm.retrain
    assert alarm.sentence.startswith("more" if sign > 0 else "fewer")
    assert "in 2 weeks, 2012-01-02 to 2012-01-09" in alarm.sentence


def test_the_level_of_days_beyond_those_that_decide_is_only_shown() -> None:
    assert not alarms([graded(week, level_90=9.0) for week in range(3)])


def test_the_rank_sounds_at_once_where_it_is_no_chance() -> None:
    cohorts = [graded(0), graded(1, rank=-0.06)]
    assert found(cohorts) == [("rank", 30, 1, 1, True)]
    (alarm,) = alarms(cohorts)
    assert alarm.retrain
    assert alarm.sentence.startswith(
        "forecasts no longer tell who orders within 30 days as they did"
    )
    assert "as of 2011-12-19: the last AUC was 0.700, 0.060 below the validation" in alarm.sentence
    assert not alarms([graded(0), graded(1, rank=-0.06, error=0.03)])


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.69, 0.71)), min_size=1, max_size=12))
def test_a_cohort_is_held_against_those_whose_outcomes_were_known(
    steps: list[tuple[int, float]],
) -> None:
    days = np.cumsum([step for step, _ in steps]).tolist()
    made = [graded(0, auc=auc) for _, auc in steps]
    cohorts = [
        replace(each, about=replace(each.about, as_of=day))
        for each, day in zip(made, days, strict=True)
    ]
    for i, each in enumerate(with_earlier(cohorts)):
        for ahead, grade in each.grades.items():
            before = [
                auc
                for (_, auc), day in zip(steps[:i], days, strict=False)
                if ahead <= days[i] - day < ahead + EARLIER
            ]
            if not before:
                assert grade.earlier is None
                continue
            assert grade.earlier
            mean = math.fsum(before) / len(before)
            assert grade.earlier.difference == pytest.approx(steps[i][1] - mean)
            assert grade.earlier.error == pytest.approx(math.sqrt(2) * 0.01)


def test_a_rank_below_that_of_earlier_cohorts_sounds_for_as_long_as_it_lasts() -> None:
    """Though it is above the validation; weeks that sound are no measure for later ones."""
    weeks = [*range(17)]
    aucs = [0.76 if week < 5 else 0.70 for week in weeks]
    cohorts = [graded(week, auc=aucs[week], rank=aucs[week] - 0.65) for week in weeks]
    judged = with_earlier(cohorts)
    assert found(judged) == [("rank", 30, 5, 16, True)]
    (alarm,) = alarms(judged)
    assert "the last AUC was 0.700, 0.060 below that of earlier cohorts" in alarm.sentence
    assert not alarms(cohorts)
    noisy = [graded(week, auc=aucs[week], rank=0.1, error=0.015) for week in weeks]
    assert not alarms(with_earlier(noisy))


def test_cohorts_are_held_against_those_of_their_role_that_have_a_rank() -> None:
    challenger, unknown, last = graded(0), graded(0, error=math.nan), graded(5)
    challenger = replace(challenger, about=replace(challenger.about, role="challenger"))
    for first in (challenger, unknown):
        assert with_earlier([first, last])[-1].grades[30].earlier is None
    assert with_earlier([graded(0), last])[-1].grades[30].earlier


def test_ageing_sounds_in_two_cohorts_that_have_a_challenger() -> None:
    between = [graded(0, ageing=3.5), graded(1), graded(2, ageing=4.0), graded(3)]
    assert found(between) == [("ageing", 30, 0, 2, True)]
    assert not alarms([graded(0, ageing=-5.0), graded(1, ageing=3.5)])
    assert all(alarm.retrain for alarm in alarms(between))


def test_models_are_told_apart_by_thirty_days_or_the_next_that_there_is() -> None:
    assert [main_days({*d}) for d in ((7, 30, 90), (14, 60, 90), (7, 14), ())] == [30, 60, 14, 30]


def test_inputs_that_drifted_are_named() -> None:
    quiet, loud = FeatureDrift(0.05, 0.0, 1e-9), FeatureDrift(0.4, 0.02, 1e-9)
    assert not input_alarms(Drift(200, 600, {"lines": quiet}), MONDAY)
    (alarm,) = input_alarms(Drift(200, 600, {"lines": quiet, "amount": loud}), MONDAY)
    assert (alarm.kind, alarm.until - alarm.since, alarm.until) == ("inputs", 27, MONDAY)
    assert "the 200 orders of the last 28 days are not as the 600 before them: amount" in (
        alarm.sentence
    )
    assert "exceeds chance by 0.40, usually by up to 0.02" in alarm.sentence
