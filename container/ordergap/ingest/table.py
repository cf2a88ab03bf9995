"""The columns that are used, with each distinct text stored once.

A transactions file repeats itself: half a million lines hold some thousand products, prices and
moments. So a column is its distinct texts and a 4-byte code per row, and each text is parsed once.
The other columns become a 64-bit hash per row, which tells exact duplicates from lines that differ
there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.errors import DataError, MissingColumn
from ordergap.ingest.cells import plain
from ordergap.ingest.roles import CONSEQUENCES, absent_roles, hashed, names, said, settings

_NUMBERS = ("quantity", "price")
# Pushing a filter on all columns into the scan takes time that is quadratic in their number.
OPTIMIZATIONS = pl.QueryOptFlags(predicate_pushdown=False)

# Floats of so many binary digits and more are not exact.
_DIGITS: dict[type[pl.DataType], int] = {pl.Float16: 11, pl.Float32: 24, pl.Float64: 53}


@dataclass(frozen=True)
class Table:
    """Rows of transactions.

    rows     a code for every role (customer, date, …), and `others`, the hash of the other columns
    texts    role -> the distinct texts that the codes index; "" for missing cells
    present  the roles that have a column
    typed    the roles whose cells were numbers, not texts
    files    name and number of rows of each file, in the sequence of the rows
    notes    sentences for the user
    """

    rows: pl.DataFrame
    texts: dict[str, pl.Series]
    present: frozenset[str]
    typed: frozenset[str]
    files: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]

    def each(self, role: str, values: pl.Series) -> pl.Expr:
        """For every row the value of its text, `values` having one for each distinct text."""
        if values.dtype == pl.Boolean:  # of which few are true
            return pl.col(role).is_in(values.arg_true().implode())
        return pl.lit(values).gather(pl.col(role))

    def text(self, role: str, row: int) -> str:
        """The text of a row, without blanks around it."""
        return str(self.texts[role][self.rows[row, role]]).strip()

    def place(self, row: int) -> tuple[str | None, int]:
        """The name of a row's file, where there are several, and its number there, from 1."""
        for name, count in self.files:
            if row < count:
                return (name if len(self.files) > 1 else None), row + 1
            row -= count
        raise IndexError(row)


class Tabulator:
    """Makes one table of many frames.

    common   names of the columns that all frames have; equal lines are equal in these. None: all
    amounts  whether a frame without prices is refused, because the model's data had them
    """

    def __init__(
        self, columns: Columns, common: Collection[str] | None = None, *, amounts: bool = False
    ) -> None:
        self._columns = columns
        self._common = common
        self._amounts = amounts
        # Frames share their distinct texts, which are freed with the last of the frames.
        self._hashed = hashed(columns)
        roles = (*names(columns), *self._hashed)
        self._texts = {role: pl.Categories.random() for role in roles}
        self._numbers = {role: pl.Categories.random() for role in _NUMBERS}
        self._frames: list[pl.DataFrame] = []
        self._files: Counter[str] = Counter()  # a frame comes in several blocks
        self._notes: Counter[str] = Counter()
        self._present: set[str] = set()
        self._typed = {*_NUMBERS}

    def add(self, frame: pl.LazyFrame, where: str, notes: Iterable[str] = ()) -> pl.DataFrame:
        """Add the rows of a frame, which messages call `where`; returns their codes.

        Raises MissingColumn, and DataError for customer ids that are inexact floats.
        """
        schema = frame.collect_schema()
        absent = absent_roles(schema.names(), self._columns, where, amounts=self._amounts)
        raise_for_inexact(frame, schema, self._columns.customer_column, where)
        used = {role: name for role, name in names(self._columns).items() if role not in absent}
        _raise_for_unhashable(schema, self._hashed.values(), where)
        _raise_for_nested(schema, [*used.values(), *self._hashed.values()], where)
        rows = frame.select(
            *self._cells(absent, schema), others=self._hash(schema, used.values())
        ).collect(engine="streaming", optimizations=OPTIMIZATIONS)
        # Codes are filled faster than texts, which would all be copied.
        missing = [name for name in self._texts if rows[name].null_count()]
        rows = rows.with_columns(pl.col(n).fill_null(pl.lit("", rows.schema[n])) for n in missing)
        self._frames.append(rows)
        self._files[where] += len(rows)
        self._present |= used.keys()
        self._typed -= {role for role, name in used.items() if not schema[name].is_numeric()}
        self._notes.update(notes)
        self._notes.update(said(schema.names(), used, self._columns))
        for role in absent:
            setting = settings(self._columns)[role]
            name = getattr(self._columns, setting)
            if name in schema:
                self._notes["amounts are unknown, as the option amounts says"] += 1
                continue
            self._notes[f'no column "{name}" ({setting}): {CONSEQUENCES[role]}'] += 1
        return rows

    def note(self, notes: Iterable[str]) -> None:
        """Add sentences on the frame that was added last."""
        self._notes.update(notes)

    def _cells(self, absent: Sequence[str], schema: pl.Schema) -> list[pl.Expr]:
        cells = []
        for role, name in names(self._columns).items():
            numbers = role in _NUMBERS and name in schema and schema[name].is_numeric()
            kind = pl.Categorical((self._numbers if numbers else self._texts)[role])
            text = pl.lit("") if role in absent else as_text(name, schema[name])
            cells.append(text.cast(kind).alias(role))
        for role, name in self._hashed.items():
            kind = pl.Categorical(self._texts[role])
            cells.append(as_text(name, schema[name]).cast(kind).alias(role))
        return cells

    def _join(self, role: str, of_frames: Sequence[pl.Series]) -> tuple[pl.Series, pl.Series]:
        """The codes of a column and its distinct texts; numbers beside texts are `exact`."""
        texts = pl.Categorical(self._texts[role])
        parts = ([codes for codes in of_frames if (codes.dtype == texts) == is_text]
                 for is_text in (True, False))  # fmt: skip
        of_texts, of_numbers = map(_distinct, parts)
        if len(of_texts):
            of_numbers = of_numbers.str.replace(r"^(.*\D.*)$", "=${1}")
        first = len(of_texts)  # the code of the first number
        codes = [c.to_physical() + first if first and c.dtype != texts else c.to_physical()
                 for c in of_frames]  # fmt: skip
        return pl.concat(codes), pl.concat([of_texts, of_numbers])

    def _hash(self, schema: pl.Schema, used: Collection[str]) -> pl.Expr:
        """A hash of the cells without a role."""
        compared = schema.keys() if self._common is None else schema.keys() & {*self._common}
        several = self._common is not None
        hashes = [
            _hash_cells(name, schema[name], seed, several=several)
            for seed, name in enumerate(sorted(compared - {*used}))
        ]
        return pl.sum_horizontal(pl.lit(0, pl.UInt64), *hashes)

    def table(self) -> Table:
        """All rows added so far, in that sequence."""
        count = len(self._frames)
        texts, columns = {}, {}
        for role in self._texts:
            columns[role], texts[role] = self._join(role, [f[role] for f in self._frames])
        rows = pl.DataFrame({**columns, "others": pl.concat([f["others"] for f in self._frames])})
        self._frames.clear()
        notes = tuple(
            note if times == count else f"{note} (in {times} of {count} files)"
            for note, times in self._notes.items()
        )
        present = frozenset(self._present)
        typed = frozenset(self._typed & present)
        return Table(rows, texts, present, typed, tuple(self._files.items()), notes)


