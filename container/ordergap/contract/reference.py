"""reference.json: counts of the orders that a model learnt from, to compare served ones.

See docs/decisions/serving.md#served-orders-are-compared-with-the-models-own.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, model_validator

REFERENCE = "reference.json"
MOST_FEATURES, BINS = 6, 10


class FeatureReference(BaseModel):
    """One feature: how many orders have it in which bin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: Annotated[list[FiniteFloat], Field(max_length=BINS - 1)]
    """Upper ends of all bins but the last, rising; a value at an end is below it."""
    orders: list[NonNegativeInt]
    """Orders in each bin, and last those of which it is unknown."""
    limit: FiniteFloat
    """Served orders have drifted where their stability index exceeds chance by more than this."""

    @model_validator(mode="after")
    def _fits(self) -> FeatureReference:
        if sorted({*self.edges}) != self.edges:
            raise ValueError("edges must rise")
        if len(self.orders) != len(self.edges) + 2:
            raise ValueError("orders must have a number for each bin, and one for unknown")
        return self


class Reference(BaseModel):
    """The latest order of each customer in each of some windows before `as_of`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    model_version: str
    """The model beside which it was written."""
    as_of: datetime.date
    """The last day of the data learnt from, with which the last window ends."""
    days: Annotated[int, Field(gt=0)]
    """Days of a window, and how old a served order may be to be counted."""
    windows: Annotated[int, Field(gt=0)]
    """How many windows there are, one before the other."""
    features: Annotated[dict[str, FeatureReference], Field(max_length=MOST_FEATURES)]
    """Feature that the model reads -> its counts; empty where there were too few orders or days."""
