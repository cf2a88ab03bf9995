"""How far learning an LSTM has come, as one state that can be saved and restored."""

from __future__ import annotations

import copy
import logging
import math

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from torch.optim.adamw import adamw  # torch.optim.AdamW imports the compiler, which takes a second

from ordergap.checkpoints import State
from ordergap.hosts import Hosts
from ordergap.models.lstm import Network

log = logging.getLogger("ordergap")

_MEMORY = 0.98  # of the weights' running average
_COUNTS = ("epoch", "batch", "steps", "best_epoch", "least")
_NETWORKS = ("network", "average", "best")


class Learning:
    """Everything that the next batch depends on.

    average     running average of the network's weights
    best        the average after its best epoch, `best_epoch`, whose loss was `least`
    epoch       epochs that are over; `batch` of the next one are, too
    """

    def __init__(self, network: Network, learning_rate: float, seed: int) -> None:
        self.network, self.average = network, copy.deepcopy(network)
        self.best: Network | None = None
        self._rate, self._weights = learning_rate, [*network.parameters()]
        self._moments = {
            "step": [torch.zeros((), device=w.device) for w in self._weights],
            "exp_avg": [torch.zeros_like(w) for w in self._weights],
            "exp_avg_sq": [torch.zeros_like(w) for w in self._weights],
        }
        self.epoch = self.batch = self.steps = self.best_epoch = 0
        self.least = math.inf
        self._seed = seed

    def order(self, rows: int) -> Tensor:
        """The sequence of the rows in this epoch, also in the middle of it, on every host."""
        generator = torch.Generator().manual_seed(_seed(self._seed, 0, self.epoch))
        return torch.randperm(rows, generator=generator)

    def reseed(self, rank: int) -> None:
        """Have randomness in the next batch depend on its number, the host and the seed alone."""
        torch.manual_seed(_seed(self._seed, 1, self.steps, rank))

    def sum_gradients(self, hosts: Hosts) -> None:
        """Sum the gradients of every host's part of the batch."""
        if hosts.size == 1:
            return
        own = torch.cat([gradient.flatten() for gradient in self._gradients()])
        total = hosts.sum(own.cpu().numpy())
        ends = np.cumsum([w.numel() for w in self._weights])
        for w, gradient in zip(self._weights, np.split(total, ends[:-1]), strict=True):
            w.grad = torch.from_numpy(gradient).to(w.device).view_as(w)

    def _gradients(self) -> list[Tensor]:
        return [torch.zeros_like(w) if w.grad is None else w.grad for w in self._weights]

    @torch.no_grad()
    def move(self) -> None:
        """Move the weights by their gradients.

        Source: Loshchilov & Hutter 2019, Decoupled weight decay regularization (AdamW).
        """
        moments = self._moments
        adamw(
            [*self._weights], self._gradients(), moments["exp_avg"], moments["exp_avg_sq"], [],
            moments["step"], fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=self._rate,
            weight_decay=0.01, eps=1e-8, maximize=False,
        )  # fmt: skip

    def count_batch(self) -> None:
        """Count a batch, and move the average towards the latest weights.

        The first steps are forgotten sooner.
        """
        share = max(1 - _MEMORY, 10 / (10 + self.steps))
        weights = zip(self.average.parameters(), self.network.parameters(), strict=True)
        with torch.no_grad():
            for old, new in weights:
                old.lerp_(new, share)
        self.steps += 1
        self.batch += 1

    def judge(self, loss: float) -> None:
        """Keep the average where no epoch before was as good."""
        if loss < self.least:
            self.best, self.best_epoch, self.least = copy.deepcopy(self.average), self.epoch, loss

    def state(self) -> State:
        """All of it: counts as JSON; weights and moments as safetensors."""
        tensors: dict[str, Tensor] = {}
        for name in _NETWORKS:
            network: Network | None = getattr(self, name)
            for key, value in network.state_dict().items() if network else ():
                tensors[f"{name} {key}"] = value
        for key, values in self._moments.items():
            tensors |= {f"optimiser {i} {key}": value for i, value in enumerate(values)}
        counts = {name: getattr(self, name) for name in _COUNTS}
        return State(safetensors.torch.save(tensors), counts=counts)

    def restore(self, state: State, epochs: int) -> None:
        """Continue from `state`, unless more than `epochs` have gone into that."""
        counts = state.counts
        tensors = safetensors.torch.load(state.model)
        searched = counts["best_epoch"] != 0
        reached = (counts["best_epoch"], 0) if searched else (counts["epoch"], counts["batch"])
        if reached > (epochs, 0):
            log.info("  the checkpoint is further than %d epochs: learning anew", epochs)
            return
        vars(self).update(counts)
        self.best = copy.deepcopy(self.network) if searched else None
        for name in _NETWORKS:
            if network := getattr(self, name):
                network.load_state_dict(_part(tensors, name))
        for key, values in self._moments.items():
            for i, value in enumerate(values):
                value.copy_(tensors[f"optimiser {i} {key}"])
        log.info("  resuming from epoch %d", self.epoch)


def _seed(*numbers: int) -> int:
    """A seed for each sequence of numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {
        key.partition(" ")[2]: value for key, value in tensors.items() if key.startswith(f"{name} ")
    }
