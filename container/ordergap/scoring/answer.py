"""Forecasts with what stands between them, as records."""

from __future__ import annotations

from dataclasses import dataclass

from ordergap.contract.prediction import Prediction
from ordergap.forecast import Forecasts


@dataclass(frozen=True)
class Placeholder:
    """Stands in the answer for a record that cannot be answered, and says why."""

    customer_id: str | None
    error: str


Placeholders = dict[int, Placeholder] | None
"""By the record's position; None where such a record would have refused the whole request."""


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
