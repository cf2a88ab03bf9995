"""Which class reads which kind of model; each is imported only when its kind is met."""

from __future__ import annotations

from importlib import import_module

from container.errors import ModelMismatch
from container.models.base import Model

_KINDS = {
    "hazard": ("container.models.xgboost", "HazardModel"),
    "aft": ("container.models.xgboost", "AftModel"),
    "squared-error": ("container.models.xgboost", "SquaredErrorModel"),
    "lstm": ("container.models.lstm", "LstmModel"),
    "naive": ("container.models.naive", "NaiveModel"),
}


def model_class(kind: str) -> type[Model]:
    """The class of models of this kind; ModelMismatch where there is none."""
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        raise ModelMismatch(f"the model is of an unknown kind, {kind}; this version reads {known}")
    module, name = _KINDS[kind]
    loaded: type[Model] = getattr(import_module(module), name)
    return loaded
