"""Which trainer goes by which name; each is imported only when it is asked for."""

from __future__ import annotations

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.errors import InvalidHyperparameters
from ordergap.models.formats import imported
from ordergap.trainers.base import Trainer

_TRAINERS = {
    "xgboost hazard": ("ordergap.trainers.xgboost", "HazardTrainer"),
    "xgboost aft": ("ordergap.trainers.xgboost", "AftTrainer"),
    "xgboost squared-error": ("ordergap.trainers.xgboost", "SquaredErrorTrainer"),
    "random-forest": ("ordergap.trainers.xgboost", "RandomForestTrainer"),
    "lstm": ("ordergap.trainers.lstm", "LstmTrainer"),
    "naive": ("ordergap.trainers.naive", "NaiveTrainer"),
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
