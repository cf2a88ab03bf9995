"""The sequence model: an LSTM reads the last gaps and amounts and answers with a distribution."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor, nn
from typing_extensions import override

from container import features
from container.errors import ModelMismatch
from container.models.base import Model
from container.models.curves import floats, log_normal_survival, weibull_survival
from container.survival import Survival

_BLOCK = 4096  # customers predicted at once, which bounds the memory
_LOCATION = (-1.0, 12.0)  # log days
_LOG_SCALE = (-3.0, 1.5)


class Network(nn.Module):
    """Location and scale of log gap, from the features `features.sequence_names`.

    All numbers are read as log(1 + x), standardised by `mean` and `deviation`: those of gaps,
    amounts and the order count, then those of the log gaps to be predicted.
    """

    def __init__(self, hidden_size: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("deviation", torch.ones(4))
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(4, hidden_size, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(hidden_size + 1, hidden_size), nn.ReLU(), nn.Linear(hidden_size, 2)
        )

    @override
    def forward(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Location (n,) and scale (n,) in log days, of an (n, 1 + 2 x length) matrix."""
        count, latest_first = matrix.log1p().tensor_split([1], dim=1)
        # The latest order is always the last step: histories are padded at their beginning.
        steps = latest_first.unflatten(1, (2, -1)).transpose(1, 2).flip(1)
        known = ~steps.isnan()
        steps = ((steps - self.mean[:2]) / self.deviation[:2]).where(known, 0.0)
        memory = self.lstm(torch.cat([steps, known], dim=2))[0][:, -1]
        static = (count - self.mean[2]) / self.deviation[2]
        answer = self.head(torch.cat([self.dropout(memory), static], dim=1))
        location = self.mean[3] + self.deviation[3] * answer[:, 0]
        log_scale = self.deviation[3].log() + answer[:, 1]
        return location.clamp(*_LOCATION), log_scale.clamp(*_LOG_SCALE).exp()


class LstmModel(Model):
    """log gap = location + scale x noise, both from an LSTM.

    The noise is standard normal (likelihood "log-normal") or that of the logarithm of an
    exponential variable ("weibull": shape 1 / scale). Source of the network: Hochreiter &
    Schmidhuber 1997, "Long short-term memory".

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
            for start in range(0, len(features), _BLOCK):
                rows = slice(start, start + _BLOCK)
                location[rows], scale[rows] = self.network(torch.tensor(features[rows]))
        if self.likelihood == "weibull":
            return weibull_survival(self.days, location, 1 / scale)
        return log_normal_survival(self.days, location, scale)

    @override
    def save(self, path: Path) -> None:
        path.write_bytes(safetensors.torch.save(self.network.state_dict()))

    @classmethod
    @override
    def load(
        cls, path: Path, feature_names: tuple[str, ...], parameters: Mapping[str, JsonValue]
    ) -> Self:
        hidden_size, layers = (int(floats(parameters, name)) for name in ("hidden_size", "layers"))
        network = Network(hidden_size, layers)
        try:
            network.load_state_dict(safetensors.torch.load(path.read_bytes()))
        except (safetensors.SafetensorError, RuntimeError) as error:
            raise ModelMismatch(
                f"{path} is damaged, or its manifest describes another network; "
                "copy the whole model again"
            ) from error
        return cls(network, feature_names, str(parameters["likelihood"]), floats(parameters, "days"))
