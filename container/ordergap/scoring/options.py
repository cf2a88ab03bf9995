"""The options of a request for forecasts, whoever makes it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import ValidationError

from ordergap.contract.prediction import ScoringRequest
from ordergap.errors import InvalidRequest, Problem
from ordergap.histories import day_of
from ordergap.scoring.problems import from_contract

OPTION_NAMES = tuple(name for name in ScoringRequest.model_fields if name != "instances")


@dataclass(frozen=True)
class Options:
    """The options of one request; None where the request does not have one.

    as_of     days since 1970-01-01
    horizons  days ahead, rising
    """

    as_of: int | None = None
    horizons: tuple[int, ...] | None = None
    interval_level: float | None = None
    explain: int | None = None

    @classmethod
    def parse(cls, fields: Mapping[str, object]) -> Self:
        """From a mapping that may have `OPTION_NAMES` among its keys. Raises InvalidRequest."""
        values = {name: fields[name] for name in OPTION_NAMES if fields.get(name) is not None}
        if not values:
            return cls()
        try:
            request = ScoringRequest.model_validate({"instances": [], **values})
        except ValidationError as error:
            raise InvalidRequest(
                [from_contract(detail) for detail in error.errors(include_url=False)]
            ) from error
        if request.horizons == []:
            hint = "name at least one, or leave it out: the model has its own"
            raise InvalidRequest([Problem("horizons is empty", field="horizons", hint=hint)])
        return cls(
            None if request.as_of is None else day_of(request.as_of),
            None if request.horizons is None else tuple(sorted(set(request.horizons))),
            request.interval_level,
            request.explain,
        )

    def merged(self, other: Options) -> Options:
        """Both together. Raises InvalidRequest where they differ."""
        values = {name: {vars(self)[name], vars(other)[name]} - {None} for name in OPTION_NAMES}
        if problems := [
            Problem(
                f"{name} in the body differs from {name} in the Content-Type",
                field=name,
                hint="give it in one of the two",
            )
            for name, different in values.items()
            if len(different) > 1
        ]:
            raise InvalidRequest(problems)
        return Options(**{name: next(iter(each), None) for name, each in values.items()})


def given(as_of: object, horizons: object, interval_level: object, explain: object) -> Options:
    """Options of the Python interface, checked as the server checks them.

    Of a moment the day counts. Raises InvalidRequest.
    """
    if isinstance(as_of, datetime.datetime | np.datetime64):  # and pandas' Timestamp
        as_of = str(as_of)[:10]
    if isinstance(horizons, Iterable) and not isinstance(horizons, str):
        horizons = list(horizons)
    return Options.parse(
        {
            "as_of": as_of,
            "horizons": horizons,
            "interval_level": interval_level,
            "explain": explain,
        }
    )
