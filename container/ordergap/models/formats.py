"""Which class reads which kind of model; each is imported only when its kind is met."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ordergap.errors import ModelMismatch, UserError
from ordergap.models.base import Model

_KINDS = {
    "hazard": ("ordergap.models.xgboost", "HazardModel"),
    "aft": ("ordergap.models.xgboost", "AftModel"),
    "squared-error": ("ordergap.models.xgboost", "SquaredErrorModel"),
    "lstm": ("ordergap.models.lstm", "LstmModel"),
    "naive": ("ordergap.models.naive", "NaiveModel"),
}


def model_class(kind: str) -> type[Model]:
    """The class of models of this kind; ModelMismatch where there is none."""
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        raise ModelMismatch(f"the model is of an unknown kind, {kind}; this version reads {known}")
    loaded: type[Model] = imported(*_KINDS[kind])
    return loaded


def imported(module: str, name: str) -> Any:
    """What `module` calls `name`; UserError where it needs PyTorch and that is not installed."""
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "safetensors"}:
            raise
        raise UserError(
            "lstm needs PyTorch, which is not installed: pip install 'ordergap[lstm]', use the "
            "default variant of the image, or use another trainer, such as xgboost"
        ) from error
