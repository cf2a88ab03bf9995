"""A trained model in MLflow's terms: tags, parameters, metrics, and a folder that MLflow loads."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

from ordergap import __version__
from ordergap.contract.manifest import MANIFEST
from ordergap.contract.metrics import TrainingMetrics
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from lambdas.shared.errors import NotTracked

_NO_KEY = re.compile(r"[^\w\-. :/]", re.ASCII)  # what MLflow does not take in the name of a metric
_LONGEST = 6000  # characters of a parameter's value
_LISTS = {"horizons": "long", "value_horizons": "long", "large_thresholds": "double"}
_SINGLE = {
    "as_of": "string",
    "interval_level": "double",
    "explain": "long",
    "status": "string",
    "top": "long",
    "by": "string",
}
"""Options of `Forecaster.predict` -> their types in MLflow."""


class _Card(BaseModel):
    """The part of manifest.json that is mirrored."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str
    as_of: str
    data_digest: str
    hyperparameters: dict[str, JsonValue]
    metrics: TrainingMetrics


@dataclass(frozen=True)
class Model:
    """The files of a model's folder, by their paths."""

    files: Mapping[str, bytes]

    @cached_property
    def _card(self) -> _Card:
        try:
            return _Card.model_validate_json(self.files[MANIFEST])
        except (KeyError, ValidationError) as error:
            raise NotTracked(f"the model has no {MANIFEST} that this version reads") from error

    @property
    def model_version(self) -> str:
        """Of the manifest."""
        return self._card.model_version

    @property
    def as_of(self) -> str:
        """The last day that training looked at."""
        return self._card.as_of

    @property
    def tags(self) -> dict[str, str]:
        """What the model says of itself, and the version of the package that mirrors it."""
        card = self._card
        own = {name: getattr(card, name) for name in ("model_version", "as_of", "data_digest")}
        return own | {"package_version": __version__}

    @property
    def parameters(self) -> dict[str, str]:
        """The hyperparameters, such as ``trainer.max_depth``."""
        return {key: value[:_LONGEST] for key, value in _flat(self._card.hyperparameters).items()}

    @property
    def metrics(self) -> dict[str, float]:
        """The scores of model and baselines: ``next_order/at order/naive/capped_mae``.

        What could not be judged is not among them.
        """
        return {
            _NO_KEY.sub("-", f"{task}/{protocol}/{who}/{metric}"): value
            for task, judged in self._card.metrics.tasks.items()
            for protocol, scores in judged.scores.items()
            for who, values in scores.items()
            for metric, value in values.items()
            if value is not None and isfinite(value)
        }

    def artifacts(self, folder: str, run_id: str) -> dict[str, bytes]:
        """Path -> content of a folder that `mlflow.pyfunc.load_model` loads, without a pickle.

        See docs/decisions/lambdas.md#mlflow-loads-the-model-itself. JSON is YAML too.
        """
        flavor = {
            "loader_module": "ordergap.pyfunc",
            "data": "data",
            "python_version": platform.python_version(),
        }
        card = {
            "artifact_path": folder,
            "flavors": {"python_function": flavor},
            "run_id": run_id,
            "signature": {"params": json.dumps(_options())},
        }
        own = {f"{folder}/MLmodel": json.dumps(card, indent=2).encode()}
        return own | {f"{folder}/data/{path}": each for path, each in self.files.items()}


def _options() -> list[dict[str, object]]:
    """What `predict` takes as `params`. None and an empty list, MLflow's for it, are not given."""
    options: list[dict[str, object]] = []
    options += [{"name": n, "type": kind, "default": None} for n, kind in _SINGLE.items()]
    options += [
        {"name": n, "type": kind, "default": [], "shape": [-1]} for n, kind in _LISTS.items()
    ]
    return options


def _flat(values: Mapping[str, JsonValue], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return flat
