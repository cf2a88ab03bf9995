"""The inputs of the functions, as frozen models that reject unknown fields."""

from __future__ import annotations

from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lambdas.shared.errors import BadEvent
from lambdas.shared.runs import Run

E = TypeVar("E", bound=BaseModel)

RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
Market = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$")]


class Event(BaseModel):
    """The base of every input."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Asked(Event):
    """What somebody who starts a run asks of it, besides what it is to be made of."""

    train: bool = False
    """Train, however young the champion is."""
    retrain_days: int | None = Field(None, ge=0, le=3650)
    """The age from which on a champion is replaced; the stack's where it is None."""
    accept_past: bool = False
    """The past was changed on purpose."""
    accept_quiet: bool = False
    """There were no orders, as on a holiday."""
    follow: bool | None = None
    """Keep the forecasts and grade the earlier ones, or do not; once a week where it is None."""
    shadow: bool | None = None
    """Then keep a challenger's forecasts too; as the stack says where it is None."""


class RunEvent(Event):
    """The base of the inputs of the steps after the extraction."""

    run_id: RunId
    market: Market
    prefix: str

    @model_validator(mode="after")
    def _of_this_run(self) -> Self:
        expected = self.run("").prefix
        if self.prefix != expected:
            raise ValueError(f"prefix must be {expected}, is {self.prefix!r:.200}")
        return self

    def run(self, bucket: str) -> Run:
        """The keys of the run's objects in `bucket`."""
        return Run(bucket, self.run_id, self.market)


def parse(cls: type[E], event: object) -> E:
    """The input as `cls`; BadEvent names every invalid field."""
    try:
        return cls.model_validate(event)
    except ValidationError as error:
        raise BadEvent(
            [
                f"{'.'.join(map(str, detail['loc'])) or 'event'}: {detail['msg']}"
                for detail in error.errors()
            ]
        ) from error
