"""Fits the model of ordergap.models.lstm by the likelihood of gaps, ended or still open."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from typing_extensions import override

from ordergap.checkpoints import ALONE, Progress
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.errors import AlgorithmError
from ordergap.features import sequence_names
from ordergap.hosts import Hosts
from ordergap.models.lstm import BLOCK, LstmModel, Network
from ordergap.trainers.base import Fitted, Float, Sample, Trainer
from ordergap.trainers.device import Device, settled
from ordergap.trainers.lstm_learning import Learning

log = logging.getLogger("ordergap")

_PROGRESS_EVERY = 5  # epochs
_PATIENCE = 8  # epochs
_LEAST_DEVIATION = 0.1
_CURVE_POINTS = 64
_CURVE_END = 730.0  # days


class LstmTrainer(Trainer):
    """The network whose distributions make the gaps that were seen most likely.

    The model carries a running average of the weights, which makes the best number of epochs a
    property of the data rather than of the seed (after Polyak & Juditsky 1992, "Acceleration of
    stochastic approximation by averaging"). Validation stops after `early_stopping_rounds` epochs
    without progress, at most eight; 0 never stops.
    """

    def __init__(self, hyperparameters: Hyperparameters, *, calendar: bool) -> None:  # noqa: ARG002
        super().__init__(hyperparameters, sequence_names(hyperparameters.sequence_length))
        cuda = torch.version.cuda is not None
        self._device = settled(hyperparameters.device, "torch", built_for_cuda=cuda)

    @override
    def fit(
        self,
        train: Sample,
        days: Float,
        validation: Sample | None = None,
        found: Mapping[str, float] | None = None,
        progress: Progress = ALONE,
    ) -> Fitted:
        h = self.hyperparameters
        rows = _rows(train, self._device)
        check = _rows(validation, self._device) if validation and not found else None
        cards = [torch.cuda.current_device()] if self._device == "cuda" else []
        with torch.random.fork_rng(devices=cards):  # the global random state is left as it was
            torch.default_generator.manual_seed(h.seed)
            network = Network(h.hidden_size, h.layers, h.dropout)
            _standardise(network, train)
            network.to(self._device)
            epochs = int(found["rounds"]) if found else h.epochs
            best, best_epoch = self._learn(network, rows, check, epochs, progress)
        if not all(weights.isfinite().all() for weights in best.parameters()):
            raise AlgorithmError(
                "the lstm's weights are no longer numbers; train with a smaller learning_rate"
            )
        model = LstmModel(best.cpu(), self.feature_names, h.likelihood, curve_days(days))
        return Fitted(model, {"rounds": best_epoch})

    def _learn(
        self,
        network: Network,
        rows: TensorDataset,
        check: TensorDataset | None,
        epochs: int,
        progress: Progress,
    ) -> tuple[Network, int]:
        """The averaged network after its best epoch, and that epoch's number."""
        h = self.hyperparameters
        patience = min(h.early_stopping_rounds, _PATIENCE) or epochs
        at = Learning(network, h.learning_rate, h.seed)
        if progress.last:
            at.restore(progress.last, epochs)
        began = at.epoch
        while at.epoch < epochs and not progress.stopping():
            if check and at.epoch - at.best_epoch >= patience:
                break
            if not self._pass(at, rows, progress):
                break
            told = ""
            if check:
                loss = self._validate(at.average, check, progress.hosts)
                told = f", validation loss {loss:.5f}"
                at.judge(loss)
            if at.epoch % _PROGRESS_EVERY == 0:
                log.info("  epoch %d%s", at.epoch, told)
        progress.finished(at.state)
        if at.epoch > began:
            log.info("  epochs %d to %d learnt", began + 1, at.epoch)
        if check and not at.epoch:
            progress.proceed()
        return (at.best, at.best_epoch) if at.best else (at.average, at.epoch)

    def _pass(self, at: Learning, rows: TensorDataset, progress: Progress) -> bool:
        """Learn from the batches of an epoch that are left; whether that was to its end."""
        hosts = progress.hosts
        batches = math.ceil(len(rows) / self.hyperparameters.batch_size)
        for batch in at.order(len(rows)).tensor_split(batches)[at.batch :]:
            at.optimiser.zero_grad()
            at.throw_dice(hosts.rank)
            if len(mine := batch[hosts.part]):
                losses = self._losses(at.network, *rows[mine])
                torch.autograd.backward(losses.sum() / len(batch))
            at.share_gradients(hosts)
            nn.utils.clip_grad_norm_(at.network.parameters(), 1.0)
            at.optimiser.step()
            at.remember()
            if progress.step(at.state):
                break
        if at.batch < batches:
            return False
        at.epoch, at.batch = at.epoch + 1, 0
        return True

    def _validate(self, network: Network, rows: TensorDataset, hosts: Hosts) -> float:
        """Mean loss of the rows, each host having read its part."""
        network.eval()
        total = np.zeros(1)
        mine = torch.arange(len(rows))[hosts.part]
        with torch.inference_mode():
            for start in range(0, len(mine), BLOCK):
                block = mine[start : start + BLOCK]
                total += self._losses(network, *rows[block]).sum().item()
        return float(hosts.sum(total)[0]) / len(rows)

    def _losses(
        self, network: Network, features: Tensor, gap: Tensor, observed: Tensor, entry: Tensor
    ) -> Tensor:
        location, scale = network(features)
        likelihood = self.hyperparameters.likelihood
        return -log_likelihood(likelihood, location, scale, gap, observed, entry)


def log_likelihood(
    likelihood: str,
    location: Tensor,
    scale: Tensor,
    gap: Tensor,
    observed: Tensor,
    entry: Tensor,
) -> Tensor:
    """(n,) log density of the gaps that ended, log survival of the others, given the days waited.

    location, scale       (n,) of log gap = location + scale x noise
    gap, observed, entry  (n,) as in `Sample`; every gap longer than its entry
    """
    noise = _NOISES[likelihood]
    log_density, log_survival = noise((gap.log() - location) / scale)
    seen = torch.where(observed, log_density - scale.log() - gap.log(), log_survival)
    late = entry > 0
    log_entry = entry.where(late, 1.0).log()  # the logarithm of 0 would have no gradient
    _, log_survival_at_entry = noise((log_entry - location) / scale)
    return seen - log_survival_at_entry.where(late, 0.0)


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


def _rows(sample: Sample, device: Device) -> TensorDataset:
    """Features, gap, observed and entry, of the gaps that were watched at all."""
    some = sample.gap > sample.entry
    columns = (sample.features, sample.gap, sample.observed, sample.entry)
    features, gap, observed, entry = (torch.from_numpy(column[some]) for column in columns)
    tensors = (features, gap.float(), observed, entry.float())
    return TensorDataset(*(tensor.to(device) for tensor in tensors))


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
