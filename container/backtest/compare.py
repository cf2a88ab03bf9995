"""The folds' metrics side by side: the model's, the baselines', and how sure the difference is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import JsonValue

from container.backtest.fold import MODEL, Fold, Protocol
from container.evaluation.metrics import Rows, evaluate
from container.training.words import TITLES

REPLICATES = 100
LEVEL = 0.9
Metrics = dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """One protocol over all cutoffs; every figure is the mean over the cutoffs.

    metrics      model or baseline -> metric -> value
    intervals    metric -> (low, high) of the model's value
    differences  baseline -> metric -> (model less baseline, low, high): a bootstrap interval that
                 draws customers again, each with all their rows at every cutoff
    segments     segment -> model or baseline -> metric -> value
    """

    metrics: dict[str, Metrics]
    intervals: dict[str, tuple[float, float]]
    differences: dict[str, dict[str, tuple[float, float, float]]]
    segments: dict[str, dict[str, Metrics]]

    def content(self) -> dict[str, JsonValue]:
        """As JSON, with null where nothing could be judged."""
        return {name: _json(value) for name, value in asdict(self).items()}


def compare(
    folds: Sequence[Fold], seed: int, replicates: int = REPLICATES
) -> dict[str, Comparison]:
    """Protocol -> its comparison."""
    return {
        name: _compare([fold.protocols[name] for fold in folds], seed, replicates)
        for name in folds[0].protocols
    }


def _compare(protocols: Sequence[Protocol], seed: int, replicates: int) -> Comparison:
    metrics = _mean_metrics(protocols, [np.ones(len(each.customer), bool) for each in protocols])
    drawn = [_mean_metrics(protocols, rows) for rows in _draws(protocols, seed, replicates)]
    differences = {}
    for baseline in (name for name in metrics if name != MODEL):
        differences[baseline] = {
            metric: (
                metrics[MODEL][metric] - metrics[baseline][metric],
                *_interval([each[MODEL][metric] - each[baseline][metric] for each in drawn]),
            )
            for metric in metrics[MODEL]
        }
    segments = {
        name: _mean_metrics(protocols, [each.segments[name] for each in protocols])
        for name in protocols[0].segments
    }
    intervals = {
        metric: _interval([each[MODEL][metric] for each in drawn]) for metric in metrics[MODEL]
    }
    return Comparison(metrics, intervals, differences, segments)


def _mean_metrics(protocols: Sequence[Protocol], rows: Sequence[Rows]) -> dict[str, Metrics]:
    """Model or baseline -> metric -> mean over the cutoffs, on the rows chosen at each."""
    folds = []
    for protocol, some in zip(protocols, rows, strict=True):
        seen = protocol.outcomes[some]
        folds.append({
            name: evaluate(forecast[some], seen, protocol.cap)
            for name, forecast in protocol.forecasts.items()
        })  # fmt: skip
    return {
        name: {metric: _mean([fold[name][metric] for fold in folds]) for metric in folds[0][MODEL]}
        for name in folds[0]
    }


def _draws(protocols: Sequence[Protocol], seed: int, replicates: int) -> Iterator[list[Rows]]:
    """Rows of each cutoff, customers drawn with replacement, the same ones at every cutoff."""
    everybody = np.unique(np.concatenate([protocol.customer for protocol in protocols]))
    places = [np.searchsorted(everybody, each.customer) for each in protocols]
    random = np.random.default_rng(seed)
    for _ in range(replicates):
        drawn = random.integers(len(everybody), size=len(everybody))
        times = np.bincount(drawn, minlength=len(everybody))
        yield [np.repeat(np.arange(len(place)), times[place]) for place in places]


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _interval(values: list[float]) -> tuple[float, float]:
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _json(value: object) -> JsonValue:
    if isinstance(value, dict):
        return {str(name): _json(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    assert isinstance(value, float)  # noqa: S101 - a comparison holds nothing else
    return None if np.isnan(value) else value


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
    return "\n".join(lines)


def _shown(intervals: dict[str, tuple[float, float]]) -> list[tuple[float, float]]:
    return [intervals[metric] for metric in TITLES]


def _figures(metrics: Metrics) -> str:
    return "".join(f"{metrics[metric]:15.3f}" for metric in TITLES)
