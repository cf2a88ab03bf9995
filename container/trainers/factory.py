"""Which trainer goes by which name; each is imported only when it is asked for."""

from __future__ import annotations

from container.contract.hyperparameters import Hyperparameters
from container.errors import InvalidHyperparameters
from container.models.formats import imported
from container.trainers.base import Trainer

_TRAINERS = {
    "xgboost hazard": ("container.trainers.xgboost", "HazardTrainer"),
    "xgboost aft": ("container.trainers.xgboost", "AftTrainer"),
    "xgboost squared-error": ("container.trainers.xgboost", "SquaredErrorTrainer"),
    "random-forest": ("container.trainers.xgboost", "RandomForestTrainer"),
    "lstm": ("container.trainers.lstm", "LstmTrainer"),
    "naive": ("container.trainers.naive", "NaiveTrainer"),
}


def make_trainer(hyperparameters: Hyperparameters, *, calendar: bool) -> Trainer:
    """The trainer that the hyperparameters name; with calendar features or without."""
    name: str = hyperparameters.trainer
    if name == "xgboost":
        name += f" {hyperparameters.objective}"
    if name not in _TRAINERS:
        raise InvalidHyperparameters([f"no trainer is called {name}: use {', '.join(_TRAINERS)}"])
    made: Trainer = imported(*_TRAINERS[name])(hyperparameters, calendar=calendar)
    return made
