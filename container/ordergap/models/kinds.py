"""Which class reads which kind of model, and which a task's head; imported only when needed."""

from __future__ import annotations

from typing import Any

from ordergap.contract.tasks import TASKS, load_class
from ordergap.contract.trainers import TRAINERS
from ordergap.errors import ModelMismatch, UserError
from ordergap.models.base import Head, Model


def model_class(kind: str) -> type[Model]:
    """The class of models of this kind; ModelMismatch where there is none."""
    places = {k: place for each in TRAINERS.values() for k, place in each.predicts.items()}
    if kind not in places:
        kinds = ", ".join(places)
        raise ModelMismatch(f"the model is of an unknown kind, {kind}; this version reads {kinds}")
    loaded: type[Model] = load(places[kind])
    return loaded


def head_class(task: str) -> type[Head]:
    """The class of the heads of this task; ModelMismatch where there is none."""
    if task not in TASKS:
        raise ModelMismatch(
            f"the model has an unknown task, {task}; this version reads {', '.join(TASKS)}"
        )
    loaded: type[Head] = load_class(TASKS[task].head)
    return loaded


def load(place: str) -> Any:
    """The class at "module:Class"; UserError where it needs PyTorch and that is not installed."""
    try:
        return load_class(place)
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "safetensors"}:
            raise
        raise UserError(
            "lstm needs PyTorch, which is not installed: pip install 'ordergap[lstm]', use the "
            "default variant of the image, or use another trainer, such as xgboost"
        ) from error
