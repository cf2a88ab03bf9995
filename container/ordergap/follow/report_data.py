"""What the page "Was it right?" shows of grades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress

from ordergap.evaluation.drift import Drift
from ordergap.evaluation.gaps import METRICS
from ordergap.evaluation.inputs import summary
from ordergap.evaluation.large import METRICS as LARGE
from ordergap.evaluation.value import METRICS as VALUE
from ordergap.follow.alarms import Alarm, main_days
from ordergap.follow.grades import Grade, Graded
from ordergap.histories import date_of
from ordergap.report.contents import Columns, Followed, Section, Table
from ordergap.report.inputs import section
from ordergap.report.numbers import NOTHING, day_and_month, fixed, written

_HEAD = (
    "As of", "Model", "Customers", "Foreseen", "Came", "z", "AUC", "Less validation",
    "Less earlier cohorts", "Brier", "Ageing, z", "Capped error", "Interval holds",
)  # fmt: skip
_SHOWN = 26  # weeks in a chart


def contents(
    watermark: int, cohorts: Sequence[Graded], alarms: Sequence[Alarm], inputs: Drift
) -> Followed:
    """Everything on the page."""
    days = {days for each in cohorts for days in each.grades}
    main = main_days(days)
    return Followed(
        until=date_of(watermark),
        judged=len(cohorts),
        alarms={f"{each.kind}{'' if each.current else ', over'}": each.sentence for each in alarms},
        sections=[
            *(_within(ahead, cohorts, _introduction(ahead, main)) for ahead in sorted(days)),
            *_value(cohorts),
            *_large(cohorts),
            section(summary(inputs)),
        ],
    )


def _introduction(days: int, main: int) -> str:
    if days < main:
        return "An early word. The level alone raises alarms here, and moves with the season."
    if days > main:
        return "Shown, and no reason for an alarm."
    return (
        "z is how far the level is off, chance and season allowed for. The AUC says how well "
        "customers are told from one another, beside the model's validation and earlier cohorts; "
        "ageing, whether a challenger does it better."
    )


def _within(days: int, cohorts: Sequence[Graded], introduction: str) -> Section:
    passed = [(each, each.grades[days]) for each in cohorts if days in each.grades]
    levels = [
        (day_and_month(date_of(each.about.as_of)), 100 * grade.level.came / grade.level.foreseen)
        for each, grade in passed
        if each.about.role == "champion" and grade.level.foreseen > 0
    ]
    return Section(
        f"within-{days}",
        f"Orders within {days} days",
        [
            Columns(
                "Customers who came, of 100 foreseen", levels[-_SHOWN:], "forecast as of", "came"
            ),
            _filled(
                f"Every customer, {days} days after the forecast",
                _HEAD,
                [_row(each, grade, days) for each, grade in passed],
            ),
        ],
        introduction,
    )


def _filled(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without the columns that have nothing in any row."""
    some = [any(row[i] != NOTHING for row in rows) for i in range(len(head))]
    return Table(title, [*compress(head, some)], [[*compress(row, some)] for row in rows], (0, 1))


def _row(graded: Graded, grade: Grade, days: int) -> list[str]:
    mark = " (challenger)" if graded.about.role == "challenger" else ""
    return [
        str(date_of(graded.about.as_of)),
        graded.about.model_version + mark,
        fixed(graded.customers),
        fixed(grade.level.foreseen),
        fixed(grade.level.came),
        fixed(grade.level.z, 1, sign=True),
        fixed(grade.rank.auc, 3),
        fixed(grade.rank.difference, 3, sign=True),
        fixed(grade.earlier.difference if grade.earlier else None, 3, sign=True),
        fixed(grade.metrics[f"brier_{days}"], 4),
        fixed(grade.ageing.z if grade.ageing else None, 1, sign=True),
        written(METRICS["capped_mae"], grade.metrics["capped_mae"]),
        written(METRICS["coverage"], grade.metrics["coverage"]),
    ]


def _value(cohorts: Sequence[Graded]) -> Iterator[Section]:
    shown = ("d2", "gini", "total", "coverage")
    rows = [
        [str(date_of(each.about.as_of)), fixed(days), *(written(VALUE[m], of[m]) for m in shown)]
        for each in cohorts
        for days, of in each.value.items()
    ]
    if rows:
        head = ["As of", "Days", *(VALUE[metric].title for metric in shown)]
        yield Section("value", "Value", [Table("What was spent", head, rows)])


def _large(cohorts: Sequence[Graded]) -> Iterator[Section]:
    rows = [
        [str(date_of(each.about.as_of)), amount, fixed(days),
         *(written(LARGE[metric], of[metric]) for metric in LARGE)]
        for each in cohorts
        for amount, by_days in each.large.items()
        for days, of in by_days.items()
    ]  # fmt: skip
    if rows:
        head = ["As of", "Above", "Days", *(metric.title for metric in LARGE.values())]
        yield Section("large-orders", "Large orders", [Table("Orders above amounts", head, rows)])
