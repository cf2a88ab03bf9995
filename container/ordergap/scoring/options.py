"""The options of a request for forecasts, whoever makes it.

See docs/decisions/serving.md#value-and-large-orders-are-answered-where-they-are-asked-for.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import numpy as np
from pydantic import ValidationError

from ordergap.contract.manifest import Manifest
from ordergap.contract.prediction import ScoringRequest
from ordergap.errors import InvalidRequest, Problem
from ordergap.histories import day_of
from ordergap.models.base import ForecastOptions
from ordergap.scoring.problems import from_contract
from ordergap.survival.renewal import MOST_DAYS

OPTION_NAMES = tuple(name for name in ScoringRequest.model_fields if name != "instances")
LISTS = ("horizons", "value_horizons", "large_thresholds")
"""The options that have several values."""
OFF = "off"
"""Where an option is a text: that it is not asked."""


def words(text: str) -> list[str]:
    """The values of an option of `LISTS` that is a text: with commas between them, or `OFF`."""
    return [] if text.strip().lower() == OFF else [word.strip() for word in text.split(",")]


@dataclass(frozen=True)
class Options:
    """The options of one request; None where the request does not have one.

    as_of             days since 1970-01-01
    horizons          days ahead, rising
    value_horizons    days ahead, rising; empty: neither orders nor value are asked
    large_thresholds  amounts, rising; empty: large orders are not asked
    """

    as_of: int | None = None
    horizons: tuple[int, ...] | None = None
    interval_level: float | None = None
    explain: int | None = None
    value_horizons: tuple[int, ...] | None = None
    large_thresholds: tuple[float, ...] | None = None

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
            None if request.value_horizons is None else tuple(sorted(set(request.value_horizons))),
            None
            if request.large_thresholds is None
            else tuple(sorted(set(request.large_thresholds))),
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

    def decided(self, manifest: Manifest, *, value: bool) -> Options:
        """These, with what is asked about value and large orders decided: neither is None.

        value  whether both are asked, as far as the model answers them, where these do not say

        Raises InvalidRequest where these ask what the model does not answer.
        """
        problems = [
            refusal(name, name, manifest)
            for name, each in _QUESTIONS.items()
            if vars(self)[name] and each.task not in manifest.tasks
        ]
        horizons = self.horizons or manifest.hyperparameters.horizons
        if self.large_thresholds and min(horizons) > MOST_DAYS:
            message = (
                f"large orders are forecast at most {MOST_DAYS} days ahead, and the shortest "
                f"horizon is {min(horizons)}"
            )
            hint = f"name one of at most {MOST_DAYS} days, or leave large_thresholds out"
            problems.append(Problem(message, field="horizons", hint=hint))
        if problems:
            raise InvalidRequest(problems)
        own: dict[str, Any] = {
            name: each.own(manifest) if value and each.task in manifest.tasks else ()
            for name, each in _QUESTIONS.items()
            if vars(self)[name] is None
        }
        return replace(self, **own)

    def of_model(self, manifest: Manifest) -> ForecastOptions:
        """What the model is asked, where these are `decided`: what they leave out is its own."""
        settings = manifest.hyperparameters
        return ForecastOptions(
            self.horizons or settings.horizons,
            settings.interval_level if self.interval_level is None else self.interval_level,
            settings.max_horizon_days,
            self.explain or 0,
            self.value_horizons or (),
            self.large_thresholds or (),
        )


def own_value_horizons(manifest: Manifest) -> tuple[int, ...]:
    """Days ahead for which the value is given where a request names none; rising."""
    settings = manifest.hyperparameters
    every = {*settings.horizons, settings.value_horizon}
    return tuple(sorted(days for days in every if days <= MOST_DAYS))


def own_large_thresholds(manifest: Manifest) -> tuple[float, ...]:
    """Amounts above which an order is large where a request names none; rising."""
    return tuple(cast("list[float]", manifest.tasks["large_order"].parameters["thresholds"]))


@dataclass(frozen=True)
class _Question:
    """What an option asks: the task, its subject, the hyperparameter, what holds by default."""

    task: str
    subject: str
    hyperparameter: str
    own: Callable[[Manifest], tuple[float, ...]]


_QUESTIONS = {
    "value_horizons": _Question("value", "value", "value", own_value_horizons),
    "large_thresholds": _Question(
        "large_order", "large orders", "large_orders", own_large_thresholds
    ),
}


def refusal(question: str, option: str, manifest: Manifest) -> Problem:
    """Why a model is not asked a question, such as value_horizons, that an option needs."""
    asked = _QUESTIONS[question]
    reason = manifest.unanswered.get(asked.task, "it was not trained to")
    message = f"{option}: this model does not forecast {asked.subject}: {reason}"
    trained = vars(manifest.hyperparameters)[asked.hyperparameter] == "on"
    remedy = "" if trained else f", or train with {asked.hyperparameter} = on"
    return Problem(message, field=option, hint=f"leave {option} out{remedy}")


def given(*values: object) -> Options:
    """Options of the Python interface, in the order of `OPTION_NAMES`, checked as the server does.

    Of a moment the day counts. Raises InvalidRequest.
    """
    options = dict(zip(OPTION_NAMES, values, strict=True))
    if isinstance(options["as_of"], datetime.datetime | np.datetime64):  # and pandas' Timestamp
        options["as_of"] = str(options["as_of"])[:10]
    for name in LISTS:
        if isinstance(each := options[name], Iterable) and not isinstance(each, str):
            options[name] = list(each)
    return Options.parse(options)
