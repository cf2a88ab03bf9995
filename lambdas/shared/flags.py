"""What was found of a market's forecasts, as long as it lasts: flags.json.

See docs/decisions/pipeline.md#forecasts-are-held-against-the-orders-once-a-week.
"""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["inputs", "rank", "ageing"]


class Finding(BaseModel):
    """One finding, from the run that it was found in to that in which it is found no more."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    since: datetime.date
    """The day of the data in which it was found first."""
    run_id: str
    """The run that found it first."""
    model_version: str
    """The model in use then."""
    sentence: str


class Flags(BaseModel):
    """What was found of the market's forecasts, a sentence each; None: nothing.

    A level that is off is no flag: it is the season's, which a new model does not know better.
    """

    model_config = ConfigDict(frozen=True)

    as_of: datetime.date
    """The day of the data in which the latest of them was found."""
    inputs: str | None = None
    rank: str | None = None
    ageing: str | None = None
    findings: dict[Kind, Finding] = Field(default_factory=dict)
    judged: datetime.date | None = None
    """The as_of of the last run that was judged."""
