"""The one thing a model can do, and how it is carried."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.survival.curve import Survival


class Model(ABC):
    """A fitted model: features in, survival curves out.

    feature_names  the columns of the matrix it reads, in order
    days           (m,) the time grid of its curves
    parameters     what `load` needs besides the file; JSON
    """

    kind: ClassVar[str]
    file_name: ClassVar[str]

    feature_names: tuple[str, ...]
    days: NDArray[np.float64]

    @property
    @abstractmethod
    def parameters(self) -> dict[str, JsonValue]:
        """What `load` needs besides the file."""

    @abstractmethod
    def survival(self, features: NDArray[np.float32]) -> Survival:
        """The n curves, from the last order on, of an (n, len(feature_names)) matrix."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the model to the file `path`; equal models write equal bytes."""

    @classmethod
    @abstractmethod
    def load(
        cls, path: Path, feature_names: tuple[str, ...], parameters: Mapping[str, JsonValue]
    ) -> Self:
        """The model that `save` wrote; nothing in the file is executed."""
