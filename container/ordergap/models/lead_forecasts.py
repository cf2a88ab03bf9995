"""Forecasts of leads beside those of customers: columns in which order fields are null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.manifest import Manifest
from ordergap.histories import iso_dates
from ordergap.models.base import Column

FIRST_ORDER, FIELD = "first_order", "first_order_probability"
"""The task of leads, and its field."""


def no_leads(manifest: Manifest) -> str:
    """Why a model without the task does not answer leads, in a sentence."""
    reason = manifest.unanswered.get(FIRST_ORDER, "it was trained without any")
    return f"the model does not answer leads: {reason}"


def lead_remedy(manifest: Manifest) -> str:
    """What makes a model that answers leads."""
    tried = FIRST_ORDER in manifest.unanswered
    return "train with leads and orders of a longer period" if tried else "train with leads"


@dataclass(frozen=True, eq=False)
class LeadForecast:
    """When k leads order first.

    as_of        (k,) the day at whose end each forecast is made, not before first_seen
    probability  days ahead -> (k,) probability of an order within so many days after as_of
    """

    lead_ids: Sequence[str]
    as_of: NDArray[np.int64]
    probability: Mapping[int, NDArray[np.float64]]

    def __len__(self) -> int:
        """The number of leads, k."""
        return len(self.lead_ids)


def appended(
    columns: Mapping[str, Column],
    leads: LeadForecast,
    known: Mapping[str, Sequence[object]],
    constants: Mapping[str, object],
) -> dict[str, Column]:
    """The columns of n customers with k leads after them.

    known      field -> (k,) what is known of the leads besides
    constants  what is alike for all; every other field is null, and so is the probability of a
               first order for customers, who have ordered
    """
    nobody = [None] * len(columns["customer_id"])
    of_leads: dict[str, Any] = {
        "customer_id": leads.lead_ids,
        "as_of": iso_dates(leads.as_of),
        "order_count": [0] * len(leads),
        **{name: [value] * len(leads) for name, value in constants.items()},
        **known,
    }
    nothing = [None] * len(leads)
    answered: dict[str, Column] = {
        FIELD: {
            str(horizon): [*nobody, *np.round(p, 6).tolist()]
            for horizon, p in leads.probability.items()
        }
    }
    whole = {name: _longer(each, of_leads.get(name, nothing)) for name, each in columns.items()}
    last = {name: whole.pop(name) for name in [*known, "model_version"]}
    return whole | answered | last


def _longer(column: Column, more: Sequence[object]) -> Column:
    """The column with `more` at its end; of an object, at the end of each of its names."""
    if isinstance(column, Mapping):
        return {name: _longer(each, more) for name, each in column.items()}
    return [*column, *more]
