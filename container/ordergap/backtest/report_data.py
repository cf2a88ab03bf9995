"""What a backtest hands to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ordergap.backtest.compare import Comparisons, evaluations_of, revenue_set_aside
from ordergap.backtest.fold import UNFILTERED, Fold
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL
from ordergap.contract.orders import DataReport
from ordergap.evaluation.compare import Metrics
from ordergap.histories import Histories
from ordergap.report.contents import Contents
from ordergap.tasks.base import Findings
from ordergap.tasks.registry import tasks
from ordergap.training.report_data import settings_line


def contents(
    hyperparameters: Hyperparameters,
    report: DataReport,
    orders: Histories,
    folds: Sequence[Fold],
    comparisons: Comparisons,
    findings: Mapping[str, Findings],
) -> Contents:
    """Everything on the report of a backtest."""
    return Contents(
        title=f"Backtest at {len(folds)} cutoffs",
        card={
            "trainer": hyperparameters.trainer.name,
            "learnt from": f"all before each cutoff: {', '.join(str(f.cutoff) for f in folds)}",
            "judged by": f"the {(folds[0].until - folds[0].cutoff).days} days after each",
            "settings": settings_line(hyperparameters.flat()),
        },
        data=report,
        tasks={
            name: replace(
                task.contents(
                    orders,
                    comparisons[name],
                    {each: evaluations_of(folds, name, each) for each in comparisons[name]},
                    None,
                ),
                findings=dict(line.split(": ", 1) for line in findings[name].verdict),
            )
            for name, task in tasks().items()
            if name in comparisons
        },
        outliers=_outliers(folds, comparisons),
    )


def _outliers(
    folds: Sequence[Fold], comparisons: Comparisons
) -> tuple[str, dict[str, Metrics]] | None:
    """With the filter and without, by the first task; None where it set nobody aside somewhere."""
    metrics = next(iter(next(iter(comparisons.values())).values())).metrics
    if UNFILTERED not in metrics:
        return None
    share = revenue_set_aside(folds)
    carry = "" if share is None else f" The customers set aside carry {share:.1%} of the revenue."
    return (
        f"Learnt without the outliers, and with everybody; at the cutoff, all cutoffs.{carry}",
        {"with the filter": metrics[MODEL], "without it": metrics[UNFILTERED]},
    )
