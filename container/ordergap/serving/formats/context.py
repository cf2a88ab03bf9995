"""What decoders need besides a request's body: the options in its Content-Type, and limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, get_args

from ordergap.contract.manifest import Manifest
from ordergap.contract.prediction import ScoringRecord
from ordergap.errors import InvalidRequest, Problem, TooLarge
from ordergap.scoring.options import LISTS, OPTION_NAMES, Options, words
from ordergap.scoring.problems import shorten
from ordergap.settings import Settings

REQUEST_OPTIONS = tuple(name for name in OPTION_NAMES if name not in ScoringRecord.model_fields)
"""Options that no record has for itself."""

ON_BAD_RECORD = "on_bad_record"
"""Only a parameter of the Content-Type: what to do with a record that cannot be answered."""
_ON_BAD_RECORD_CHOICES = get_args(Settings.model_fields[ON_BAD_RECORD].annotation)

_SPELLINGS = {
    "asof": "as_of",
    "asofdate": "as_of",
    "explain": "explain",
    "explanation": "explain",
    "explanations": "explain",
    "horizon": "horizons",
    "horizons": "horizons",
    "intervallevel": "interval_level",
    "largethreshold": "large_thresholds",
    "largethresholds": "large_thresholds",
    "onbadrecord": ON_BAD_RECORD,
    "onbadrecords": ON_BAD_RECORD,
    "valuehorizon": "value_horizons",
    "valuehorizons": "value_horizons",
}


@dataclass(frozen=True)
class DecodeContext:
    """What decoding a request depends on besides its body.

    manifest      of the model
    today         the as_of of a request that has none, in days since 1970-01-01
    settings      of the server, for its limits
    options       in the Content-Type
    placeholders  whether a record that cannot be answered gets a placeholder; else the whole
                  request is refused
    """

    manifest: Manifest
    today: int
    settings: Settings
    options: Options
    placeholders: bool

    @classmethod
    def parse(
        cls, parameters: Mapping[str, str], manifest: Manifest, today: int, settings: Settings
    ) -> Self:
        """From the parameters of a Content-Type, of which unknown ones are ignored."""
        for name in parameters:
            if name not in {*OPTION_NAMES, ON_BAD_RECORD} and (option := similar_option(name)):
                message = f"{name} is not a parameter of the Content-Type"
                raise InvalidRequest([Problem(message, field=name, hint=f"write {option}")])
        choice = parameters.get(ON_BAD_RECORD, settings.on_bad_record).lower()
        if choice not in _ON_BAD_RECORD_CHOICES:
            expected = " or ".join(_ON_BAD_RECORD_CHOICES)
            message = f"{ON_BAD_RECORD} = {shorten(choice)}: expected {expected}"
            raise InvalidRequest([Problem(message, field=ON_BAD_RECORD)])
        fields: dict[str, object] = dict(parameters)
        fields |= {name: words(parameters[name]) for name in LISTS if name in parameters}
        return cls(manifest, today, settings, Options.parse(fields), choice == "placeholder")

    @property
    def as_of(self) -> int:
        """The as_of of a record that has none, where the body has none either."""
        return self.today if self.options.as_of is None else self.options.as_of

    def check_size(self, records: int = 0, orders: int = 0) -> None:
        """Raise TooLarge where a request has more than the settings allow."""
        for what, count, limit in (
            ("records", records, self.settings.max_records),
            ("orders", orders, self.settings.max_orders),
        ):
            if count > limit:
                option = f"ORDERGAP_MAX_{what.upper()}"
                hint = f"send fewer per request, or raise {option} of the server"
                message = f"the request has {count} {what}, the limit is {limit}"
                raise TooLarge([Problem(message, hint=hint)])


def similar_option(name: str) -> str | None:
    """The option whose name an unknown field resembles, whatever its case and separators.

    >>> similar_option("asOf"), similar_option("country")
    ('as_of', None)
    """
    return _SPELLINGS.get(re.sub(r"[^a-z]", "", name.lower()))
