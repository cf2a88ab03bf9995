"""What can be asked of a model, whatever form the request came in, and the asking.

See docs/decisions/serving.md#a-placeholder-does-not-name-its-line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ordergap.errors import Problem
from ordergap.forecaster import Forecaster
from ordergap.histories import Histories
from ordergap.leads.table import LeadTable
from ordergap.models.base import Snapshot
from ordergap.scoring.answer import Answer, LargePurchaseAnswer, Placeholder, Placeholders
from ordergap.scoring.options import Options
from ordergap.scoring.problems import summary

Seen = Callable[[Snapshot, NDArray[np.float32]], None]


@dataclass(frozen=True, eq=False)
class Leads:
    """Leads to be forecast, each as of its own day (k,).

    sequence  where each record that is answered stands among the customers, and then the leads
    """

    table: LeadTable
    as_of: NDArray[np.int64]
    sequence: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Orders:
    """Customers to be forecast from their orders; each has one, and none after its as_of (c,)."""

    histories: Histories
    as_of: NDArray[np.int64]
    options: Options
    placeholders: Placeholders = None
    leads: Leads | None = None

    def __len__(self) -> int:
        """The number of customers and leads."""
        leads = len(self.leads.as_of) if self.leads else 0
        return len(self.as_of) + leads + len(self.placeholders or ())


@dataclass(frozen=True, eq=False)
class Vectors:
    """Customers to be forecast from ready feature vectors (c, F)."""

    customers: Snapshot
    features: NDArray[np.float32]
    options: Options
    placeholders: Placeholders = None

    def __len__(self) -> int:
        """The number of customers."""
        return len(self.features) + len(self.placeholders or ())


@dataclass(frozen=True, eq=False)
class LargePurchases(Orders):
    """Customers of whom only an order above `amount` within `days` days is asked."""

    amount: float = 0.0
    days: int = 0


def predict(model: Forecaster, question: Orders | Vectors, seen: Seen | None = None) -> Answer:
    """The forecasts, one for each customer asked about, in the order of the request.

    seen  what is told of the customers with orders, and of the feature vectors of their last ones
    """
    options = question.options.of_model(model.manifest)
    if isinstance(question, Vectors):
        customers, matrix = question.customers, question.features
    else:
        customers, matrix = model.bundle.known(question.histories, question.as_of)
    forecasts = model.bundle.forecast_features(customers, matrix, options)
    if seen:
        seen(customers, matrix)
    if isinstance(question, LargePurchases):
        return LargePurchaseAnswer(
            forecasts, question.placeholders, amount=question.amount, days=question.days
        )
    if isinstance(question, Orders) and (leads := question.leads):
        answers = model.bundle.forecast_leads(leads.table, leads.as_of, options.horizons)
        return Answer(replace(forecasts, leads=answers), question.placeholders, leads.sequence)
    return Answer(forecasts, question.placeholders)


def placeholder(customer_id: str | None, problems: Sequence[Problem]) -> Placeholder:
    """Says nothing of the record's position: the row is the same however a file is split."""
    return Placeholder(customer_id, re.sub(r"^(?:line|record) \d+:? ", "", summary(problems)))
