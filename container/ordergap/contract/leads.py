"""What a client sends of a lead, and what it reads: somebody who has not ordered yet."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ordergap.contract.prediction import Count, CustomerId, Date, DaysAhead, Probability
from ordergap.contract.versions import ModelVersion


class LeadEvent(BaseModel):
    """What a lead did, or was sent."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    date: Date
    kind: Annotated[str, Field(min_length=1, max_length=100)]
    """Such as visit, page or mail; one that the model has not learnt counts as an event alone."""
    campaign: Annotated[str, Field(max_length=1000)] | None = None
    """Which the event belongs to, if any."""


class LeadRecord(BaseModel):
    """One who has not ordered until `as_of`; a record with orders is a customer instead."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    customer_id: CustomerId
    first_seen: Date
    """The day on which the lead was first known."""
    events: list[LeadEvent] = Field(default_factory=list)
    """In any sequence; none before `first_seen` or after `as_of`."""
    attributes: dict[str, float | str | None] = Field(default_factory=dict)
    """What is left out is unknown; those that the model was not trained with are passed over."""
    as_of: Date | None = None
    """The day at whose end the forecast is made; that of the request where it is left out."""


class FirstOrderFields(BaseModel):
    """Whether a lead will become a customer; only where there are leads among those asked about."""

    first_order_probability: dict[DaysAhead, Probability | None] = Field(
        default_factory=dict,
        description="Days ahead -> probability of a first order within so many days after as_of; "
        "null for who has ordered.",
    )


class LeadPrediction(FirstOrderFields, ModelVersion):
    """What is forecast of a lead: the other fields of a prediction are null."""

    customer_id: str
    as_of: datetime.date
    order_count: Count = Field(description="0.")
