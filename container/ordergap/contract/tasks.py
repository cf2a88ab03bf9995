"""The tasks: the questions that a model answers of a customer, and where their code is.

A new task is an entry here with the fields that it adds to a prediction, a head that forecasts
(imported by servers) and a task that learns and evaluates (imported by training).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel, create_model

from ordergap.contract.prediction import CustomerFields, NextOrderFields

WEEK_FIELD = "next_order_date"
"""The date by whose week the table of predictions is indexed."""


@dataclass(frozen=True)
class TaskEntry:
    """What the name of a task stands for.

    fields  what it adds to a prediction
    head    "module:Class" that is carried in the artefact and forecasts
    task    "module:Class" that learns, evaluates and reports
    """

    fields: type[BaseModel]
    head: str
    task: str


TASKS: dict[str, TaskEntry] = {
    "next_order": TaskEntry(
        NextOrderFields,
        "ordergap.models.next_order:NextOrderHead",
        "ordergap.tasks.next_order:NextOrder",
    ),
}
"""Name -> entry, in the sequence in which tasks are fitted and their fields are written."""


class ModelVersion(BaseModel):
    """What ends a prediction."""

    model_version: str


def prediction_model(tasks: Iterable[str]) -> type[CustomerFields]:
    """The fields of a prediction of a model that has these tasks, in the order of the wire."""
    return _prediction_model(tuple(TASKS[name].fields for name in tasks))


@cache
def _prediction_model(parts: tuple[type[BaseModel], ...]) -> type[CustomerFields]:
    models: tuple[type[BaseModel], ...] = (*parts, ModelVersion)
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for model in models
        for name, field in model.model_fields.items()
    }
    return create_model(
        "Prediction",
        __base__=CustomerFields,
        __doc__="What is forecast of one customer at the end of `as_of`.",
        **fields,
    )


def load_class(place: str) -> Any:
    """The class at "module:Class"; its module is imported now and not before."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
