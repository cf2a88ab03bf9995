"""Metrics as tables: what each is called, how it is written and what it says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ordergap.report.contents import Judged, Metrics
from ordergap.report.markup import NOTHING, fixed, percent, table, upper

Write = Callable[[float], str]


class _Metric(NamedTuple):
    """How a metric is called, written and read; `better` is min or max, None without a best."""

    title: str
    write: Write
    decimals: int
    better: Callable[[list[float]], float] | None
    meaning: str


def days(value: float) -> str:
    """Days to a tenth."""
    return fixed(value, 1)


def score(value: float) -> str:
    """A figure between 0 and 1, to a thousandth."""
    return fixed(value, 3)


METRICS = {
    "capped_mae": _Metric(
        "Error, days", days, 1, min,
        "Mean distance of the forecast from what came, both capped. Lower is better.",
    ),
    "concordance": _Metric(
        "Concordance", score, 3, max,
        "Of two customers, how often the one forecast to order first did. 0.5 is a coin's.",
    ),
    "auc_30": _Metric(
        "AUC, 30\u00a0days", score, 3, max,
        "How often who ordered within 30 days had a higher probability than who did not.",
    ),
    "brier_30": _Metric(
        "Brier, 30\u00a0days", score, 3, min,
        "Mean squared distance of that probability from 0 or 1, what came. Lower is better.",
    ),
    "coverage": _Metric(
        "Interval holds", percent, 3, None,
        "Share of later gaps inside the interval. Best near the level that was promised.",
    ),
    "width": _Metric(
        "Its width, days", days, 1, None,
        "Mean length of the interval, capped. Of two that hold as often, the narrower is better.",
    ),
}  # fmt: skip


def metrics_table(caption: str, models: dict[str, Metrics], *, best: bool = True) -> str:
    """A row for each model, the best figure of a column in bold."""
    with_rows = any("rows" in metrics for metrics in models.values())
    rows, strong = [], set()
    for name, metrics in models.items():
        written = [each.write(metrics.get(key, math.nan)) for key, each in METRICS.items()]
        counted = [fixed(metrics.get("rows", math.nan))] if with_rows else []
        rows.append([upper(name), *written, *counted])
    for column, (key, metric) in enumerate(METRICS.items(), 1):
        known = [value for m in models.values() if math.isfinite(value := m.get(key, math.nan))]
        if best and metric.better and len(known) > 1:
            winner = metric.write(metric.better(known))
            strong |= {(row, column) for row, cells in enumerate(rows) if cells[column] == winner}
    head = ["", *(metric.title for metric in METRICS.values()), *(["Rows"] if with_rows else [])]
    return table(caption, head, rows, strong)


def differences_table(verdict: Judged) -> str:
    """Model less baseline, each with its interval; "" where none were drawn."""
    if not verdict.differences:
        return ""
    shown = {key: metric for key, metric in METRICS.items() if metric.better}
    rows, strong = [], set()
    for number, (baseline, differences) in enumerate(verdict.differences.items()):
        rows.append([f"less {baseline}"])
        for column, (key, metric) in enumerate(shown.items(), 1):
            mean, low, high = differences.get(key, (math.nan,) * 3)
            ends = "\u00a0to\u00a0".join(
                fixed(end, metric.decimals, sign=True) for end in (low, high)
            )
            text = f"{fixed(mean, metric.decimals, sign=True)} ({ends})"
            rows[-1].append(text if math.isfinite(mean) else NOTHING)
            if low > 0 or high < 0:
                strong.add((number, column))
    head = ["Model", *(metric.title for metric in shown.values())]
    caption = "Model less baseline, with intervals"
    return table(caption, head, rows, strong)
