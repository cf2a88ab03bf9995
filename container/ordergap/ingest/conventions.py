"""How cells are written, decided from all of them at once.

See docs/decisions/data.md#conventions-are-decided-from-the-whole-column.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from ordergap.contract.orders import Columns, Conventions, DateOrder, Decimal
from ordergap.errors import DataError
from ordergap.ingest import dates, numerals
from ordergap.ingest.date_parts import ORDERS

Cell = tuple[str, str]
"""The name of a column, and a text in it."""


class Evidence(BaseModel):
    """What cells show, with a cell for each; that of several hosts or shards can be joined.

    orders      the sequences of day, month and year that a cell can be read in, joined by ``|``
    later       sequence -> a cell that it would make a day after today
    marks       as in `dates.Evidence`
    named       a cell with a month's name and a year of two digits
    halves      a cell of those that a spreadsheet converted, and one of those that it left as text
    decimals    point, comma or either -> a cell
    currencies  sign -> a cell
    encoding    of text that is not UTF-8
    """

    model_config = ConfigDict(frozen=True)

    orders: dict[str, Cell] = Field(default_factory=dict)
    later: dict[str, Cell] = Field(default_factory=dict)
    marks: dict[str, list[str]] = Field(default_factory=dict)
    named: Cell | None = None
    halves: tuple[Cell, Cell] | None = None
    decimals: dict[str, Cell] = Field(default_factory=dict)
    currencies: dict[str, Cell] = Field(default_factory=dict)
    encoding: str | None = None

    @classmethod
    def of(
        cls,
        columns: Columns,
        dated: pl.Series | dates.Texts,
        numbers: Mapping[str, pl.Series],
        today: datetime.date,
    ) -> Evidence:
        """That of the distinct texts of the date column, and of number columns by their names."""
        shown = dates.Evidence()
        if columns.date_format is None:
            shown = dates.evidence(dated, today)
        name = columns.date_column
        parts = [
            cls(
                orders={order: (name, text) for order, text in shown.orders.items()},
                later={order: (name, text) for order, text in shown.later.items()},
                marks=shown.marks,
                named=(name, shown.named) if shown.named else None,
                halves=((name, shown.halves[0]), (name, shown.halves[1])) if shown.halves else None,
            )
        ]
        for name, texts in numbers.items():
            decimals, currencies = numerals.evidence(texts)
            parts.append(
                cls(
                    decimals={kind: (name, text) for kind, text in decimals.items()},
                    currencies={sign: (name, text) for sign, text in currencies.items()},
                )
            )
        return cls.join(parts)

    @classmethod
    def join(cls, parts: Iterable[Evidence]) -> Evidence:
        """The evidence of all parts. Of several cells for one thing it keeps the first in order."""
        joined = cls()
        for part in parts:
            named = [each for each in (joined.named, part.named) if each]
            joined = cls(
                orders=_join(joined.orders, part.orders),
                later=_join(joined.later, part.later),
                marks=dates.join_marks(joined.marks, part.marks),
                named=min(named, default=None),
                halves=joined.halves or part.halves,
                decimals=_join(joined.decimals, part.decimals),
                currencies=_join(joined.currencies, part.currencies),
                encoding=joined.encoding or part.encoding,
            )
        return joined


def _join(one: Mapping[str, Cell], other: Mapping[str, Cell]) -> dict[str, Cell]:
    return {
        key: min(each[key] for each in (one, other) if key in each)
        for key in sorted({*one, *other})
    }


class _Undecided(DataError):
    """Cells that leave open how they are read, or contradict one another, and the remedy."""

    def __init__(self, finding: str, remedy: str = "") -> None:
        self.finding = finding
        super().__init__(finding + remedy)


class Decided(NamedTuple):
    """Conventions, and sentences for the user that say what shows them."""

    conventions: Conventions
    notes: tuple[str, ...] = ()


def decide(
    evidence: Evidence, columns: Columns, known: Conventions | None = None, *, strict: bool = False
) -> Decided:
    """The conventions that the evidence shows, or that are `known` from a model.

    strict  of a request, which sets no options; a cell against what is known is left to the
            caller, as one that cannot be read

    Raises DataError where the evidence contradicts itself or what is known, and where it does not
    decide between two readings; it shows a cell for each and names the option that decides.
    """
    known = known or Conventions()
    try:
        order, order_shown = _order(evidence, columns, known, strict=strict)
        decimal, decimal_shown = _decimal(evidence, columns, known, strict=strict)
    except _Undecided as error:
        if not strict:
            raise
        raise DataError(f"{error.finding}: write 2022-01-31 and 1234.5 in a request") from error
    currency, currency_shown = _currency(evidence, known)
    notes = []
    examples = dict(known.examples)
    if order and order_shown:
        notes.append(f"dates are read {order}, as {_quote(order_shown)} shows")
        examples["date_order"] = order_shown[1]
    if decimal and decimal_shown:
        read = f"numbers have a decimal {decimal}, as {_quote(decimal_shown)} shows"
        if either := evidence.decimals.get("either"):
            grouped = (decimal == "point") == ("," in either[1])
            read += f"; so {_quote(either)} is one of " + ("thousands" if grouped else "decimals")
        notes.append(read)
        examples["decimal"] = decimal_shown[1]
    if currency and currency_shown:
        notes.append(f"the currency is {currency}, as {_quote(currency_shown)} shows")
        examples["currency"] = currency_shown[1]
    return Decided(
        Conventions(
            date_order=order,
            decimal=decimal,
            currency=currency,
            encoding=known.encoding or evidence.encoding,
            examples=examples,
        ),
        tuple(notes),
    )


def _quote(cell: Cell) -> str:
    column, text = cell
    return f'{column} "{text[:40]}"'


def _order(
    evidence: Evidence, columns: Columns, known: Conventions, *, strict: bool
) -> tuple[DateOrder | None, Cell | None]:
    if columns.date_format:
        return (columns.date_format if columns.date_format in ORDERS else None), None
    if evidence.halves:
        converted, beyond = evidence.halves
        raise _Undecided(
            f"all dates such as {_quote(converted)} have a day up to 12, and all such as "
            f"{_quote(beyond)} one beyond: a spreadsheet seems to have converted the former, with "
            "day and month exchanged",
            ". Export again with dates as text, or set date_format if they are right as written",
        )
    fitting = {order: {*order.split("|")} for order in evidence.orders}
    if known.date_order:
        against = [o for o, orders in fitting.items() if known.date_order not in orders]
        if against and not strict:
            shown = known.examples.get("date_order", "")
            remedy = sorted(set(ORDERS).intersection(*fitting.values()) or fitting[against[0]])
            raise DataError(
                f"{_quote(evidence.orders[against[0]])} is not {known.date_order}, as the dates "
                f'that the model learnt from are (such as "{shown}"): give a file that is written '
                f"alike, or set date_format to {' or '.join(remedy)}"
            )
        return known.date_order, None
    left = set(ORDERS).intersection(*fitting.values()) if fitting else set()
    if fitting and not left:
        one, other = _contradiction(fitting)
        raise _Undecided(
            f"the dates contradict one another: {_quote(evidence.orders[one])} can only be "
            f"{one.replace('|', ' or ')}, and {_quote(evidence.orders[other])} only "
            f"{other.replace('|', ' or ')}",
            ". Set date_format to the one that is right; cells that are not so are then rejected",
        )
    if evidence.named and len(left) != 1:
        raise _Undecided(
            f"{_quote(evidence.named)} begins with a day or with a year of two digits",
            ": set date_format to day-first or year-first, or to a pattern such as %d-%b-%y",
        )
    if len(left) > 1:
        timely = left - {*evidence.later}
        if len(timely) == 1:
            other = min(left - timely)
            return next(iter(timely)), evidence.later[other]
        cell = evidence.orders[next(order for order in fitting if left <= fitting[order])]
        either = " or ".join(sorted(left))
        raise _Undecided(
            f"{_quote(cell)} can be read {either}, and no date of the column shows which is right",
            f": set date_format to {either}",
        )
    if not left:
        return None, None
    order = next(iter(left))
    _raise_for_unshown(evidence, order, columns)
    showing = sorted(evidence.orders, key=lambda each: (len(fitting[each]), each))
    return order, evidence.orders[showing[0]]


def _raise_for_unshown(evidence: Evidence, order: DateOrder, columns: Columns) -> None:
    """DataError where dates of several orders stand beside ones that show the order otherwise."""
    if unshown := dates.unshown(evidence.marks, order):
        text, orders = unshown
        either = orders.replace("|", " or ")
        raise _Undecided(
            f'{columns.date_column} "{text}" can be read {either}, and only dates with another '
            f"mark between the numbers are {order}",
            f": set date_format to {either}",
        )


def _contradiction(fitting: Mapping[str, set[str]]) -> tuple[str, str]:
    """Two that have nothing in common, or else the first and the narrowest."""
    names = sorted(fitting, key=lambda each: (len(fitting[each]), each))
    pairs = [(a, b) for a in names for b in names if a < b and not fitting[a] & fitting[b]]
    return pairs[0] if pairs else (names[0], names[1])


def _decimal(
    evidence: Evidence, columns: Columns, known: Conventions, *, strict: bool
) -> tuple[Decimal | None, Cell | None]:
    point, comma, either = (evidence.decimals.get(each) for each in ("point", "comma", "either"))
    if columns.decimal != "auto":
        return columns.decimal, None
    if known.decimal:
        against = comma if known.decimal == "point" else point
        if against and not strict:
            shown = known.examples.get("decimal", "")
            other = "comma" if known.decimal == "point" else "point"
            raise DataError(
                f"{_quote(against)} has a decimal {other}, and the numbers that the model learnt "
                f'from have a decimal {known.decimal} (such as "{shown}"): give a file that is '
                f"written alike, or set decimal to {other}"
            )
        return known.decimal, None
    if point and comma:
        raise _Undecided(
            f"the numbers contradict one another: {_quote(point)} has a decimal point, and "
            f"{_quote(comma)} a decimal comma",
            ". Set decimal to point or comma; cells that are not so are then rejected",
        )
    if either and not (point or comma):
        raise _Undecided(
            f"{_quote(either)} is a number with three decimals or one of thousands, and no number "
            "shows which mark is the decimal one",
            ": set decimal to point or comma",
        )
    if point:
        return "point", point
    return ("comma", comma) if comma else (None, None)


def _currency(evidence: Evidence, known: Conventions) -> tuple[str | None, Cell | None]:
    found = evidence.currencies
    against = [sign for sign in found if known.currency and sign != known.currency]
    if against:
        shown = known.examples.get("currency", "")
        raise DataError(
            f"{_quote(found[against[0]])} is in {against[0]}, and the amounts that the model "
            f'learnt from are in {known.currency} (such as "{shown}"): convert them to one currency'
        )
    if len(found) > 1 and not known.currency:
        one, other = sorted(found)[:2]
        raise DataError(
            f"{_quote(found[one])} and {_quote(found[other])} are in two currencies, which would "
            "be added up: convert them to one, or leave the signs out"
        )
    sign = known.currency or next(iter(found), None)
    return sign, None if known.currency else found.get(sign or "")
