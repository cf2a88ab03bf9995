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

from ordergap.contract.leads import FirstOrderFields
from ordergap.contract.prediction import (
    CustomerFields,
    LargeOrderFields,
    NextOrderExplanation,
    NextOrderFields,
    ValueFields,
)
from ordergap.contract.versions import ModelVersion

WEEK_FIELD = "next_order_date"
"""The date by whose week the table of predictions is indexed."""


@dataclass(frozen=True)
class TaskEntry:
    """What the name of a task stands for.

    fields      what it adds to every prediction; None: nothing
    head        "module:Class" that is carried in the artefact and forecasts
    task        "module:Class" that learns, evaluates and reports
    on_request  what it adds where a request asks for it; None: nothing
    """

    fields: type[BaseModel] | None
    head: str
    task: str
    on_request: type[BaseModel] | None = None

    @property
    def names(self) -> set[str]:
        """The names of all these fields."""
        parts = [part for part in (self.fields, self.on_request) if part]
        return {name for part in parts for name in part.model_fields}


TASKS: dict[str, TaskEntry] = {
    "next_order": TaskEntry(
        NextOrderFields,
        "ordergap.models.next_order:NextOrderHead",
        "ordergap.tasks.next_order:NextOrder",
        NextOrderExplanation,
    ),
    "value": TaskEntry(
        None,
        "ordergap.models.value:ValueHead",
        "ordergap.tasks.value:Value",
        ValueFields,
    ),
    "large_order": TaskEntry(
        None,
        "ordergap.models.large_order:LargeOrderHead",
        "ordergap.tasks.large_order:LargeOrder",
        LargeOrderFields,
    ),
    "first_order": TaskEntry(
        None,
        "ordergap.models.first_order:FirstOrderHead",
        "ordergap.tasks.first_order:FirstOrder",
        FirstOrderFields,
    ),
}
"""Name -> entry, in the sequence in which tasks are fitted and their fields are written."""


def prediction_model(tasks: Iterable[str], *, everything: bool = False) -> type[CustomerFields]:
    """The fields of a prediction of a model that has these tasks, in the order of the wire.

    everything  with those that are there only where a request asks for them
    """
    entries = [TASKS[name] for name in tasks]
    parts = [(each.fields, each.on_request if everything else None) for each in entries]
    return _prediction_model(tuple(part for pair in parts for part in pair if part))


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
