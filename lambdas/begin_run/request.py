"""The input of an execution."""

from __future__ import annotations

import datetime
from typing import Annotated

from ordergap.contract import hyperparameters
from ordergap.contract.prediction import Date
from ordergap.errors import InvalidHyperparameters
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lambdas.shared import events
from lambdas.shared.errors import BadEvent, BadInput
from lambdas.shared.events import Asked, parse

_AHEAD = datetime.timedelta(days=1)
"""A day may have ended elsewhere that is to come in UTC."""


def _day(value: object) -> object:
    """The day in UTC of a moment, as the schedule writes it: 2011-12-09T23:30:00Z."""
    if not isinstance(value, str) or "T" not in value:
        return value
    moment = datetime.datetime.fromisoformat(value)
    return (moment.astimezone(datetime.UTC) if moment.tzinfo else moment).date().isoformat()


class Market(BaseModel):
    """A market, whose other fields extract_orders checks."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: events.Market


def _named(markets: object) -> object:
    """The markets, with the name of one that is alone."""
    match markets:
        case [{**fields}]:
            return [{"name": "default", **fields}]
    return markets


class RunInput(Asked):
    """What is to be done; `event` is the id of what asks for it, which starts one run at most."""

    as_of: Annotated[Date, BeforeValidator(_day)]
    trainer: str = "xgboost"
    hyperparameters: dict[str, str] = Field(default_factory=dict)
    markets: Annotated[list[Market], BeforeValidator(_named)] = Field(
        default=[Market(name="default")], min_length=1
    )
    event: str | None = Field(None, min_length=1, max_length=1024)  # a version of S3
    drift: events.Market | None = None
    """The market whose drift asks for the run: it alone runs, after one of it that is under way."""

    def parameters(self) -> dict[str, object]:
        """What the states after this one need, ready for JSON."""
        return {
            "as_of": self.as_of.isoformat(),
            "markets": [market.model_dump(mode="json") for market in self.markets],
            "asked": self.model_dump(include={*Asked.model_fields}),
            "hyperparameters": {**self.hyperparameters, "trainer": self.trainer},
        }


def checked(given: object, today: datetime.date) -> RunInput:
    """The input with its defaults, as of `today` unless it says otherwise. Raises BadInput."""
    if not isinstance(given, dict):
        raise BadInput("the input must be an object; {} is enough")
    try:
        run = parse(RunInput, {"as_of": today, **given})
        hyperparameters.parse({**run.hyperparameters, "trainer": run.trainer})
    except (BadEvent, InvalidHyperparameters) as error:
        raise BadInput(str(error)) from None
    if run.as_of - today > _AHEAD:
        raise BadInput(
            f"as_of is {run.as_of}, and today is {today} in UTC: forecasts of a day to come would "
            "not be replaced by those of the nights until then; give the last day of orders"
        )
    names = [market.name for market in run.markets]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"two markets have the same name: {', '.join(twice)}")
    if run.drift is not None:
        drifted = [market for market in run.markets if market.name == run.drift]
        if not drifted:
            raise BadInput(f"drift is of {run.drift}, and the markets are {', '.join(names)}")
        run = run.model_copy(update={"markets": drifted})
    if "trainer" in run.hyperparameters:
        raise BadInput("trainer must be a field of the input, not of hyperparameters")
    return run
