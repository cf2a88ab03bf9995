"""Forecasts with placeholders between them, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.models.forecasts import Forecasts


@dataclass(frozen=True)
class Placeholder:
    """Stands in the answer for a record that cannot be answered, and says why."""

    customer_id: str | None
    error: str


Placeholders = dict[int, Placeholder] | None
"""By the record's position; None where such a record would have refused the whole request."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Forecasts with placeholders between them, in the order of the request.

    sequence  where each record that is answered stands in the forecasts; None: in their order
    """

    forecasts: Forecasts
    placeholders: Placeholders = None
    sequence: NDArray[np.int64] | None = None

    @property
    def columns(self) -> list[str]:
        """The fields of a record; of one that is an object each name, as `buy_probability_30`."""
        names: list[str] = []
        for field, values in self.forecasts.columns.items():
            of_object = isinstance(values, Mapping)
            names += [f"{field}_{name}" for name in values] if of_object else [field]
        return names if self.placeholders is None else [*names, "error"]

    def records(self) -> list[dict[str, object]]:
        """JSON-ready records, as `Forecasts.records`.

        With placeholders every record has an `error`: null, or why all else that depends on the
        orders is null.
        """
        records = self.forecasts.records()
        if self.sequence is not None:
            records = [records[i] for i in self.sequence.tolist()]
        if self.placeholders is None:
            return records
        blank, answers = self._blank(), iter(records)
        return [
            blank | vars(self.placeholders[i])
            if i in self.placeholders
            else {**next(answers), "error": None}
            for i in range(len(records) + len(self.placeholders))
        ]

    def _blank(self) -> dict[str, Any]:
        """A record without a forecast: null, but for what is of the whole request."""
        return {
            field: dict.fromkeys(values) if isinstance(values, Mapping) else None
            for field, values in self.forecasts.columns.items()
        } | self.forecasts.constants()
