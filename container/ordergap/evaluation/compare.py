"""Metrics side by side: the model's, the baselines', and how sure the difference is.

See docs/decisions/evaluation.md#intervals-are-of-at-most-25000-customers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.metrics import Rows, draws, interval

LEVEL = 0.9
MOST_CUSTOMERS = 25_000
"""The most customers of the bootstrap; of more, a sample without replacement."""
_COUNTS = frozenset({"rows"})  # metrics that grow with the number of customers
Metrics = dict[str, float]


class Evaluation(ABC):
    """One protocol's forecasts at one cutoff, of the model and of baselines, and what came.

    customer  (n,) id of each row's customer
    cap       days at which errors are capped, or that are judged; NaN: there are none
    segments  name -> (n,) whether a row belongs to it
    """

    customer: NDArray[np.str_] | NDArray[np.int64]
    cap: float
    segments: Mapping[str, NDArray[np.bool_]]

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The model, as MODEL, and the baselines."""

    @abstractmethod
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        """Every metric of one model's forecasts of some rows, or of all; NaN: not judged."""

    def of(self, rows: NDArray[np.int64]) -> Evaluation:
        """Some of the rows, for `metrics` alone."""
        return _Part(self, rows)


class _Part(Evaluation):
    """Some rows of an evaluation."""

    def __init__(self, whole: Evaluation, rows: NDArray[np.int64]) -> None:
        self.customer, self.cap, self.segments = whole.customer[rows], whole.cap, {}
        self._whole, self._rows = whole, rows

    @property
    @override
    def names(self) -> Sequence[str]:
        return self._whole.names

    @override
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        return self._whole.metrics(name, self._rows if rows is None else self._rows[rows])


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
        return {name: as_json(value) for name, value in asdict(self).items()}


def compare(evaluations: Sequence[Evaluation], seed: int, replicates: int) -> Comparison:
    """One protocol's forecasts at each of the cutoffs, with bootstrap intervals at LEVEL."""
    metrics = _mean_metrics(evaluations, [None] * len(evaluations))
    drawn = _drawn(evaluations, metrics, seed, replicates)
    differences = {}
    for baseline in (name for name in metrics if name != MODEL):
        differences[baseline] = {
            metric: (
                metrics[MODEL][metric] - metrics[baseline][metric],
                *interval([each[MODEL][metric] - each[baseline][metric] for each in drawn], LEVEL),
            )
            for metric in metrics[MODEL]
        }
    segments = {
        name: _mean_metrics(evaluations, [each.segments[name] for each in evaluations])
        for name in evaluations[0].segments
        if all(name in each.segments for each in evaluations)
    }
    intervals = {
        metric: interval([each[MODEL][metric] for each in drawn], LEVEL)
        for metric in metrics[MODEL]
    }
    return Comparison(metrics, intervals, differences, segments)


def _drawn(
    evaluations: Sequence[Evaluation], metrics: dict[str, Metrics], seed: int, replicates: int
) -> list[dict[str, Metrics]]:
    """The metrics of each bootstrap replicate of customers.

    Of more than `MOST_CUSTOMERS`, so many are chosen and drawn from. How far a replicate is from
    the metrics of the chosen is scaled to the number of all: it falls with the root of the number.

    Source: Bickel, Götze & van Zwet 1997, Resampling fewer than n observations.
    """
    everybody = np.unique(np.concatenate([each.customer for each in evaluations]))
    share = MOST_CUSTOMERS / len(everybody)
    some = evaluations
    if share < 1:
        random = np.random.default_rng([seed, MOST_CUSTOMERS])  # another stream than that of draws
        chosen = random.choice(everybody, MOST_CUSTOMERS, replace=False)
        some = [each.of(np.flatnonzero(np.isin(each.customer, chosen))) for each in evaluations]
    customers = [each.customer for each in some]
    drawn = [_mean_metrics(some, rows) for rows in draws(customers, replicates, seed)]
    if share >= 1:
        return drawn
    centre = _mean_metrics(some, [None] * len(some))

    def of_all(name: str, metric: str, value: float) -> float:
        scale = math.sqrt(1 / share if metric in _COUNTS else share)
        return metrics[name][metric] + (value - centre[name][metric]) * scale

    return [
        {
            name: {metric: of_all(name, metric, value) for metric, value in each.items()}
            for name, each in replicate.items()
        }
        for replicate in drawn
    ]


def compare_each(
    evaluations: Mapping[EvaluationProtocol, Evaluation], seed: int, replicates: int
) -> dict[EvaluationProtocol, Comparison]:
    """`compare` of each protocol at a single cutoff."""
    return {name: compare([each], seed, replicates) for name, each in evaluations.items()}


def _mean_metrics(
    evaluations: Sequence[Evaluation], rows: Sequence[Rows | None]
) -> dict[str, Metrics]:
    """Model or baseline -> metric -> mean over the cutoffs, on the rows chosen at each."""
    folds = [
        {name: evaluation.metrics(name, some) for name in evaluation.names}
        for evaluation, some in zip(evaluations, rows, strict=True)
    ]
    return {
        name: {metric: _mean([fold[name][metric] for fold in folds]) for metric in folds[0][MODEL]}
        for name in folds[0]
        if all(name in fold for fold in folds)
    }


def _mean(values: list[float]) -> float:
    judged = [value for value in values if not np.isnan(value)]
    return float(np.mean(judged)) if judged else float("nan")


def as_json(value: object) -> JsonValue:
    """Names and figures as JSON; NaN, where nothing could be judged, is null."""
    if isinstance(value, dict):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [as_json(each) for each in value]
    assert isinstance(value, float)  # noqa: S101 - metrics are nothing else
    return None if np.isnan(value) else value
