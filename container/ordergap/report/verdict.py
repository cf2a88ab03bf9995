"""How good a model is at a task, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ordergap.contract.metrics import BG_NBD, MODEL, NAIVE, EvaluationProtocol, Metric, Value
from ordergap.report.numbers import fixed, upper, written
from ordergap.report.tables import variant

_PLAIN = 2.0  # from so much on, whole figures say enough
NOT_JUDGED = "Not judged yet: there was too little later data."

Scores = Mapping[str, Mapping[str, Value]]
"""The model, as MODEL, and baselines -> metric -> value."""


def verdict(metrics: Mapping[str, Metric], scores: Mapping[EvaluationProtocol, Scores]) -> str:
    """The model's first metric under each protocol, beside that of its rival.

    The rival is a baseline that beats the model; else BG/NBD, the strongest; else the best there
    is. Variants of the model, called "model, …", are no baselines.
    """
    clauses: list[str] = []
    key, metric = next(iter(metrics.items()), ("", None))
    for protocol in sorted(scores, key=lambda each: each != EvaluationProtocol.AT_ORDER):
        values = {
            name: value
            for name, each in scores[protocol].items()
            if (value := each.get(key)) is not None and math.isfinite(value)
        }
        if metric and MODEL in values:
            clauses.append(f"{_clause(metric, values, first=not clauses)} {protocol.moment}")
    return f"{'; '.join(clauses)}." if clauses else NOT_JUDGED


def _clause(metric: Metric, values: Mapping[str, float], *, first: bool) -> str:
    """Such as "12 days (a customer's own average gap: 13)", in the metric's sentence if first."""
    value, sign = values[MODEL], -1 if metric.better == "higher" else 1
    rivals = {name: v for name, v in values.items() if name != MODEL and not variant(name)}
    best = min(rivals, key=lambda name: sign * rivals[name], default=None)
    better = best is not None and metric.better and sign * rivals[best] < sign * value
    if BG_NBD in rivals and not better:
        best = BG_NBD
    digits = _digits(metric, value, rivals[best] if best else math.nan)
    text = _short(metric, value, digits) + (" days" if metric.unit == "days" else "")
    if first:
        text = (metric.sentence or f"{upper(metric.title)} {{value}}").replace("{value}", text)
    if best is None:
        return text
    name = metric.naive or NAIVE if best == NAIVE else best
    rival = f"{name}: {_short(metric, rivals[best], digits)}"
    return f"{text} ({rival}{', which is better' if better else ''})"


def _short(metric: Metric, value: float, digits: int) -> str:
    return fixed(value, digits) if metric.unit == "days" else written(metric, value)


def _digits(metric: Metric, *values: float) -> int:
    """The fewest with which the values differ: whole days are plain, but must not hide who wins."""
    least = 0 if min(values, default=0) >= _PLAIN else 1
    several = (k for k in range(least, metric.digits) if len({fixed(v, k) for v in values}) > 1)
    return next(several, metric.digits)
