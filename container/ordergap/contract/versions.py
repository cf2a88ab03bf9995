"""Which model a prediction is by."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ordergap.contract.prediction import Count


class ModelVersion(BaseModel):
    """What ends a prediction: which model it is by, and how old that is."""

    model_age_days: Count = Field(
        title="Days after the model's data",
        description="Days from the last day of the data that the model learnt from to `as_of`; "
        "below 0 where `as_of` is earlier.",
    )
    stale: bool = Field(
        title="Model too old",
        description="Whether these are more than `ORDERGAP_STALE_AFTER_DAYS`: train a new model.",
    )
    model_version: str
