"""What is wrong with a request, as sentences with remedies."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Sequence

from pydantic_core import ErrorDetails

from ordergap.contract.dates import NOT_A_DATE
from ordergap.errors import Problem

LIMIT = 20
"""The most problems that one answer names."""

_DATE = re.compile(r"datetime\.date\((\d+), (\d+), (\d+)\)")


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 60
        self.maxlevel = self.maxdict = self.maxlist = 2


_SHORT = _Short()


def from_contract(detail: ErrorDetails, record: int | None = None, label: str = "") -> Problem:
    """A problem that the contract's model reports; `label` names the record to the reader."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
    field = field.removeprefix(".")
    what = f"{label}: {field}" if label and field else label or field
    kind, value = detail["type"], shorten(detail["input"])
    hint = None
    if kind == "missing":
        message = f"{what} is missing"
        hint = near(str(detail["loc"][-1]), detail["input"])
    elif kind == "model_type":
        message = f"{what} = {value}: expected an object of names and values"
    elif kind == NOT_A_DATE:
        message = f"{what} = {value}: expected a date"
        hint = detail["ctx"]["hint"]
    else:
        reason = _DATE.sub(
            lambda date: "{}-{:02}-{:02}".format(*map(int, date.groups())), detail["msg"]
        ).removeprefix("Value error, ")
        message = f"{what} = {value}: {reason[0].lower()}{reason[1:]}"
    return Problem(message, record, field or None, hint)


def near(name: str, names: Iterable[str]) -> str | None:
    """A hint at the one of `names` that resembles `name`, if there is one."""
    matches = difflib.get_close_matches(name[:100], list(names)[:100], n=1, cutoff=0.6)
    return f"did you mean {matches[0]}?" if matches else None


def shorten(value: object) -> str:
    """The value as text, cut where it is long or deep."""
    return _SHORT.repr(value)


def summary(problems: Sequence[Problem]) -> str:
    """The first problem, and how many more there are; nobody looks for more than `LIMIT`."""
    more = len(problems) - 1
    least = "at least " if len(problems) >= LIMIT else ""
    return problems[0].message + (f" (and {least}{more} more)" if more else "")
