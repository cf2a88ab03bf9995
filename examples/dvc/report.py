"""Gather what validation and backtest say: metrics.json for `dvc metrics`, and report.html.

metrics.json has the model's scores alone: validation or backtest -> task -> when a forecast is made
-> metric -> value.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

Scores = dict[str, dict[str, dict[str, float]]]


def validation(metrics: dict[str, Any]) -> Scores:
    """The scores in the metrics.json of a model."""
    return {
        task: {when: each["scores"]["model"] for when, each in found["protocols"].items()}
        for task, found in metrics["tasks"].items()
    }


def backtest(result: dict[str, Any]) -> Scores:
    """The scores in a backtest.json."""
    return {
        task: {when: each["metrics"]["model"] for when, each in found.items()}
        for task, found in result["tasks"].items()
    }


if __name__ == "__main__":
    found = {
        "validation": validation(json.loads(Path("model/metrics.json").read_text())),
        "backtest": backtest(json.loads(Path("backtest/backtest.json").read_text())),
    }
    Path("metrics.json").write_text(json.dumps(found, indent=2) + "\n")
    shutil.copy("backtest/report.html", "report.html")
