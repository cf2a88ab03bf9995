"""The comparison of all cutoffs, for people."""

from __future__ import annotations

from collections.abc import Sequence

from ordergap.backtest.fold import Fold
from ordergap.evaluation.compare import LEVEL, MODEL, Comparison, Metrics, compare
from ordergap.training.console import TITLES

REPLICATES = 100


def compare_folds(
    folds: Sequence[Fold], seed: int, replicates: int = REPLICATES
) -> dict[str, Comparison]:
    """Protocol -> its comparison."""
    return {
        name: compare([fold.protocols[name] for fold in folds], seed, replicates)
        for name in folds[0].protocols
    }


def table(folds: Sequence[Fold], comparisons: dict[str, Comparison]) -> str:
    """The comparison for people."""
    days = (folds[0].until - folds[0].cutoff).days
    lines = [f"{len(folds)} cutoffs from {folds[0].cutoff} to {folds[-1].cutoff}, {days} days each"]
    width = 2 + max(len(name) for name in folds[0].protocols["every order"].forecasts)
    heads = "".join(f"{title:>15}" for title in TITLES.values())
    for protocol, each in comparisons.items():
        lines += ["", f"{protocol:<{width + 2}}{heads}"]
        for name, metrics in each.metrics.items():
            lines.append(f"  {name:<{width}}" + _figures(metrics))
        ends = "".join(f"{f'{low:.3f}-{high:.3f}':>15}" for low, high in _shown(each.intervals))
        lines.append(f"  {f'model, {LEVEL:.0%} interval':<{width}}{ends}")
        lines.append(f"model less baseline, mean [{LEVEL:.0%} interval, customers drawn again]")
        for name, differences in each.differences.items():
            lines += [
                f"  {name:<{width}}{TITLES[metric]:<12}{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
                for metric, (mean, low, high) in differences.items()
                if metric in TITLES and metric not in {"coverage", "width"}
            ]
        lines.append("by segment")
        for segment, models in each.segments.items():
            lines.append(f"  {segment:<{width}}" + _figures(models[MODEL]))
    share = sum(fold.revenue_set_aside for fold in folds) / len(folds)
    lines += ["", f"the outlier filter set aside customers with {share:.1%} of the revenue"]
    return "\n".join(lines)


def _shown(intervals: dict[str, tuple[float, float]]) -> list[tuple[float, float]]:
    return [intervals[metric] for metric in TITLES]


def _figures(metrics: Metrics) -> str:
    return "".join(f"{metrics[metric]:15.3f}" for metric in TITLES)
