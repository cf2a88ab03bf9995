"""What may be said once for a whole request, in its body or beside its Content-Type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from ordergap.contract.manifest import Manifest
from ordergap.contract.prediction import ScoringRequest
from ordergap.errors import InvalidRequest, Problem, TooLarge
from ordergap.histories import day_of
from ordergap.serving.formats.problems import from_contract, shorten
from ordergap.settings import Settings

OPTIONS = ("as_of", "horizons", "interval_level")
ON_BAD_RECORD = "on_bad_record"
"""Beside the Content-Type alone: what becomes of a record that cannot be answered."""

_SPELLINGS = {
    "asof": "as_of",
    "asofdate": "as_of",
    "horizon": "horizons",
    "horizons": "horizons",
    "intervallevel": "interval_level",
    "onbadrecord": ON_BAD_RECORD,
    "onbadrecords": ON_BAD_RECORD,
}


@dataclass(frozen=True)
class Options:
    """The options of one request; None where nothing was said.

    as_of     days since 1970-01-01
    horizons  days ahead, rising
    """

    as_of: int | None = None
    horizons: tuple[int, ...] | None = None
    interval_level: float | None = None

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Self:
        """From a mapping that may have `OPTIONS` among its names; other names are passed over."""
        told = {name: given[name] for name in OPTIONS if given.get(name) is not None}
        if not told:
            return cls()
        try:
            request = ScoringRequest.model_validate({"instances": [], **told})
        except ValidationError as error:
            raise InvalidRequest(
                [from_contract(detail) for detail in error.errors(include_url=False)]
            ) from error
        if request.horizons == []:
            raise InvalidRequest(
                [Problem("horizons is empty", field="horizons", hint="leave it out")]
            )
        return cls(
            None if request.as_of is None else day_of(request.as_of),
            None if request.horizons is None else tuple(sorted(set(request.horizons))),
            request.interval_level,
        )

    def __or__(self, other: Options) -> Options:
        """These and the other's; InvalidRequest where both say the same thing differently."""
        both = {name: {vars(self)[name], vars(other)[name]} - {None} for name in OPTIONS}
        if problems := [
            Problem(
                f"{name} is given twice in one request, and differently",
                field=name,
                hint="say it in the body or beside the Content-Type, not in both",
            )
            for name, values in both.items()
            if len(values) > 1
        ]:
            raise InvalidRequest(problems)
        return Options(**{name: next(iter(values), None) for name, values in both.items()})


@dataclass(frozen=True)
class Terms:
    """What a request is read by.

    manifest     of the model that is asked
    today        the as_of where none is given, in days since 1970-01-01
    settings     of the server: its limits, and `on_bad_record` where the request does not say
    told         beside the Content-Type
    placeholder  whether records that cannot be answered get placeholders, and others their answers
    """

    manifest: Manifest
    today: int
    settings: Settings
    told: Options
    placeholder: bool

    @classmethod
    def parse(
        cls, parameters: Mapping[str, str], manifest: Manifest, today: int, settings: Settings
    ) -> Self:
        """From the parameters of a Content-Type; those that mean nothing here are passed over."""
        for name in parameters:
            if name not in {*OPTIONS, ON_BAD_RECORD} and (meant := option_meant(name)):
                message = f"Content-Type has a parameter {name}, which is not known"
                raise InvalidRequest([Problem(message, field=name, hint=f"write {meant}")])
        bad = parameters.get(ON_BAD_RECORD, settings.on_bad_record).lower()
        if bad not in {"error", "placeholder"}:
            message = f"{ON_BAD_RECORD} = {shorten(bad)}: expected error or placeholder"
            raise InvalidRequest([Problem(message, field=ON_BAD_RECORD)])
        given: dict[str, object] = dict(parameters)
        if "horizons" in parameters:
            given["horizons"] = [word.strip() for word in parameters["horizons"].split(",")]
        return cls(manifest, today, settings, Options.parse(given), bad == "placeholder")

    @property
    def as_of(self) -> int:
        """The day of a record that does not say, as far as the Content-Type knows."""
        return self.today if self.told.as_of is None else self.told.as_of

    def allow(self, records: int = 0, orders: int = 0) -> None:
        """Raise TooLarge where a request has more of them than the settings allow."""
        for what, count, most in (
            ("records", records, self.settings.max_records),
            ("orders", orders, self.settings.max_orders),
        ):
            if count > most:
                hint = f"send fewer at once, or raise ORDERGAP_MAX_{what.upper()} of the server"
                message = f"the request has {count} {what}, more than {most}"
                raise TooLarge([Problem(message, hint=hint)])


def option_meant(name: str) -> str | None:
    """The option of a request that this unknown field looks like, whatever its case and dashes.

    >>> option_meant("asOf"), option_meant("country")
    ('as_of', None)
    """
    return _SPELLINGS.get(re.sub(r"[^a-z]", "", name.lower()))
