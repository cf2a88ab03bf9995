"""What the report and the backtest say of the task "first order"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.first_order import METRICS, LeadEvaluation
from ordergap.evaluation.metrics import calibration
from ordergap.report.contents import Columns, Diagonal, Judged, Section, Table, TaskContents
from ordergap.report.numbers import fixed, percent
from ordergap.tasks.verdicts import beside

USE = "choosing whom to write to first among those who have not ordered yet"
LIMITS = {
    "attributes": "Those of leads have no date: what has changed since counts as if it had always "
    "been so."
}
_TENTHS = 10
_FIGURES = {"Ranking": ("auc", 3), "Probabilities": ("brier", 4)}


def contents(
    title: str,
    comparisons: Mapping[EvaluationProtocol, Comparison],
    evaluations: Sequence[LeadEvaluation],
) -> TaskContents:
    """See `Task.contents`."""
    judged = {
        protocol: Judged(
            math.nan, each.metrics, each.differences, calibration=_diagonals(evaluations)
        )
        for protocol, each in comparisons.items()
    }
    section = Section(
        "leads",
        "Which leads become customers",
        [*_tenths(evaluations), _totals(evaluations)] if evaluations else [],
        "Leads at the cutoff who had not ordered, in ten groups of equal size, those with the "
        "highest probabilities first: how many orders were foreseen of each group, and came.",
        absent="Left out: no later days were looked at.",
    )
    return TaskContents(title, METRICS, judged, [section], USE, LIMITS)


def _diagonals(evaluations: Sequence[LeadEvaluation]) -> list[Diagonal]:
    """All cutoffs together."""
    if not evaluations:
        return []
    p = np.concatenate([each.answers[MODEL] for each in evaluations])
    error, bins = calibration(p, np.concatenate([each.ordered for each in evaluations]))
    points = list(zip(bins.predicted.tolist(), bins.observed.tolist(), strict=True))
    what = f"At cutoff: a first order within {evaluations[0].horizon} days"
    return [Diagonal(what, points, "probability forecast", "ordered", bins.rows.tolist(), error)]


def _tenths(evaluations: Sequence[LeadEvaluation]) -> list[Columns | Table]:
    """All cutoffs together, each with its own tenths."""
    foreseen, came = np.zeros(_TENTHS), np.zeros(_TENTHS)
    for each in evaluations:
        p = each.answers[MODEL]
        ranked = np.argsort(-p, kind="stable")
        for i, some in enumerate(np.array_split(ranked, _TENTHS)):
            foreseen[i] += p[some].sum()
            came[i] += each.ordered[some].sum()
    rows = [
        [f"{i}", fixed(float(f), 1), fixed(float(c)), percent(float(c / max(came.sum(), 1)))]
        for i, (f, c) in enumerate(zip(foreseen, came, strict=True), 1)
    ]
    days = evaluations[0].horizon
    title = f"First orders within {days} days, by tenth of the leads"
    return [
        Columns(title, [(row[0], float(c)) for row, c in zip(rows, came, strict=True)],
                "tenth by probability", "ordered"),
        Table(title, ["Tenth", "Foreseen", "Came", "Of all that came"], rows),
    ]  # fmt: skip


def _totals(evaluations: Sequence[LeadEvaluation]) -> Table:
    rows = [
        [
            fixed(number), fixed(each.horizon), fixed(len(each.ordered)),
            fixed(float(each.answers[MODEL].sum()), 1), fixed(float(each.ordered.sum())),
        ]
        for number, each in enumerate(evaluations, 1)
    ]  # fmt: skip
    return Table("First orders of all leads", ["Cutoff", "Days", "Leads", "Foreseen", "Came"], rows)


def verdict(comparison: Comparison) -> list[str]:
    """Ranking and probabilities beside the baselines, a line each."""
    nobody = "no lead ordered, or all did"
    return [
        f"{name}: {beside(comparison, key, METRICS[key], digits, nobody)}"
        for name, (key, digits) in _FIGURES.items()
    ]
