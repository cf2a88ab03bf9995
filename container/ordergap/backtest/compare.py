"""The comparison of all cutoffs, for people."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence

from ordergap.backtest.fold import Fold
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, EvaluationProtocol, Metric
from ordergap.evaluation.compare import LEVEL, Comparison, Evaluation, Metrics, compare
from ordergap.report.numbers import plain
from ordergap.tasks.base import Findings
from ordergap.tasks.registry import tasks

Comparisons = Mapping[str, Mapping[EvaluationProtocol, Comparison]]
"""Task -> protocol -> its comparison."""


def compare_folds(folds: Sequence[Fold], seed: int, replicates: int) -> Comparisons:
    """Every task and protocol over all cutoffs."""
    protocols = {task: [*each] for fold in folds for task, each in fold.evaluations.items()}
    return {
        task: {
            protocol: compare(evaluations_of(folds, task, protocol), seed, replicates)
            for protocol in protocols[task]
        }
        for task in tasks()
        if task in protocols
    }


def evaluations_of(
    folds: Sequence[Fold], task: str, protocol: EvaluationProtocol
) -> list[Evaluation]:
    """Those of the folds in which the task was asked."""
    return [fold.evaluations[task][protocol] for fold in folds if task in fold.evaluations]


def find(
    folds: Sequence[Fold], comparisons: Comparisons, hyperparameters: Hyperparameters
) -> Mapping[str, Findings]:
    """What every task says beside its metrics."""
    return {
        name: task.findings(
            [fold.cutoff for fold in folds if name in fold.evaluations],
            comparisons[name],
            {protocol: evaluations_of(folds, name, protocol) for protocol in comparisons[name]},
            hyperparameters,
        )
        for name, task in tasks().items()
        if name in comparisons
    }


def text(
    folds: Sequence[Fold],
    comparisons: Comparisons,
    findings: Mapping[str, Findings],
    left_out: Mapping[datetime.date, str],
) -> str:
    """All for people: tables, and at the end the verdict."""
    days = (folds[0].until - folds[0].cutoff).days
    lines = [f"{len(folds)} cutoffs from {folds[0].cutoff} to {folds[-1].cutoff}, {days} days each"]
    lines += [f"left out: {reason}" for reason in reasons(left_out)]
    asked = {name: task for name, task in tasks().items() if name in comparisons}
    for name, task in asked.items():
        for protocol, comparison in comparisons[name].items():
            lines += ["", *_table(f"{task.title}, {protocol}", comparison, task.metrics)]
        if findings[name].tables:
            lines += ["", *findings[name].tables]
    if any(re.search(r" -( |$)", line) for line in lines):
        lines += ["", f"-: not judged, for want of rows whose outcome {days} days tell"]
    if (share := revenue_set_aside(folds)) is not None:
        lines += ["", f"the outlier filter set aside customers with {share:.1%} of the revenue"]
    for name, task in asked.items():
        if verdict := findings[name].verdict:
            lines += ["", f"{task.title}: the verdict", *verdict]
    return "\n".join(lines)


def revenue_set_aside(folds: Sequence[Fold]) -> float | None:
    """The mean over the cutoffs; None where amounts are unknown at one of them."""
    shares = [share for fold in folds if (share := fold.revenue_set_aside) is not None]
    return sum(shares) / len(folds) if len(shares) == len(folds) else None


def reasons(left_out: Mapping[datetime.date, str]) -> list[str]:
    """Each reason once, after the cutoffs that it left out."""
    return [
        f"{', '.join(str(day) for day, why in sorted(left_out.items()) if why == reason)}: {reason}"
        for reason in dict.fromkeys(left_out.values())
    ]


def _table(title: str, comparison: Comparison, shown: Mapping[str, Metric]) -> list[str]:
    width = 2 + max(map(len, [title, *comparison.metrics]))
    lines = [f"{title:<{width + 2}}" + "".join(f"{each.title:>15}" for each in shown.values())]

    def row(name: str, metrics: Metrics) -> str:
        return f"  {name:<{width}}" + "".join(f"{plain(metrics[key], 3):>15}" for key in shown)

    def span(low: float, high: float) -> str:
        return "-" if math.isnan(low) else f"{low:.3f}-{high:.3f}"

    lines += [row(name, metrics) for name, metrics in comparison.metrics.items()]
    ends = "".join(f"{span(*comparison.intervals[metric]):>15}" for metric in shown)
    lines.append(f"  {f'model, {LEVEL:.0%} interval':<{width}}{ends}")
    lines.append(f"model less baseline, mean [{LEVEL:.0%} interval, customers drawn again]")
    for name, differences in comparison.differences.items():
        lines += [
            f"  {name:<{width}}{shown[metric].title:<16}{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
            for metric, (mean, low, high) in differences.items()
            if metric in shown and shown[metric].better and not math.isnan(mean)
        ]
    segments = [row(name, models[MODEL]) for name, models in comparison.segments.items()]
    return lines + (["by segment", *segments] if segments else [])
