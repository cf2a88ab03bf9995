"""What a backtest tells its report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ordergap.backtest.fold import UNFILTERED, Fold
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.orders import DataReport
from ordergap.evaluation.compare import MODEL, Comparison, Metrics
from ordergap.evaluation.metrics import Outcomes, Predicted
from ordergap.histories import Histories
from ordergap.report.contents import Calibration, Contents, Judged
from ordergap.survival.targets import every_order
from ordergap.training.report_data import calibrated, gap_bars, open_curve, spoken


def contents(
    hyperparameters: Hyperparameters,
    report: DataReport,
    orders: Histories,
    folds: Sequence[Fold],
    comparisons: dict[str, Comparison],
) -> Contents:
    """Everything on the report of a backtest."""
    gaps = every_order(orders, int(orders.day.max()))
    return Contents(
        title=f"Backtest at {len(folds)} cutoffs",
        card={
            "trainer": hyperparameters.trainer,
            "learnt from": f"all before each cutoff: {', '.join(str(f.cutoff) for f in folds)}",
            "judged by": f"the {(folds[0].until - folds[0].cutoff).days} days after each",
            "settings": spoken(hyperparameters),
        },
        data=report,
        judged={
            name: Judged(
                cap=folds[0].protocols[name].cap,
                metrics=each.metrics,
                differences=each.differences,
                segments={segment: models[MODEL] for segment, models in each.segments.items()},
                calibration=_calibrated(folds, name),
            )
            for name, each in comparisons.items()
        },
        gaps=gap_bars(gaps),
        still_open=open_curve(gaps),
        outliers=_outliers(folds, comparisons["every customer"]),
    )


def _outliers(
    folds: Sequence[Fold], comparison: Comparison
) -> tuple[str, dict[str, Metrics]] | None:
    """With the filter and without; nothing where it set nobody aside at some cutoff."""
    metrics = comparison.metrics
    if UNFILTERED not in metrics:
        return None
    share = np.mean([fold.revenue_set_aside for fold in folds])
    return (
        (
            "Learnt without the outliers, and with everybody; every customer, all cutoffs. "
            f"The customers set aside carry {share:.1%} of the revenue."
        ),
        {"with the filter": metrics[MODEL], "without it": metrics[UNFILTERED]},
    )


def _calibrated(folds: Sequence[Fold], protocol: str) -> Calibration | None:
    """The 30-day probabilities of all cutoffs together."""
    sides = [fold.protocols[protocol] for fold in folds]
    answers, seen = [side.forecasts[MODEL] for side in sides], [side.outcomes for side in sides]
    together = Predicted(
        np.concatenate([each.median for each in answers]),
        np.concatenate([each.low for each in answers]),
        np.concatenate([each.high for each in answers]),
        {30: np.concatenate([each.probability[30] for each in answers])},
    )
    what = Outcomes(
        np.concatenate([each.gap for each in seen]),
        np.concatenate([each.observed for each in seen]),
        np.concatenate([each.follow_up for each in seen]),
    )
    return calibrated(together, what)
