"""The columns that are used, with each distinct text stored once.

A transactions file repeats itself: half a million lines hold some thousand products, prices and
moments. So a column is its distinct texts and a 4-byte code per row, and each text is parsed once.
The other columns become a 64-bit hash per row, which tells exact duplicates from lines that differ
there.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.errors import DataError, MissingColumn

_CONSEQUENCES = {
    "order": "no line is a cancellation by its order number",
    "product": "every line is a product, and cancellations are matched by customer and price",
    "quantity": "the number of items is unknown",
    "price": "amounts are unknown",
}

# Floats of so many binary digits and more are not exact.
_DIGITS: dict[type[pl.DataType], int] = {pl.Float16: 11, pl.Float32: 24, pl.Float64: 53}


@dataclass(frozen=True)
class Table:
    """Rows of transactions.

    rows   a code for every role (customer, date, …), and `others`, the hash of the other columns
    texts  role -> the distinct texts that the codes index; "" for missing cells
    notes  sentences for the user
    """

    rows: pl.DataFrame
    texts: dict[str, pl.Series]
    notes: tuple[str, ...]

    def each(self, role: str, values: pl.Series) -> pl.Expr:
        """For every row the value of its text, `values` having one for each distinct text."""
        return pl.lit(values).gather(pl.col(role))


def settings(columns: Columns) -> dict[str, str]:
    """Role -> the hyperparameter that names its column; an amount takes the price's place."""
    roles = ("customer", "date", "order", "product", "quantity")
    price = "amount_column" if columns.amount_column else "price_column"
    return {role: f"{role}_column" for role in roles} | {"price": price}


def names(columns: Columns) -> dict[str, str]:
    """Role -> the name of its column in the file."""
    return {role: getattr(columns, setting) for role, setting in settings(columns).items()}


class Tabulator:
    """Makes one table of many frames."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        # Frames share their distinct texts, which are freed with the last of the frames.
        self._texts = {role: pl.Categories.random() for role in names(columns)}
        self._frames: list[pl.DataFrame] = []
        self._notes: Counter[str] = Counter()

    def add(self, frame: pl.LazyFrame, where: str, notes: Iterable[str] = ()) -> None:
        """Add the rows of a frame, which messages call `where`.

        Raises MissingColumn, and DataError for customer ids that are inexact floats.
        """
        schema = frame.collect_schema()
        absent = _absent(schema.names(), self._columns, where)
        _raise_for_inexact(frame, schema, self._columns.customer_column, where)
        self._frames.append(
            frame.select(*self._cells(absent), others=_hash(schema, self._columns)).collect(
                engine="streaming"
            )
        )
        self._notes.update(notes)
        for role in absent:
            setting = settings(self._columns)[role]
            name = getattr(self._columns, setting)
            self._notes[f'no column "{name}" ({setting}): {_CONSEQUENCES[role]}'] += 1

    def _cells(self, absent: Sequence[str]) -> list[pl.Expr]:
        return [
            (pl.lit("") if role in absent else pl.col(name).cast(pl.String).fill_null(""))
            .cast(pl.Categorical(self._texts[role]))
            .alias(role)
            for role, name in names(self._columns).items()
        ]

    def table(self) -> Table:
        """All rows added so far, in that sequence."""
        count, rows = len(self._frames), pl.concat(self._frames)
        self._frames.clear()
        texts = {role: one.to_series().cast(pl.String) for role, one in self._texts.items()}
        rows = rows.with_columns(pl.col(*texts).to_physical())
        notes = tuple(
            note if times == count else f"{note} (in {times} of {count} files)"
            for note, times in self._notes.items()
        )
        return Table(rows, texts, notes)


def _hash(schema: pl.Schema, columns: Columns) -> pl.Expr:
    """A hash of the cells without a role and of the order number, which has no other use here."""
    used = {name for role, name in names(columns).items() if role != "order"}
    total = pl.lit(0, pl.UInt64)
    for seed, name in enumerate(sorted(schema.keys() - used)):
        # A category's own hash is that of its code, which differs from file to file.
        text = schema[name] in {pl.Categorical, pl.Enum}
        total += (pl.col(name).cast(pl.String) if text else pl.col(name)).hash(seed)
    return total


def _raise_for_inexact(frame: pl.LazyFrame, schema: pl.Schema, customer: str, where: str) -> None:
    """DataError for ids that are floats too large to be exact: customers would become one."""
    digits = _DIGITS.get(type(schema[customer]))
    if digits is None:
        return
    inexact = pl.col(customer).abs().is_between(2.0**digits, math.inf, closed="left")
    if frame.select(inexact.any()).collect(engine="streaming").item():
        raise DataError(
            f'{where} has floats of 2**{digits} and more in "{customer}" (customer_column), whose '
            f'last digits are lost: read the column as text, in pandas with dtype={{"{customer}": '
            "str}"
        )


def _absent(present: Sequence[str], columns: Columns, where: str) -> list[str]:
    """The roles without a column; MissingColumn where one of them is needed."""
    named = names(columns)
    absent = [role for role, name in named.items() if name not in present]
    optional = {"order", "product"} | ({"quantity"} if columns.amount_column else set())
    if not columns.amount_column and {"quantity", "price"} <= {*absent}:
        optional |= {"quantity", "price"}
    free = [name for name in present if name not in named.values()]
    missing = [
        _missing(settings(columns)[role], named[role], free)
        for role in absent
        if role not in optional
    ]
    if missing:
        listed = ", ".join(present[:30]) + (", …" if len(present) > 30 else "")
        raise MissingColumn(
            f"{where} has no column {', no column '.join(missing)}. Columns seen: {listed}"
        )
    return absent


def _missing(setting: str, name: str, free: Sequence[str]) -> str:
    plain = {re.sub(r"[\W_]", "", other).lower(): other for other in reversed(free)}
    near = difflib.get_close_matches(re.sub(r"[\W_]", "", name).lower(), plain, n=2, cutoff=0.5)
    hint = " or ".join(f'"{plain[other]}"' for other in near) or "its name"
    ready = ", or amount_column if the file has a ready amount" * (setting == "price_column")
    return f'"{name}" (set {setting} to {hint}{ready})'
