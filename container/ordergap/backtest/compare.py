"""The comparison of all cutoffs, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ordergap.backtest.fold import Fold
from ordergap.contract.metrics import MODEL, EvaluationProtocol, Metric
from ordergap.evaluation.compare import LEVEL, Comparison, Metrics, compare
from ordergap.tasks.registry import tasks

REPLICATES = 100
Comparisons = Mapping[str, Mapping[EvaluationProtocol, Comparison]]
"""Task -> protocol -> its comparison."""


def compare_folds(folds: Sequence[Fold], seed: int, replicates: int = REPLICATES) -> Comparisons:
    """Every task and protocol over all cutoffs."""
    return {
        task: {
            protocol: compare([f.evaluations[task][protocol] for f in folds], seed, replicates)
            for protocol in protocols
        }
        for task, protocols in folds[0].evaluations.items()
    }


def table(folds: Sequence[Fold], comparisons: Comparisons) -> str:
    """The comparison for people."""
    days = (folds[0].until - folds[0].cutoff).days
    lines = [f"{len(folds)} cutoffs from {folds[0].cutoff} to {folds[-1].cutoff}, {days} days each"]
    for name, task in tasks().items():
        for protocol, comparison in comparisons[name].items():
            lines += ["", *_table(f"{task.title}, {protocol}", comparison, task.metrics)]
    share = sum(fold.revenue_set_aside for fold in folds) / len(folds)
    lines += ["", f"the outlier filter set aside customers with {share:.1%} of the revenue"]
    return "\n".join(lines)


def _table(title: str, comparison: Comparison, shown: Mapping[str, Metric]) -> list[str]:
    width = 2 + max(map(len, [title, *comparison.metrics]))
    lines = [f"{title:<{width + 2}}" + "".join(f"{each.title:>15}" for each in shown.values())]

    def row(name: str, metrics: Metrics) -> str:
        return f"  {name:<{width}}" + "".join(f"{metrics[metric]:15.3f}" for metric in shown)

    lines += [row(name, metrics) for name, metrics in comparison.metrics.items()]
    intervals = [comparison.intervals[metric] for metric in shown]
    ends = "".join(f"{f'{low:.3f}-{high:.3f}':>15}" for low, high in intervals)
    lines.append(f"  {f'model, {LEVEL:.0%} interval':<{width}}{ends}")
    lines.append(f"model less baseline, mean [{LEVEL:.0%} interval, customers drawn again]")
    for name, differences in comparison.differences.items():
        lines += [
            f"  {name:<{width}}{shown[metric].title:<16}{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
            for metric, (mean, low, high) in differences.items()
            if metric in shown and shown[metric].better
        ]
    lines.append("by segment")
    segments = comparison.segments.items()
    return lines + [row(segment, models[MODEL]) for segment, models in segments]
