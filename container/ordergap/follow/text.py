"""Grades as a table for a console."""

from __future__ import annotations

from collections.abc import Sequence

from ordergap.evaluation.drift import DAYS, Drift
from ordergap.follow.alarms import Alarm
from ordergap.follow.grades import Graded
from ordergap.histories import date_of
from ordergap.report.numbers import plain

HEAD = (
    "as of", "model", "days", "customers", "foreseen", "came", "z", "AUC", "less val.",
    "less earlier", "Brier", "ageing z", "error", "holds",
)  # fmt: skip
NOT_YET = "no forecast has passed yet"


def text(
    watermark: int,
    cohorts: Sequence[Graded],
    alarms: Sequence[Alarm],
    inputs: Drift,
    awaited: int | None,
    notes: Sequence[str],
) -> str:
    """See `run.Followed`: tables, what is left out, and a sentence for each alarm."""
    lines = [f"forecasts against the orders until {date_of(watermark)}"]
    if cohorts:
        lines += ["", *_table([HEAD, *_rows(cohorts)]), *_more(cohorts)]
    else:
        lines.append(NOT_YET)
    if awaited is not None:
        lines.append(f"the next can be judged by the orders until {date_of(awaited)}")
    lines += [*notes, "", *_drift(inputs), ""]
    lines += [
        f"ALARM ({each.kind}{'' if each.current else ', over'}): {each.sentence}" for each in alarms
    ]
    return "\n".join(lines if alarms else [*lines, "no alarm"])


def _drift(inputs: Drift) -> list[str]:
    title = f"orders of the last {DAYS} days beside those before, {inputs.recent:,} and "
    if not inputs.features:
        return [f"{title}{inputs.earlier:,}: too few, or of too few days, to tell"]
    rows = [
        (name, plain(each.excess, 3), plain(each.usual, 3), "drifted" if each.drifted else "")
        for name, each in inputs.features.items()
    ]
    return [f"{title}{inputs.earlier:,}", *_table([("feature", "excess", "usual", ""), *rows])]


def _rows(cohorts: Sequence[Graded]) -> list[Sequence[str]]:
    return [
        (
            str(date_of(each.about.as_of)),
            each.about.model_version + (" *" if each.about.role == "challenger" else ""),
            str(days),
            plain(each.customers),
            plain(grade.level.foreseen),
            plain(grade.level.came),
            plain(grade.level.z, 1, sign=True),
            plain(grade.rank.auc, 3),
            plain(grade.rank.difference, 3, sign=True),
            plain(grade.earlier.difference if grade.earlier else None, 3, sign=True),
            plain(grade.metrics[f"brier_{days}"], 4),
            plain(grade.ageing.z if grade.ageing else None, 1, sign=True),
            plain(grade.metrics["capped_mae"], 1),
            plain(grade.metrics["coverage"], 2),
        )
        for each in cohorts
        for days, grade in each.grades.items()
    ]


def _more(cohorts: Sequence[Graded]) -> list[str]:
    """Value and large orders, where they are forecast."""
    value = [
        (str(date_of(each.about.as_of)), str(days), *(plain(of[m], 3) for m in _VALUE))
        for each in cohorts
        for days, of in each.value.items()
    ]
    large = [
        (str(date_of(each.about.as_of)), amount, str(days), *(plain(of[m], 3) for m in _LARGE))
        for each in cohorts
        for amount, by_days in each.large.items()
        for days, of in by_days.items()
    ]
    lines = []
    if value:
        lines += ["", "value", *_table([("as of", "days", *_VALUE.values()), *value])]
    if large:
        head = ("as of", "above", "days", *_LARGE.values())
        lines += ["", "large orders", *_table([head, *large])]
    if any(each.about.role == "challenger" for each in cohorts):
        lines.append("*: a challenger")
    return lines


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


_VALUE = {"d2": "D2", "gini": "Gini", "total": "total", "coverage": "holds"}
_LARGE = {"auc": "AUC", "brier": "Brier", "ece": "cal. error"}
