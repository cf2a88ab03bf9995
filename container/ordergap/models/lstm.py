"""The sequence model: an LSTM reads the last gaps and amounts and answers with a distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor, nn
from typing_extensions import override

from ordergap.errors import ModelMismatch
from ordergap.features import sequence_names
from ordergap.models.base import Model
from ordergap.models.curves import floats, log_normal_survival, weibull_survival
from ordergap.survival.curve import Survival

BLOCK = 4096  # customers read at once, which bounds the memory
_LOCATION = (-1.0, 12.0)  # log days: from less than a day to centuries
_LOG_SCALE = (-3.0, 1.5)


class Network(nn.Module):
    """Location and scale of log gap, from the features `sequence_names(length)`.

    A step of the sequence is a gap, an amount and whether each is known; the order count joins at
    the end. Values are read as log(1 + x), less `mean` and by `deviation`: those of gap, amount
    and order count, then those of log gap, the unit of the answer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, hidden_size: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("deviation", torch.ones(4))
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(4, hidden_size, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(hidden_size + 1, hidden_size)
        self.answer = nn.Linear(hidden_size, 2)
        # Learning starts from one distribution for all: that of the training gaps.
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def ignore_amounts(self) -> None:
        """Read no amounts, where none are known to learn from: what a request has says nothing.

        Weights that begin at 0 stay there, as unknown amounts have no gradient.
        """
        with torch.no_grad():
            self.lstm.all_weights[0][0][:, 1::2] = 0.0  # amount, and whether it is known

    @override
    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Location (n,) and scale (n,) in log days, of an (n, 1 + 2 x length) matrix."""
        mean, deviation = self.mean, self.deviation
        count, latest_first = features.log1p().tensor_split([1], dim=1)
        # The latest order is always the last step: what is missing is missing at the beginning.
        steps = torch.stack(latest_first.chunk(2, dim=1), dim=2).flip(1)
        known = ~steps.isnan()
        steps = ((steps - mean[:2]) / deviation[:2]).where(known, 0.0)
        memory = self.lstm(torch.cat([steps, known], dim=2))[0][:, -1]
        count = (count - mean[2]) / deviation[2]
        hidden = self.hidden(torch.cat([self.dropout(memory), count], dim=1)).relu()
        location, log_scale = self.answer(hidden).unbind(dim=1)
        location = mean[3] + deviation[3] * location
        log_scale = deviation[3].log() + log_scale
        return location.clamp(*_LOCATION), log_scale.clamp(*_LOG_SCALE).exp()


class LstmModel(Model):
    """log gap = location + scale x noise, where an LSTM tells location and scale.

    The noise is standard normal ("log-normal"), or the logarithm of a standard exponential
    variable ("weibull", of shape 1 / scale). Source of the network: Hochreiter & Schmidhuber
    1997, "Long short-term memory".

    days  (m,) the day grid of its curves
    """

    kind: ClassVar[str] = "lstm"
    file_name: ClassVar[str] = "model.safetensors"

    def __init__(
        self,
        network: Network,
        feature_names: tuple[str, ...],
        likelihood: str,
        days: NDArray[np.float64],
    ) -> None:
        self.network = network.eval()
        self.feature_names = feature_names
        self.likelihood = likelihood
        self.days = days

    @property
    @override
    def parameters(self) -> dict[str, JsonValue]:
        return {
            "likelihood": self.likelihood,
            "hidden_size": self.network.lstm.hidden_size,
            "layers": self.network.lstm.num_layers,
            "days": self.days.tolist(),
        }

    @override
    def survival(self, features: NDArray[np.float32]) -> Survival:
        location, scale = np.empty((2, len(features)))
        with torch.inference_mode():
            for start in range(0, len(features), BLOCK):
                rows = slice(start, start + BLOCK)
                location[rows], scale[rows] = self.network(torch.tensor(features[rows]))
        if self.likelihood == "weibull":
            return weibull_survival(self.days, location, 1 / scale)
        return log_normal_survival(self.days, location, scale)

    @override
    def files(self) -> dict[str, bytes]:
        return {self.file_name: safetensors.torch.save(self.network.state_dict())}

    @classmethod
    @override
    def load(
        cls,
        files: Mapping[str, bytes],
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> Self:
        if feature_names != sequence_names(len(feature_names) // 2):
            raise ModelMismatch(
                f"{cls.file_name} reads a sequence of gaps and amounts, which its manifest does "
                "not list; copy the whole model again"
            )
        if parameters["likelihood"] not in ("log-normal", "weibull"):
            raise ModelMismatch(
                f"{cls.file_name} has a likelihood that this version does not know, "
                f"{parameters['likelihood']}; use the version that trained it, or train again"
            )
        size, layers = (int(floats(parameters, name)) for name in ("hidden_size", "layers"))
        try:
            network = _network(safetensors.torch.load(files[cls.file_name]), size, layers)
        except (safetensors.SafetensorError, RuntimeError, KeyError, ValueError) as error:
            raise ModelMismatch(
                f"{cls.file_name} is damaged, or not the network that its manifest describes; "
                "copy the whole model again"
            ) from error
        return cls(
            network, feature_names, str(parameters["likelihood"]), floats(parameters, "days")
        )


def _network(weights: Mapping[str, Tensor], size: int, layers: int) -> Network:
    """The network of these weights. Raises KeyError, ValueError or RuntimeError for others."""
    # Looked at first, because a network takes memory by the numbers that the manifest has.
    if weights["answer.weight"].shape[1] != size or layers > len(weights):
        raise ValueError("the weights are of another network")
    if not all(each.isfinite().all() for each in weights.values()):
        raise ValueError("a weight is no number")
    network = Network(size, layers)
    network.load_state_dict(weights)
    return network
