"""What becomes of order lines, the features, and the files of a model."""

from __future__ import annotations

from ordergap.contract.manifest import Manifest, TaskSection
from ordergap.contract.metrics import (
    InputDrift,
    Inputs,
    ProtocolMetrics,
    TaskMetrics,
    TrainingMetrics,
)
from ordergap.contract.orders import Rejection
from ordergap.contract.reference import FeatureReference, Reference
from ordergap.features.table import CALENDAR, SEQUENCE, TABULAR
from ordergap.features.words import WORDS
from pydantic import BaseModel

from docs.generate import table
from docs.generate.fields import described, members


def rejections() -> str:
    """Why an order line is not used, in the sequence of the checks."""
    rows = [(f"`{value}`", comment) for value, comment in members(Rejection)]
    return table(("reason", "meaning"), rows)


def features() -> str:
    """Every feature, its meaning and which reasons it is part of."""
    rows = [
        (f"`{name}`", meaning, WORDS[name].group)
        for group in (TABULAR, CALENDAR)
        for name, (meaning, _) in group.items()
    ]
    rows += [(f"`{name}_1`, `{name}_2`, …", meaning, "") for name, (meaning, _) in SEQUENCE.items()]
    return table(("feature", "meaning", "reason"), rows)


def manifest() -> str:
    """The fields of manifest.json."""
    return _fields(Manifest)


def task_section() -> str:
    """The fields of a task's section of the manifest."""
    return _fields(TaskSection)


def metrics_file() -> str:
    """The fields of metrics.json, of a task in it, of a protocol in that, and of its inputs."""
    return "\n".join([
        _fields(TrainingMetrics),
        f"Each of `tasks`:\n\n{_fields(TaskMetrics)}",
        f"Each of `protocols`:\n\n{_fields(ProtocolMetrics)}",
        f"`inputs`:\n\n{_fields(Inputs)}",
        f"Each of its `features`:\n\n{_fields(InputDrift)}",
    ])  # fmt: skip


def reference_file() -> str:
    """The fields of reference.json, and of a feature in it."""
    return f"{_fields(Reference)}\nEach of `features`:\n\n{_fields(FeatureReference)}"


def _fields(model: type[BaseModel]) -> str:
    rows = [(f"`{name}`", kind, meaning) for name, kind, _, meaning in described(model)]
    return table(("field", "type", "meaning"), rows)
