"""What may be said once for a whole request, in its body or beside its Content-Type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from container.contract.scoring import ScoringRequest
from container.errors import InvalidRequest, Problem
from container.histories import day_of
from container.serving.problems import from_contract

OPTIONS = ("as_of", "horizons", "interval_level")
_SPELLINGS = {
    "asof": "as_of",
    "asofdate": "as_of",
    "horizon": "horizons",
    "horizons": "horizons",
    "intervallevel": "interval_level",
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


def option_meant(name: str) -> str | None:
    """The option of a request that this unknown field looks like, whatever its case and dashes.

    >>> option_meant("asOf"), option_meant("country")
    ('as_of', None)
    """
    return _SPELLINGS.get(re.sub(r"[^a-z]", "", name.lower()))
