"""What the report and the backtest say of the task "value"."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence

import numpy as np

from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.value import METRICS, ValueEvaluation, deciles
from ordergap.report.contents import Columns, Judged, Section, Table, TaskContents
from ordergap.report.numbers import fixed, money, percent, plain
from ordergap.tasks import variants
from ordergap.tasks.base import Findings
from ordergap.tasks.verdicts import beside

USE = "planning revenue, and choosing who is worth a call: what each customer will spend"
LIMITS = {
    "unlikely orders": (
        "Where an order is unlikely the interval of the value would end at 0; its upper end is "
        "then the expected value itself."
    ),
    "seasons": (
        "The total moves with the season, which a customer's own history does not tell: compare "
        "it with what all spent in as many days before."
    ),
}
_NOBODY = "nobody spent anything"
_FIGURES = {"Explained": ("d2", 3), "Ranking": ("gini", 3), "Interval": ("pinball", 2)}


def contents(
    title: str,
    comparisons: Mapping[EvaluationProtocol, Comparison],
    evaluations: Sequence[ValueEvaluation],
) -> TaskContents:
    """See `Task.contents`."""
    return TaskContents(
        title,
        METRICS,
        {
            protocol: Judged(
                math.nan,
                each.metrics,
                each.differences,
                {segment: models[MODEL] for segment, models in each.segments.items()},
            )
            for protocol, each in comparisons.items()
        },
        [
            *variants.sections(comparisons, METRICS, ("d2", "gini"), variants.OF_ONE_CURVE),
            Section(
                "value",
                "What customers spend",
                [*_deciles(evaluations), *_totals(evaluations)] if evaluations else [],
                "Customers in ten groups of equal size, those forecast least first: what was "
                "expected of each group, and what came.",
                absent="Left out: no later days were looked at.",
            ),
        ],
        USE,
        LIMITS,
    )


def _deciles(evaluations: Sequence[ValueEvaluation]) -> list[Columns | Table]:
    """All cutoffs together."""
    expected, came = np.sum(
        [deciles(each.guesses[MODEL].value, each.came) for each in evaluations], axis=0
    ).tolist()
    names = [f"{number}" for number in range(1, 11)]
    days = evaluations[0].horizon
    rows = [[*row] for row in zip(names, money(expected), money(came), strict=True)]
    return [
        Columns(
            f"What came within {days} days, by tenth", [*zip(names, came, strict=True)],
            "tenth by forecast", "came",
        ),
        Columns(
            f"What was expected within {days} days, by tenth", [*zip(names, expected, strict=True)],
            "tenth by forecast", "expected",
        ),
        Table("Value by tenth", ["Tenth", "Expected", "Came"], rows),
    ]  # fmt: skip


def _totals(evaluations: Sequence[ValueEvaluation]) -> list[Table]:
    rows = []
    for number, each in enumerate(evaluations, 1):
        sums = (each.guesses[MODEL].value.sum(), each.earlier, each.came.sum())
        none = float((~each.ordered).mean())
        rows.append([
            fixed(number), fixed(each.horizon), fixed(len(each.came)), percent(none),
            *money([float(value) for value in sums]),
        ])  # fmt: skip
    head = [
        "Cutoff", "Days", "Customers", "Without an order", "Expected", "In as many days before",
        "Came",
    ]  # fmt: skip
    return [Table("Totals of all customers", head, rows)]


def findings(
    cutoffs: Sequence[datetime.date],
    comparison: Comparison,
    evaluations: Sequence[ValueEvaluation],
) -> Findings:
    """See `Task.findings`."""
    lines = ["total over what came, by cutoff: the model, and the spend of as many days before"]
    for cutoff, each in zip(cutoffs, evaluations, strict=True):
        came = each.came.sum()
        model, before = (
            plain(float(value / came), 2) if came else "-"
            for value in (each.guesses[MODEL].value.sum(), each.earlier)
        )
        lines.append(f"  {cutoff}  {model:>6}  {before:>6}")
    verdict = [
        f"{name}: {beside(comparison, key, METRICS[key], digits, _NOBODY)}"
        for name, (key, digits) in _FIGURES.items()
    ]
    return Findings(lines, {}, [*verdict, f"Total: {_total(evaluations)}"])


def _total(evaluations: Sequence[ValueEvaluation]) -> str:
    came = sum(float(each.came.sum()) for each in evaluations)
    if not came:
        return f"not judged: {_NOBODY}"
    model = sum(float(each.guesses[MODEL].value.sum()) for each in evaluations)
    before = sum(each.earlier for each in evaluations)
    days = evaluations[0].horizon
    return (
        f"{plain(model / came, 2)} of what came within {days} days; what was spent in the {days} "
        f"before is {plain(before / came, 2)} of it"
    )
