"""Which trainer goes by which name; each is imported only when it is needed.

See docs/decisions/trainers.md#an-average-of-models-was-left-out.
"""

from __future__ import annotations

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.models.kinds import load
from ordergap.trainers.base import Trainer


def make_trainer(hyperparameters: Hyperparameters, *, calendar: bool) -> Trainer:
    """The trainer that the hyperparameters name; with calendar features or without."""
    parameters = hyperparameters.trainer
    made: Trainer = load(parameters.fits[parameters.variant])(hyperparameters, calendar=calendar)
    return made
