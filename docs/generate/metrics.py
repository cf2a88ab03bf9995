"""The metrics: what they are called, how they are computed and where a job prints them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from ordergap.evaluation import metrics
from ordergap.tasks.registry import tasks

from docs.generate import ROOT, table

_COMPUTED_BY: dict[str, Callable[..., Any]] = {
    "capped_mae": metrics.capped_mae,
    "concordance": metrics.concordance,
    "auc_30": metrics.auc,
    "brier_30": metrics.brier,
    "ece_30": metrics.calibration,
    "coverage": metrics.coverage_and_width,
}


def definitions() -> str:
    """Every metric of every task."""
    text = ""
    for task in tasks().values():
        rows = [
            (f"`{name}`", metric.title, metric.unit or "0 to 1", metric.better or "near its level",
             metric.meaning)
            for name, metric in task.metrics.items()
        ]  # fmt: skip
        head = ("key", "in reports", "unit", "better", "meaning")
        text += f"**Task: {task.title.lower()}**\n\n{table(head, rows)}\n"
    return text


def computation() -> str:
    """How each metric is computed, in the words of its function."""
    text = ""
    for name, function in _COMPUTED_BY.items():
        prose = [
            paragraph
            for paragraph in inspect.cleandoc(function.__doc__ or "").split("\n\n")
            if not paragraph.startswith(">>>")
        ]
        text += f"#### `{name}`\n\n" + "\n\n".join(prose) + "\n\n"
    return text


def job_metrics() -> str:
    """What the platform finds in the log of a training job, and by which expression."""
    path = ROOT / "container/ordergap/training/metric_definitions.json"
    rows = [
        (f"`{each['Name']}`", f"`{each['Regex']}`")
        for each in json.loads(path.read_text(encoding="utf-8"))
    ]
    return table(("metric", "regular expression"), rows)
