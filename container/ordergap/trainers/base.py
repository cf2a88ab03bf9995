"""What every trainer is given, what it gives back, and the time grid they share.

See docs/decisions/trainers.md#the-time-grid-is-two-thirds-body-and-one-third-tail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ordergap.checkpoints import FitCheckpoint, State
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.hosts import ALONE, Hosts
from ordergap.models.base import Model
from ordergap.stopping import Stopping, never

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """n gaps to learn from or to check against.

    features         (n, F) what was known at the order that opened the gap
    gap              (n,) days to the next order; where none has come, the follow-up
    observed         (n,) whether the next order came
    left_truncation  (n,) days without an order when observation began: the gap is longer
    """

    features: NDArray[np.float32]
    gap: Float
    observed: NDArray[np.bool_]
    left_truncation: Float

    def __len__(self) -> int:
        """The number of gaps, n."""
        return len(self.gap)

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Sample:
        """Some of the gaps."""
        return Sample(
            self.features[rows], self.gap[rows], self.observed[rows], self.left_truncation[rows]
        )

    def __add__(self, other: Sample) -> Sample:
        """The gaps of both."""
        return Sample(
            np.vstack([self.features, other.features]),
            np.concatenate([self.gap, other.gap]),
            np.concatenate([self.observed, other.observed]),
            np.concatenate([self.left_truncation, other.left_truncation]),
        )


@dataclass(frozen=True, eq=False)
class FitRequest:
    """What a fit is asked for.

    train       what to learn from
    days        (m,) the time grid, from `time_grid`
    validation  where to look for the number of rounds and the like
    chosen      what an earlier fit chose, to be taken as it is; without it and without
                `validation` the hyperparameters decide
    hosts       that fit the model together, each from its part of the rows
    stopping    whether to stop: then the model is the best so far
    checkpoint  where an earlier run left the fit, and where its state is kept
    """

    train: Sample
    days: Float
    validation: Sample | None = None
    chosen: Mapping[str, float] | None = None
    hosts: Hosts = ALONE
    stopping: Stopping = never
    checkpoint: FitCheckpoint = field(default_factory=FitCheckpoint)

    def part(self, name: str) -> FitRequest:
        """The request for one of several fits of which the best is taken."""
        return replace(self, checkpoint=self.checkpoint.part(name))

    @property
    def rounds(self) -> int | None:
        """The number of rounds or epochs that was chosen."""
        return int(self.chosen["rounds"]) if self.chosen else None

    def step(self, state: Callable[[], State]) -> bool:
        """To be called after each step of a fit; whether the fit is to end here.

        Keeps the `state` when it is time.
        """
        if stop := self.stopping():
            self.checkpoint.save(state)
        else:
            self.checkpoint.save_if_due(state)
        return stop


@dataclass(frozen=True)
class Fitted:
    """A model and what the fit chose.

    chosen   what was best on the validation sample (rounds, noise scale), for the refit on all data
    drivers  feature -> mean absolute SHAP value over some training rows, where the model has any
    """

    model: Model
    chosen: dict[str, float]
    drivers: dict[str, float] = field(default_factory=dict)


class Trainer(ABC):
    """Makes one kind of model from the features `feature_names`."""

    def __init__(self, hyperparameters: Hyperparameters, feature_names: tuple[str, ...]) -> None:
        self.hyperparameters = hyperparameters
        self.feature_names = feature_names

    @abstractmethod
    def fit(self, request: FitRequest) -> Fitted:
        """The model that is asked for; Stopped where it is to stop before there is one."""


def time_grid(gap: Float, observed: NDArray[np.bool_], bins: int) -> Float:
    """From two to `bins` rising days to cut time at, the last being the longest gap.

    Two thirds cut the observed gaps into equal parts; the rest lie at equal ratios beyond them, in
    the long tail of those who have waited far longer than most gaps last. Where all gaps are equal
    the second day is twice as far.

    >>> time_grid(np.array([7.0, 7, 14, 30, 90]), np.array([True] * 4 + [False]), 6).tolist()
    [7.0, 14.0, 30.0, 52.0, 90.0]
    """
    body = max(1, bins * 2 // 3)
    inner = np.quantile(gap[observed], np.arange(1, body + 1) / (body + 1), method="inverted_cdf")
    tail = np.geomspace(inner[-1], max(gap.max(), 1.0), bins - body + 1)[1:]
    grid = np.unique(np.concatenate([inner, np.round(tail)]))
    return grid if len(grid) > 1 else np.append(grid, 2 * grid)
