"""What can be asked of a model, whatever form the request came in, and the asking."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from container.artifacts import Bundle
from container.contract.scoring import Prediction
from container.errors import Problem
from container.forecast import Forecasts, Known
from container.histories import Histories
from container.serving.options import Options
from container.serving.problems import summary


@dataclass(frozen=True)
class Placeholder:
    """Stands in the answer for a record that cannot be answered, and says why."""

    customer_id: str | None
    error: str

    @classmethod
    def of(cls, customer_id: str | None, problems: Sequence[Problem]) -> Placeholder:
        """Says nothing of the record's position: the row is the same however a file is split."""
        return cls(customer_id, re.sub(r"^(?:line|record) \d+:? ", "", summary(problems)))


Placeholders = dict[int, Placeholder] | None
"""By the record's position; None where such a record would have refused the whole request."""


@dataclass(frozen=True, eq=False)
class Orders:
    """Customers to be forecast from their orders; each has one, and none after its as_of (c,)."""

    histories: Histories
    as_of: NDArray[np.int64]
    options: Options
    placeholders: Placeholders = None

    def __len__(self) -> int:
        """Customers asked about."""
        return len(self.as_of) + len(self.placeholders or ())


@dataclass(frozen=True, eq=False)
class Vectors:
    """Customers to be forecast from ready feature vectors (c, F)."""

    known: Known
    features: NDArray[np.float32]
    options: Options
    placeholders: Placeholders = None

    def __len__(self) -> int:
        """Customers asked about."""
        return len(self.features) + len(self.placeholders or ())


@dataclass(frozen=True, eq=False)
class Answer:
    """Forecasts with placeholders between them, in the order asked."""

    forecasts: Forecasts
    placeholders: Placeholders = None

    @property
    def columns(self) -> list[str]:
        """The fields of a record, each probability one of its own, as `buy_probability_30`."""
        names = [*Prediction.model_fields, *(["error"] if self.placeholders is not None else [])]
        i = names.index("buy_probability")
        names[i : i + 1] = [f"buy_probability_{horizon}" for horizon in self.forecasts.probability]
        return names

    def records(self) -> list[dict[str, object]]:
        """JSON-ready records, as `Forecasts.records`.

        With placeholders every record has an `error`: null, or why all else that depends on the
        orders is null.
        """
        records = self.forecasts.records()
        if self.placeholders is None:
            return records
        answered = iter(records)
        return [
            self._blank(self.placeholders[i])
            if i in self.placeholders
            else {**next(answered), "error": None}
            for i in range(len(records) + len(self.placeholders))
        ]

    def _blank(self, placeholder: Placeholder) -> dict[str, object]:
        forecasts = self.forecasts
        return {
            **dict.fromkeys(Prediction.model_fields),
            "customer_id": placeholder.customer_id,
            "interval_level": forecasts.interval_level,
            "buy_probability": {str(horizon): None for horizon in forecasts.probability},
            "model_version": forecasts.model_version,
            "error": placeholder.error,
        }


def predict(bundle: Bundle, asked: Orders | Vectors) -> Answer:
    """The forecasts, one for each customer asked about, in the order asked."""
    told = asked.options
    if isinstance(asked, Orders):
        forecasts = bundle.forecast(
            asked.histories, asked.as_of, told.horizons, told.interval_level
        )
    else:
        forecasts = bundle.forecast_features(
            asked.known, asked.features, told.horizons, told.interval_level
        )
    return Answer(forecasts, asked.placeholders)