def _distinct(columns: Sequence[pl.Series]) -> pl.Series:
    """The texts in the sequence of their codes; `Categories.to_series` is slow."""
    if not columns:
        return pl.Series(dtype=pl.String)
    codes = pl.concat(columns)
    physical = codes.to_physical()
    count = 0 if physical.is_empty() else int(physical.max()) + 1  # type: ignore[arg-type]
    every = pl.int_range(count, eager=True).cast(physical.dtype)
    return plain(every.cat.to(codes.dtype).cast(pl.String))


def _hash_cells(name: str, dtype: pl.DataType, seed: int, *, several: bool) -> pl.Expr:
    """A hash of each cell that does not depend on the file, of which there are several."""
    if several and not dtype.is_nested():
        text = as_text(name, dtype).str.strip_chars()
        text = text.str.strip_suffix(".0")  # of a float in one file and an integer in another
    elif isinstance(dtype, pl.String | pl.Categorical | pl.Enum):  # a category hashes as its code
        text = pl.col(name).cast(pl.String)
    else:
        return pl.col(name).hash(seed)
    return pl.when(text != "").then(text.hash(seed)).otherwise(0)  # missing or ""


def as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column's cells as text; a moment with a time zone keeps its offset."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return pl.col(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z")
    return pl.col(name).cast(pl.String)


def raise_for_inexact(frame: pl.LazyFrame, schema: pl.Schema, customer: str, where: str) -> None:
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


def _raise_for_unhashable(schema: pl.Schema, columns: Iterable[str], where: str) -> None:
    """MissingColumn for a hashed column that is not there, DataError for one of floats."""
    for name in columns:
        if name not in schema:
            listed = ", ".join(schema.names()[:20])
            raise MissingColumn(
                f'{where} has no column "{name}" (hashed_columns). Columns seen: {listed}'
            )
        if schema[name].is_float():
            raise DataError(
                f'{where} has floats in "{name}" (hashed_columns), whose text is not that of the '
                f'source: read the column as text, in pandas with dtype={{"{name}": str}}'
            )


def _raise_for_nested(schema: pl.Schema, used: Iterable[str], where: str) -> None:
    for name in used:
        if schema[name].is_nested():
            raise DataError(f'{where} cannot be read: the cells of "{name}" are lists or records')
