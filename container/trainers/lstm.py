"""Fits the model of container.models.lstm by the likelihood of gaps, ended or still open."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from typing_extensions import override

from container.contract.hyperparameters import Hyperparameters
from container.errors import AlgorithmError
from container.features import sequence_names
from container.models.lstm import BLOCK, LstmModel, Network
from container.trainers.base import Fitted, Float, Sample, Trainer

log = logging.getLogger("ordergap")

_PROGRESS_EVERY = 5  # epochs
_PATIENCE = 8  # epochs
_MEMORY = 0.98  # of the weights' running average
_LEAST_DEVIATION = 0.1
_CURVE_POINTS = 64
_CURVE_END = 730.0  # days


@dataclass(frozen=True, eq=False)
class Rows:
    """The gaps of a sample that say something, as tensors: features (n, F), the others (n,).

    log_entry is 0 where the watching began with the gap, which `late` tells.
    """

    features: Tensor
    log_gap: Tensor
    observed: Tensor
    log_entry: Tensor
    late: Tensor

    @classmethod
    def of(cls, sample: Sample) -> Rows:
        """Without the gaps that nobody watched for a day."""
        some = sample.gap > sample.entry
        entry = sample.entry[some]
        late = entry > 0
        return cls(
            torch.tensor(sample.features[some]),
            torch.tensor(np.log(sample.gap[some]), dtype=torch.float32),
            torch.tensor(sample.observed[some]),
            torch.tensor(np.log(np.where(late, entry, 1.0)), dtype=torch.float32),
            torch.tensor(late),
        )

    def __len__(self) -> int:
        """The number of gaps, n."""
        return len(self.log_gap)

    def __getitem__(self, some: Tensor) -> Rows:
        """The gaps of these positions."""
        return Rows(
            self.features[some],
            self.log_gap[some],
            self.observed[some],
            self.log_entry[some],
            self.late[some],
        )


class LstmTrainer(Trainer):
    """The network whose distributions make the gaps that were seen most likely.

    The model carries a running average of the weights, which makes the best number of epochs a
    property of the data rather than of the seed (after Polyak & Juditsky 1992, "Acceleration of
    stochastic approximation by averaging"). Validation stops after `early_stopping_rounds` epochs
    without progress, at most five; 0 never stops.
    """

    def __init__(self, hyperparameters: Hyperparameters, *, calendar: bool) -> None:  # noqa: ARG002
        super().__init__(hyperparameters, sequence_names(hyperparameters.sequence_length))

    @override
    def fit(
        self,
        train: Sample,
        days: Float,
        validation: Sample | None = None,
        found: Mapping[str, float] | None = None,
    ) -> Fitted:
        h = self.hyperparameters
        rows = Rows.of(train)
        check = Rows.of(validation) if validation and not found else None
        with torch.random.fork_rng(devices=[]):  # the global random state is left as it was
            torch.default_generator.manual_seed(h.seed)
            network = Network(h.hidden_size, h.layers, h.dropout)
            _standardise(network, train)
            epochs = int(found["rounds"]) if found else h.epochs
            best, best_epoch = self._learn(network, rows, check, epochs)
        if not all(weights.isfinite().all() for weights in best.parameters()):
            raise AlgorithmError(
                f"the lstm's weights grew without bound; set learning_rate below {h.learning_rate}"
            )
        model = LstmModel(best, self.feature_names, h.likelihood, curve_days(days))
        return Fitted(model, {"rounds": best_epoch})

    def _learn(
        self, network: Network, rows: Rows, check: Rows | None, epochs: int
    ) -> tuple[Network, int]:
        """The averaged network after its best epoch, and that epoch's number."""
        h = self.hyperparameters
        patience = min(h.early_stopping_rounds, _PATIENCE) or epochs
        optimiser = torch.optim.AdamW(network.parameters(), h.learning_rate, fused=True)
        averaged = AveragedModel(network, avg_fn=_average)
        best, best_epoch, least = averaged.module, epochs, math.inf
        for epoch in range(1, epochs + 1):
            network.train()
            for batch in torch.randperm(len(rows)).chunk(math.ceil(len(rows) / h.batch_size)):
                optimiser.zero_grad()
                self._loss(network, rows[batch]).backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                averaged.update_parameters(network)
            progress = ""
            if check:
                loss = self._validate(averaged.module, check)
                progress = f", validation loss {loss:.5f}"
                if loss < least:
                    best, best_epoch, least = copy.deepcopy(averaged.module), epoch, loss
            if epoch % _PROGRESS_EVERY == 0:
                log.info("  epoch %d%s", epoch, progress)
            if check and epoch - best_epoch >= patience:
                break
        return best, best_epoch

    def _validate(self, network: Network, rows: Rows) -> float:
        """Mean loss of the rows."""
        network.eval()
        with torch.inference_mode():
            blocks = torch.arange(len(rows)).split(BLOCK)
            return sum(len(b) * self._loss(network, rows[b]).item() for b in blocks) / len(rows)

    def _loss(self, network: Network, rows: Rows) -> Tensor:
        location, scale = network(rows.features)
        return -log_likelihood(self.hyperparameters.likelihood, location, scale, rows).mean()


def log_likelihood(likelihood: str, location: Tensor, scale: Tensor, rows: Rows) -> Tensor:
    """(n,) log density of the gaps that ended, log survival of the others, given the days waited.

    location, scale  (n,) of log gap = location + scale x noise
    """
    noise = _NOISES[likelihood]
    log_density, log_survival = noise((rows.log_gap - location) / scale)
    ended = log_density - scale.log() - rows.log_gap
    _, log_survival_at_entry = noise((rows.log_entry - location) / scale)
    seen = torch.where(rows.observed, ended, log_survival)
    return seen - torch.where(rows.late, log_survival_at_entry, 0.0)


def _normal(z: Tensor) -> tuple[Tensor, Tensor]:
    return -(z**2) / 2 - math.log(2 * math.pi) / 2, torch.special.log_ndtr(-z)


def _log_exponential(z: Tensor) -> tuple[Tensor, Tensor]:
    cumulative_hazard = z.clamp(max=30).exp()  # further out only a gradient could overflow
    return z - cumulative_hazard, -cumulative_hazard


# Likelihood -> log density and log survival of its noise.
_NOISES = {"log-normal": _normal, "weibull": _log_exponential}


def curve_days(days: Float) -> Float:
    """`days` and as many more as a smooth curve needs, to twice the longest gap and two years."""
    end = max(2 * days[-1], _CURVE_END)
    return np.unique(np.concatenate([days, np.geomspace(1, end, _CURVE_POINTS).round()]))


def _average(averaged: Tensor, latest: Tensor, steps: Tensor | int) -> Tensor:
    """Of the first steps, which are far from the goal, less is remembered."""
    return averaged.lerp(latest, max(1 - _MEMORY, 10 / (10 + float(steps))))


def _standardise(network: Network, train: Sample) -> None:
    """Tell the network the means and deviations of the training sample."""
    length = train.features.shape[1] // 2
    counts, gaps, amounts = np.split(np.log1p(train.features), [1, 1 + length], axis=1)
    ended = np.log(train.gap[train.observed & (train.gap > 0)])
    for i, values in enumerate((gaps, amounts, counts, ended)):
        known = values[~np.isnan(values)].astype(float)
        if len(known):
            network.mean[i] = known.mean()
            network.deviation[i] = max(known.std(), _LEAST_DEVIATION)
