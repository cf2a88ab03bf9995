"""The forecasts of all tasks for some customers, as columns and as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ordergap.histories import iso_dates
from ordergap.models.base import Column, Snapshot, TaskForecast
from ordergap.models.lead_forecasts import LeadForecast, appended


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What every task says of n customers.

    known_until       the last day of the data that the model learnt from, in days since 1970-01-01
    stale_after_days  a forecast as of a day that is further after it is stale
    leads             who has not ordered, after the customers; None: nobody was asked about
    """

    customers: Snapshot
    tasks: Mapping[str, TaskForecast]
    model_version: str
    known_until: int
    stale_after_days: int
    leads: LeadForecast | None = None

    def __len__(self) -> int:
        """The number of customers, n, and of leads."""
        return len(self.as_of)

    @property
    def as_of(self) -> NDArray[np.int64]:
        """The day of each forecast, in days since 1970-01-01."""
        of_leads = [] if self.leads is None else [self.leads.as_of]
        return np.concatenate([self.customers.as_of, *of_leads])

    @property
    def model_age_days(self) -> NDArray[np.int64]:
        """(n,) days from the last day of the data learnt from to as_of; below 0 where it is before.

        See docs/decisions/serving.md#every-forecast-says-how-old-its-model-is.
        """
        return self.as_of - self.known_until

    @property
    def stale(self) -> NDArray[np.bool_]:
        """(n,) whether the model is too old for the forecast."""
        return self.model_age_days > self.stale_after_days

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Field of the prediction -> its n values, in the sequence of the contract's model."""
        customers = self.customers
        n = len(customers.customer_ids)
        columns: dict[str, Column] = {
            "customer_id": customers.customer_ids,
            "as_of": iso_dates(customers.as_of),
            "last_order_date": iso_dates(customers.last_day),
            "days_since_last_order": customers.elapsed.tolist(),
            "order_count": customers.order_count.tolist(),
            "usual_amount": amounts_or_null(customers.revenue / customers.order_count),
            "revenue": amounts_or_null(customers.revenue),
        }
        for task in self.tasks.values():
            columns |= task.columns()
        age = {"model_age_days": self.model_age_days.tolist(), "stale": self.stale.tolist()}
        columns |= {name: each[:n] for name, each in age.items()}
        columns["model_version"] = [self.model_version] * n
        if self.leads is None:
            return columns
        of_leads = {name: each[n:] for name, each in age.items()}
        return appended(columns, self.leads, of_leads, self.constants())

    def constants(self) -> dict[str, object]:
        """Those fields that are alike for all customers, whether there is a forecast or not."""
        constants: dict[str, object] = {}
        for task in self.tasks.values():
            constants |= task.constants()
        return constants | {"model_version": self.model_version}

    def records(self) -> list[dict[str, object]]:
        """JSON-ready records, fields as in `contract.tasks.prediction_model`."""
        columns = self.columns
        lists = [_values(column) for column in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def flat(field: str, column: Column) -> dict[str, Sequence[object]]:
    """The columns that a field has in a table: of an object one for each name, joined by _.

    >>> flat("p", {"50": {"7": [0.1], "30": [0.2]}})
    {'p_50_7': [0.1], 'p_50_30': [0.2]}
    """
    if not isinstance(column, Mapping):
        return {field: column}
    parts = [flat(f"{field}_{name}", each) for name, each in column.items()]
    return {name: values for part in parts for name, values in part.items()}


def _values(column: Column) -> Sequence[object]:
    """The n values of a field; objects where the column has names."""
    if not isinstance(column, Mapping):
        return column
    parts = [_values(each) for each in column.values()]
    return [dict(zip(column, row, strict=True)) for row in zip(*parts, strict=True)]


def amounts_or_null(amounts: NDArray[np.float64]) -> list[float | None]:
    """With two decimals, JSON-ready; null where unknown."""
    values = amounts.round(2).astype(object)
    values[np.isnan(amounts)] = None
    return cast("list[float | None]", values.tolist())
