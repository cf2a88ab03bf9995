"""Forecasts with placeholders between them, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap.models.base import Column
from ordergap.models.forecasts import Forecasts, flat
from ordergap.models.text import amount_text


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
        names = [name for each in self.forecasts.columns.items() for name in flat(*each)]
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
        columns = self.forecasts.columns
        blank = {field: _null(values) for field, values in columns.items()}
        return blank | self.forecasts.constants()


@dataclass(frozen=True, eq=False)
class LargePurchaseAnswer(Answer):
    """Whether an order above `amount` comes within `days` days, and nothing else."""

    amount: float = 0.0
    days: int = 0

    @property
    @override
    def columns(self) -> list[str]:
        return [
            "customer_id", "as_of", "large_purchase_probability", "large_purchase_amount",
            "large_purchase_days", "model_version", "error",
        ]  # fmt: skip

    @override
    def records(self) -> list[dict[str, object]]:
        """A record for each customer; the probability is null where `error` says why."""
        places, amount = self.placeholders or {}, amount_text(self.amount)
        answers, records = iter(self.forecasts.records()), []
        for i in range(len(self.forecasts) + len(places)):
            own: dict[str, Any] = vars(places[i]) if i in places else next(answers)
            by_amount = own.get("large_order_probability", {amount: {}})
            probability = by_amount[amount].get(str(self.days))
            unknown = None if probability is not None else "the amount of a transaction is unknown"
            values = (
                own["customer_id"], own.get("as_of"), probability, self.amount, self.days,
                self.forecasts.model_version, own.get("error", unknown),
            )  # fmt: skip
            records.append(dict(zip(self.columns, values, strict=True)))
        return records


def _null(column: Column) -> Any:
    """Null, or an object of nulls with the names of the column."""
    if not isinstance(column, Mapping):
        return None
    return {name: _null(each) for name, each in column.items()}
