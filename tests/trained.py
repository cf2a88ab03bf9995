"""Training as the command line does it, from hyperparameters to a folder with a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import Manifest
from ordergap.evaluation.gaps import forecasts, outcomes
from ordergap.evaluation.metrics import evaluate
from ordergap.forecaster import Forecaster
from ordergap.models.base import TaskForecast
from ordergap.models.next_order import NextOrderForecast, NextOrderHead
from ordergap.survival.curve import Survival
from ordergap.survival.targets import Targets
from ordergap.training.job import Job


def train(
    hyperparameters: Hyperparameters,
    source: Path,
    model_dir: Path,
    output_data: Path | None = None,
    validation: Path | None = None,
    **job: Any,
) -> Manifest:
    """Train as `Job(**job)` says, with metric lines, and save model, metrics and report."""
    model = Forecaster.fit(hyperparameters, source, validation, Job(metric_lines=True, **job))
    model.save(model_dir)
    if output_data:
        model.save_report(output_data)
    return model.manifest


def next_order(forecasts: Any) -> NextOrderForecast:
    """The forecast of the next order among those of all tasks."""
    forecast: TaskForecast = forecasts.tasks["next_order"]
    assert isinstance(forecast, NextOrderForecast)
    return forecast


def scores(metrics: Any, protocol: str, name: str = "model") -> dict[str, float]:
    """What the model, or naive, scored on the next order, out of the JSON of metrics."""
    found: dict[str, float] = metrics["tasks"]["next_order"]["protocols"][protocol]["scores"][name]
    return found


def judge(survival: Survival, targets: Targets, level: float, cap: float) -> dict[str, float]:
    """Every metric of curves on what came."""
    return evaluate(forecasts(survival, targets, level, cap), outcomes(targets), cap)


def head(bundle: Bundle) -> NextOrderHead:
    """The head of the next order."""
    found = bundle.heads["next_order"]
    assert isinstance(found, NextOrderHead)
    return found
