"""Fits the model of ordergap.models.lstm by the likelihood of gaps, ended or still open."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from typing_extensions import override

from ordergap.checkpoints import raise_if_stopped
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.trainers import LstmParameters
from ordergap.errors import AlgorithmError
from ordergap.features import sequence_names
from ordergap.hosts import Hosts
from ordergap.models.lstm import BLOCK, LstmModel, Network
from ordergap.trainers.base import FitRequest, Fitted, Float, Sample, Trainer
from ordergap.trainers.device import Device, choose
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

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        *,
        calendar: bool,  # noqa: ARG002
        more: Sequence[str] = (),  # noqa: ARG002
    ) -> None:
        parameters = hyperparameters.trainer
        assert isinstance(parameters, LstmParameters)  # noqa: S101 - the factory sees to it
        super().__init__(hyperparameters, sequence_names(parameters.sequence_length))
        self._parameters = parameters
        cuda = torch.version.cuda is not None
        self._device = choose(hyperparameters.device, "torch", built_for_cuda=cuda)

    @override
    def fit(self, request: FitRequest) -> Fitted:
        p, train, validation = self._parameters, request.train, request.validation
        rows = _rows(train, self._device)
        check = _rows(validation, self._device) if validation and not request.chosen else None
        cards = [torch.cuda.current_device()] if self._device == "cuda" else []
        with torch.random.fork_rng(devices=cards):  # the global random state is left as it was
            torch.default_generator.manual_seed(self.hyperparameters.seed)
            network = Network(p.hidden_size, p.layers, p.dropout)
            _standardise(network, train)
            network.to(self._device)
            best, best_epoch = self._learn(network, rows, check, request)
        if not all(weights.isfinite().all() for weights in best.parameters()):
            raise AlgorithmError(
                "the lstm's weights are no longer numbers; train with a smaller learning_rate"
            )
        model = LstmModel(best.cpu(), self.feature_names, p.likelihood, curve_days(request.days))
        return Fitted(model, {"rounds": best_epoch})

    def _learn(
        self,
        network: Network,
        rows: TensorDataset,
        check: TensorDataset | None,
        request: FitRequest,
    ) -> tuple[Network, int]:
        """The averaged network after its best epoch, and that epoch's number."""
        p = self._parameters
        epochs = request.rounds if request.rounds is not None else p.epochs
        patience = min(p.early_stopping_rounds, _PATIENCE) or epochs
        learning = Learning(network, p.learning_rate, self.hyperparameters.seed)
        if request.checkpoint.last:
            with request.checkpoint.resuming(SafetensorError, KeyError, ValueError, RuntimeError):
                learning.restore(request.checkpoint.last, epochs)
        first = learning.epoch
        while learning.epoch < epochs and not request.stopping():
            if check and learning.epoch - learning.best_epoch >= patience:
                break
            if not self._pass(learning, rows, request):
                break
            validated = ""
            if check:
                loss = self._validate(learning.average, check, request.hosts)
                validated = f", validation loss {loss:.5f}"
                learning.judge(loss)
            if learning.epoch % _PROGRESS_EVERY == 0:
                log.info("  epoch %d%s", learning.epoch, validated)
        request.checkpoint.save(learning.state)
        if learning.epoch > first:
            log.info("  epochs %d to %d learnt", first + 1, learning.epoch)
        if check and not learning.epoch:
            raise_if_stopped(request.stopping, request.checkpoint.checkpoints)
        best = learning.best
        return (best, learning.best_epoch) if best else (learning.average, learning.epoch)

    def _pass(self, learning: Learning, rows: TensorDataset, request: FitRequest) -> bool:
        """Learn from the batches of an epoch that are left; whether that was to its end."""
        hosts = request.hosts
        batches = math.ceil(len(rows) / self._parameters.batch_size)
        for batch in learning.order(len(rows)).tensor_split(batches)[learning.batch :]:
            learning.network.zero_grad()
            learning.reseed(hosts.rank)
            if len(own := batch[hosts.part]):
                losses = self._losses(learning.network, *rows[own])
                torch.autograd.backward(losses.sum() / len(batch))
            learning.sum_gradients(hosts)
            nn.utils.clip_grad_norm_(learning.network.parameters(), 1.0)
            learning.move()
            learning.count_batch()
            if request.step(learning.state):
                break
        if learning.batch < batches:
            return False
        learning.epoch, learning.batch = learning.epoch + 1, 0
        return True

    def _validate(self, network: Network, rows: TensorDataset, hosts: Hosts) -> float:
        """Mean loss of the rows, each host having read its part."""
        network.eval()
        total = np.zeros(1)
        own = torch.arange(len(rows))[hosts.part]
        with torch.inference_mode():
            for start in range(0, len(own), BLOCK):
                block = own[start : start + BLOCK]
                total += self._losses(network, *rows[block]).sum().item()
        return float(hosts.sum(total)[0]) / len(rows)

    def _losses(
        self,
        network: Network,
        features: Tensor,
        gap: Tensor,
        observed: Tensor,
        left_truncation: Tensor,
    ) -> Tensor:
        location, scale = network(features)
        likelihood = self._parameters.likelihood
        return -log_likelihood(likelihood, location, scale, gap, observed, left_truncation)


def log_likelihood(
    likelihood: str,
    location: Tensor,
    scale: Tensor,
    gap: Tensor,
    observed: Tensor,
    left_truncation: Tensor,
) -> Tensor:
    """(n,) log density of the gaps that ended, log survival of the others, given the days waited.

    location, scale       (n,) of log gap = location + scale x noise
    gap, observed, left_truncation  (n,) as in `Sample`; every gap longer than its left_truncation
    """
    noise = _NOISES[likelihood]
    log_density, log_survival = noise((gap.log() - location) / scale)
    seen = torch.where(observed, log_density - scale.log() - gap.log(), log_survival)
    late = left_truncation > 0
    log_truncation = left_truncation.where(
        late, 1.0
    ).log()  # the logarithm of 0 would have no gradient
    _, log_survival_at_truncation = noise((log_truncation - location) / scale)
    return seen - log_survival_at_truncation.where(late, 0.0)


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
    """Features, gap, observed and left_truncation, of the gaps that were followed at all."""
    rows = sample.gap > sample.left_truncation
    columns = (sample.features, sample.gap, sample.observed, sample.left_truncation)
    features, gap, observed, left_truncation = (
        torch.from_numpy(column[rows]) for column in columns
    )
    tensors = (features, gap.float(), observed, left_truncation.float())
    return TensorDataset(*(tensor.to(device) for tensor in tensors))


def _standardise(network: Network, train: Sample) -> None:
    """Tell the network the means and deviations of the training sample."""
    length = train.features.shape[1] // 2
    counts, gaps, amounts = np.split(np.log1p(train.features), [1, 1 + length], axis=1)
    ended = np.log(train.gap[train.observed & (train.gap > 0)])
    for i, values in enumerate((gaps, amounts, counts, ended)):
        finite = values[~np.isnan(values)].astype(float)
        if len(finite):
            network.mean[i] = finite.mean()
            network.deviation[i] = max(finite.std(), _LEAST_DEVIATION)
    if np.isnan(amounts).all():
        network.ignore_amounts()
