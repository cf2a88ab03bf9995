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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.contract.presets import PRESETS
from ordergap.errors import DataError, MissingColumn

_CONSEQUENCES = {
    "order": "refunds find their order by customer, product and price",
    "product": "every line is a product, and cancellations are matched by customer and price",
    "quantity": "the number of items is unknown",
    "price": "amounts are unknown, and every order counts",
    "status": "no order is excluded by its status",
}
# Words of columns of amounts; a file that has one is not read without amounts.
_AMOUNT_WORDS = {
    "amount", "betrag", "bedrag", "cost", "dollars", "gross", "importe", "montant", "net", "paid",
    "payment", "precio", "preis", "prezzo", "price", "prix", "revenue", "sales", "spend", "spent",
    "sum", "summe", "total", "umsatz", "valor", "value",
}  # fmt: skip

_NUMBERS = ("quantity", "price")

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


def settings(columns: Columns) -> dict[str, str]:
    """Role -> the hyperparameter that names its column; an amount takes the price's place."""
    roles = ["customer", "date", "order", "product", "quantity"]
    roles += ["status"] if columns.status_column else []
    price = "amount_column" if columns.amount_column else "price_column"
    return {role: f"{role}_column" for role in roles} | {"price": price}


def names(columns: Columns) -> dict[str, str]:
    """Role -> the name of its column in the file."""
    return {role: getattr(columns, setting) for role, setting in settings(columns).items()}


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
        self._texts = {role: pl.Categories.random() for role in names(columns)}
        self._numbers = {role: pl.Categories.random() for role in _NUMBERS}
        self._frames: list[pl.DataFrame] = []
        self._files: list[tuple[str, int]] = []
        self._notes: Counter[str] = Counter()
        self._present: set[str] = set()
        self._typed = {*_NUMBERS}

    def add(self, frame: pl.LazyFrame, where: str, notes: Iterable[str] = ()) -> None:
        """Add the rows of a frame, which messages call `where`.

        Raises MissingColumn, and DataError for customer ids that are inexact floats.
        """
        schema = frame.collect_schema()
        absent = _absent(schema.names(), self._columns, where, amounts=self._amounts)
        _raise_for_inexact(frame, schema, self._columns.customer_column, where)
        used = {role: name for role, name in names(self._columns).items() if role not in absent}
        _raise_for_nested(schema, used.values(), where)
        rows = frame.select(*self._cells(absent, schema), others=self._hash(schema)).collect(
            engine="streaming"
        )
        # Codes are filled faster than texts, which would all be copied.
        missing = [name for name in self._texts if rows[name].null_count()]
        rows = rows.with_columns(pl.col(n).fill_null(pl.lit("", rows.schema[n])) for n in missing)
        self._frames.append(rows)
        self._files.append((where, len(rows)))
        self._present |= used.keys()
        self._typed -= {role for role, name in used.items() if not schema[name].is_numeric()}
        self._notes.update(notes)
        self._notes.update(_said(schema.names(), used, self._columns))
        for role in absent:
            setting = settings(self._columns)[role]
            name = getattr(self._columns, setting)
            self._notes[f'no column "{name}" ({setting}): {_CONSEQUENCES[role]}'] += 1

    def _cells(self, absent: Sequence[str], schema: pl.Schema) -> list[pl.Expr]:
        cells = []
        for role, name in names(self._columns).items():
            numbers = role in _NUMBERS and name in schema and schema[name].is_numeric()
            kind = pl.Categorical((self._numbers if numbers else self._texts)[role])
            text = pl.lit("") if role in absent else _as_text(name, schema[name])
            cells.append(text.cast(kind).alias(role))
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

    def _hash(self, schema: pl.Schema) -> pl.Expr:
        """A hash of the cells without a role."""
        used = {*names(self._columns).values()}
        total = pl.lit(0, pl.UInt64)
        compared = schema.keys() if self._common is None else schema.keys() & {*self._common}
        for seed, name in enumerate(sorted(compared - used)):
            total += _hash_cells(name, schema[name], seed, several=self._common is not None)
        return total

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
        return Table(rows, texts, present, typed, tuple(self._files), notes)


