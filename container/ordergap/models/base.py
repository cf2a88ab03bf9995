"""What is carried in an artefact: the head of a task, and the survival model inside of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.contract.manifest import TaskSection
from ordergap.errors import InvalidRequest, Problem
from ordergap.histories import Histories
from ordergap.survival.curve import Survival

Days = NDArray[np.int64]
Column: TypeAlias = "Sequence[object] | Mapping[str, Column]"
"""The n JSON-ready values of a field; of a field that is an object, those of each of its names."""


class Model(ABC):
    """A fitted survival model: features in, survival curves out.

    feature_names  the columns of the matrix it reads, in order
    days           (m,) the time grid of its curves
    parameters     what `load` needs besides the files; JSON
    file_name      of the model
    side_files     names of the other files
    """

    kind: ClassVar[str]
    file_name: ClassVar[str]
    side_files: ClassVar[tuple[str, ...]] = ()

    feature_names: tuple[str, ...]
    days: NDArray[np.float64]

    @property
    @abstractmethod
    def parameters(self) -> dict[str, JsonValue]:
        """What `load` needs besides the file."""

    @abstractmethod
    def survival(self, features: NDArray[np.float32]) -> Survival:
        """The n curves, from the last order on, of an (n, len(feature_names)) matrix."""

    def contributions(
        self,
        features: NDArray[np.float32],  # noqa: ARG002
        elapsed: Days,  # noqa: ARG002
        horizon: int,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """How much each feature, and last the days waited, speaks for an order: (n, F + 1).

        features  (n, F)
        elapsed   (n,) days waited
        horizon   the days after them in which an order may come

        What speaks against it is below 0. Raises InvalidRequest where a model has no such parts.
        """
        message = f"a model of the kind {self.kind} cannot give the reasons of its forecasts"
        hint = "leave explain out, or train with trainer = xgboost or random-forest"
        raise InvalidRequest([Problem(message, field="explain", hint=hint)])

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Name -> bytes of `file_name` and `side_files`; equal models have equal bytes."""

    @classmethod
    @abstractmethod
    def load(
        cls,
        files: Mapping[str, bytes],
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> Self:
        """The model that `files` are of; nothing in them is executed.

        Raises ModelMismatch for bytes that are none, and KeyError for a parameter that is missing.
        """


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What is known of n customers at the end of their `as_of` day.

    as_of, last_day  (n,) days since 1970-01-01; last_day <= as_of
    order_count      (n,) orders until as_of
    revenue          (n,) sum of their amounts; NaN where unknown
    """

    customer_ids: Sequence[str]
    as_of: Days
    last_day: Days
    order_count: Days
    revenue: NDArray[np.float64]

    @classmethod
    def of(cls, histories: Histories, as_of: Days | int) -> Self:
        """Of every customer of `histories`; none has an order after `as_of`.

        as_of  a day for all, or (n,)
        """
        last = histories.last_row
        return cls(
            histories.customer_ids,
            np.broadcast_to(np.asarray(as_of, np.int64), last.shape),
            histories.day[last].astype(np.int64),
            histories.order_count,
            histories.revenue,
        )

    @property
    def elapsed(self) -> Days:
        """(n,) days waited since the last order."""
        return self.as_of - self.last_day


@dataclass(frozen=True)
class ForecastOptions:
    """What may differ from request to request.

    horizons          days ahead
    interval_level    the level that intervals are said to have
    max_horizon_days  a forecast more than so many days after as_of is null
    explain           how many reasons of a forecast are given, at most
    value_horizons    days ahead for which orders and value are expected; empty: they are not asked
    large_thresholds  amounts above which an order is large; empty: they are not asked; None: the
                      model's own
    """

    horizons: Sequence[int]
    interval_level: float
    max_horizon_days: int
    explain: int = 0
    value_horizons: Sequence[int] = ()
    large_thresholds: Sequence[float] | None = ()


class TaskForecast(ABC):
    """What one task says of n customers."""

    @abstractmethod
    def columns(self) -> dict[str, Column]:
        """Field of the prediction -> its values, in the sequence of the contract's model."""

    def constants(self) -> dict[str, object]:
        """Those fields that are alike for all customers, whether there is a forecast or not."""
        return {}

    def contradiction(self) -> str | None:
        """Which of its own promises it breaks, in words; None where it keeps them."""
        return None

    def counts(self) -> Counter[str]:
        """How many customers are of which kind, where the task tells kinds apart."""
        return Counter()


class Head(ABC):
    """The fitted model of one task.

    feature_names  the columns of the matrix it reads, in order
    kind           which class or variant of it reads the files
    parameters     what `load` needs besides the files; JSON
    """

    feature_names: tuple[str, ...]

    @property
    @abstractmethod
    def kind(self) -> str:
        """Which class or variant reads the files."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, JsonValue]:
        """What `load` needs besides the files."""

    @abstractmethod
    def forecast(
        self,
        customers: Snapshot,
        features: NDArray[np.float32],
        options: ForecastOptions,
        earlier: Mapping[str, TaskForecast],
    ) -> TaskForecast:
        """The answers for n customers.

        features  (n, len(feature_names)) of each customer's last order
        earlier   the forecasts of the tasks before this one, for the same customers
        """

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Name -> bytes of each of `file_names`; equal heads have equal bytes."""

    @classmethod
    @abstractmethod
    def load(cls, files: Mapping[str, bytes], section: TaskSection) -> Self:
        """The head that `files` are of; nothing in them is executed. Raises ModelMismatch."""

    @classmethod
    @abstractmethod
    def file_names(cls, kind: str) -> tuple[str, ...]:
        """The files that a head of this kind reads; imports what reads them."""
