"""What the training job hands to its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ordergap.artifacts import Bundle
from ordergap.contract.metrics import TrainingMetrics
from ordergap.contract.prediction import LAPSED_WITHIN
from ordergap.evaluation.gaps import WEEKS
from ordergap.histories import Histories, date_of
from ordergap.report import inputs
from ordergap.report.contents import Contents, TaskContents
from ordergap.report.numbers import described
from ordergap.tasks.base import Fit, Split, Task, Validation
from ordergap.training.console import CAUTION

HORIZONS = (*WEEKS, LAPSED_WITHIN)
"""Days ahead of the forecasts that a report is made from."""


def contents(
    bundle: Bundle,
    orders: Histories,
    split: Split,
    tasks: Mapping[str, Task],
    validations: Mapping[str, Validation],
    fits: Mapping[str, Fit],
) -> Contents:
    """Everything on the report of a training job."""
    manifest = bundle.manifest
    metrics = TrainingMetrics.model_validate(manifest.metrics)
    ahead = bundle.forecast(
        orders, int(orders.day.max()), replace(bundle.options, horizons=HORIZONS)
    )
    learnt_until = str(manifest.as_of)
    if metrics.stopped_early:
        learnt_until = f"{date_of(split.cutoff)}; stopped early: it has not learnt from the rest"
    chosen = "; ".join(described(validation.chosen) for validation in validations.values())
    return Contents(
        title=f"Model {manifest.model_version}",
        card={
            "trainer": manifest.hyperparameters.trainer.name,
            "kind of model": ", ".join(section.kind for section in manifest.tasks.values()),
            "learnt from": f"{manifest.first_day} to {learnt_until}",
            "validated on": f"what came after {date_of(split.cutoff)}",
            "chosen on validation": chosen,
            "features": str(len(manifest.feature_names)),
            "settings": settings_line(manifest.hyperparameters.flat()),
            "not answered": "; ".join(f"{k}: {why}" for k, why in manifest.not_answered.items()),
            "made with": ", ".join(f"{k} {v}" for k, v in manifest.libraries.items()),
        },
        data=manifest.data,
        tasks={
            name: _answered(
                task.contents(
                    orders,
                    validations[name].comparisons,
                    {protocol: [each] for protocol, each in validations[name].evaluations.items()},
                    ahead.tasks.get(name),
                ),
                manifest.unanswered.get(name),
            )
            for name, task in tasks.items()
        },
        drivers=sorted(
            (driver for fit in fits.values() for driver in fit.drivers.items()),
            key=lambda each: -each[1],
        ),
        outliers=(next(iter(fits.values())).outliers.note, {}),
        caution=CAUTION,
        outlook=next(
            filter(None, (tasks[name].outlook(ahead, head) for name, head in bundle.heads.items())),
            None,
        ),
        inputs=inputs.section(latest) if (latest := metrics.inputs) else None,
    )


def _answered(said: TaskContents, lost: str | None) -> TaskContents:
    """What is said of a task, which is of no use where it has lost to its baselines."""
    return replace(said, use="", limits={}, findings={"Not answered": lost}) if lost else said


def settings_line(settings: Mapping[str, object]) -> str:
    """The hyperparameters as name=value."""
    return ", ".join(f"{name}={value}" for name, value in settings.items() if value is not None)