def _distinct(columns: Sequence[pl.Series]) -> pl.Series:
    """The texts in the sequence of their codes; `Categories.to_series` is slow."""
    if not columns:
        return pl.Series(dtype=pl.String)
    codes = pl.concat(columns)
    physical = codes.to_physical()
    count = 0 if physical.is_empty() else int(physical.max()) + 1  # type: ignore[arg-type]
    every = pl.int_range(count, eager=True).cast(physical.dtype)
    return every.cat.to(codes.dtype).cast(pl.String)


def _hash_cells(name: str, dtype: pl.DataType, seed: int, *, several: bool) -> pl.Expr:
    """A hash of each cell that does not depend on the file, of which there are several."""
    if several and not dtype.is_nested():
        text = _as_text(name, dtype).str.strip_chars()
        text = text.str.strip_suffix(".0")  # of a float in one file and an integer in another
    elif isinstance(dtype, pl.String | pl.Categorical | pl.Enum):  # a category hashes as its code
        text = pl.col(name).cast(pl.String)
    else:
        return pl.col(name).hash(seed)
    return pl.when(text != "").then(text.hash(seed)).otherwise(0)  # missing or ""


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column's cells as text; a moment with a time zone keeps its offset."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return pl.col(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z")
    return pl.col(name).cast(pl.String)


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


def _said(present: Sequence[str], used: Mapping[str, str], columns: Columns) -> Iterator[str]:
    """Sentences on columns that may be meant."""
    for role, name in used.items():
        for other in present:
            if other.startswith(f"{name} (column "):
                setting = settings(columns)[role]
                yield f'of several columns "{name}" the first is read ({setting}), not "{other}"'
    for name in present:
        if "status" in _words(name) and not columns.status_column:
            yield f'the column "{name}" is not used: set status_column if it tells voided orders'


def _raise_for_nested(schema: pl.Schema, used: Iterable[str], where: str) -> None:
    for name in used:
        if schema[name].is_nested():
            raise DataError(f'{where} cannot be read: the cells of "{name}" are lists or records')


def _absent(present: Sequence[str], columns: Columns, where: str, *, amounts: bool) -> list[str]:
    """The roles without a column; MissingColumn where one of them is needed.

    Without a column of prices and without one that might be of amounts, amounts are unknown.
    """
    named = names(columns)
    absent = [role for role, name in named.items() if name not in present]
    free = [name for name in present if name not in named.values()]
    optional = {"order", "product"} | ({"quantity"} if columns.amount_column else set())
    defaults = Columns.model_fields
    if columns.status_column == PRESETS.get(columns.preset or "", {}).get("status_column"):
        optional |= {"status"}
    if "price" in absent and not (
        amounts
        or columns.amount_column
        or columns.price_column != defaults["price_column"].default
        or any(_AMOUNT_WORDS & _words(name) for name in free)
    ):
        optional |= {"price"}
        if columns.quantity_column == defaults["quantity_column"].default:
            optional |= {"quantity"}
    missing = [
        _missing(settings(columns)[role], named[role], free)
        for role in absent
        if role not in optional
    ]
    if missing:
        listed = ", ".join(name[:40] for name in present[:20]) + ", …" * (len(present) > 20)
        raise MissingColumn(
            f"{where} has no column {', no column '.join(missing)}. Columns seen: {listed}"
        )
    return absent


def _words(name: str) -> set[str]:
    """The words of a column's name: ``order_total`` and ``orderTotal`` have order and total."""
    return {word.lower() for word in re.findall(r"[^\W\d_A-Z]+|[A-Z][^\W\d_A-Z]*", name)} | {
        word.lower() for word in re.split(r"[\W\d_]+", name)
    }


def _missing(setting: str, name: str, free: Sequence[str]) -> str:
    plain = {re.sub(r"[\W_]", "", other).lower(): other for other in reversed(free)}
    near = difflib.get_close_matches(re.sub(r"[\W_]", "", name).lower(), plain, n=2, cutoff=0.5)
    hint = " or ".join(f'"{plain[other][:40]}"' for other in near) or "its name"
    ready = ", or amount_column if the file has a ready amount" * (setting == "price_column")
    return f'"{name}" (set {setting} to {hint}{ready})'
