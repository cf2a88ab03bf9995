"""What `mlflow.pyfunc.load_model` calls to load a model that `track_model` has mirrored.

It does not import MLflow: that is in the environment of who loads the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordergap.forecaster import Forecaster, load


class Loaded:
    """A forecaster with MLflow's `predict`."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """A frame with a row for each customer of `model_input`, a frame of order lines.

        params  options of `Forecaster.predict`, such as ``{"as_of": "2011-12-09"}``; one that is
                None or an empty list, MLflow's default of lists, is not given
        """
        options = {n: value for n, value in (params or {}).items() if value not in (None, [])}
        return self.forecaster.predict(model_input, quiet=True, **options)


def _load_pyfunc(path: str) -> Loaded:
    """The model in the folder `path`: MLflow's name for the function of a loader module."""
    return Loaded(load(path))
