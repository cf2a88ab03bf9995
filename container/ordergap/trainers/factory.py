"""Which trainer goes by which name; each is imported only when it is needed.

See docs/decisions/trainers.md#an-average-of-models-was-left-out.
"""

from __future__ import annotations

from collections.abc import Sequence

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.models.kinds import load
from ordergap.trainers.base import Trainer


def make_trainer(
    hyperparameters: Hyperparameters, *, calendar: bool, more: Sequence[str] = ()
) -> Trainer:
    """The trainer that the hyperparameters name; with calendar features or without.

    more  further features that trees read, such as `features.attribute_names`
    """
    parameters = hyperparameters.trainer
    kind = load(parameters.fits[parameters.variant])
    made: Trainer = kind(hyperparameters, calendar=calendar, more=more)
    return made
