"""What is known of customers besides their orders: numbers and categories, from some day on.

A row of a customer holds from its day until the next one's. A row without a day holds always. The
columns are numbers, where NaN is missing, and categories, which are codes into sorted texts, where
-1 is missing.

See docs/decisions/features.md#attributes-are-as-of-a-day.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.orders import BLANK

Days = NDArray[np.int64]
ALWAYS = -(2**31)
"""The day from which a row without a day holds."""
LARGEST, SMALLEST = 1e12, 1e-9
"""Numbers beyond the first count as none, those nearer to zero than the second as zero."""
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPAN = 2**32  # customer * _SPAN + day rises from row to row


def category(text: str) -> str | None:
    """A category's text as it is compared: composed, without blanks around it; None: missing.

    A whole number that some program wrote as 7.0 is 7; 007 is another category than 7.

    >>> category(" north "), category("7.0"), category("007"), category("N/A")
    ('north', '7', '007', None)
    """
    text = unicodedata.normalize("NFC", text).strip()
    text = re.sub(r"^([0-9]+)\.0+$", r"\1", text)
    return None if text.lower() in BLANK else text


def number(value: object) -> float:
    """A number of a record, or a plain one as text, read as in files; NaN: missing.

    Raises ValueError for what is none.

    >>> number(1980), number("1980.0"), number("")
    (1980.0, 1980.0, nan)
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in BLANK):
        return np.nan
    if isinstance(value, str) and _PLAIN.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST:
        raise ValueError("expected a number up to 1e12, or null")
    return float(value) if abs(value) >= SMALLEST else 0.0


def text(value: object) -> str | None:
    """A category of a record, read as in files; None: missing. ValueError for a list or object.

    >>> text(7.0), text(True), text(" ")
    ('7', 'true', None)
    """
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        raise ValueError("expected text, a number or null")  # noqa: TRY004 - as for numbers
    return category(str(value).lower() if isinstance(value, bool) else str(value))


class Differs(ValueError):
    """Two rows of one customer hold from the same day, and differ.

    rows  their positions in what was given
    """

    def __init__(self, rows: tuple[int, int]) -> None:
        super().__init__("two rows of one customer and day differ")
        self.rows = rows


@dataclass(frozen=True, eq=False)
class AttributeTable:
    """The r rows of k customers.

    customer_ids  (k,) sorted
    offsets       (k + 1,) rows where each customer's begin
    since         (r,) days from which rows hold, rising within a customer
    numbers       name -> (r,)
    codes         name -> (r,) places in `values`
    values        name -> the texts of a category, sorted
    """

    customer_ids: Sequence[str]
    offsets: NDArray[np.int64]
    since: Days
    numbers: Mapping[str, NDArray[np.float64]]
    codes: Mapping[str, NDArray[np.int32]]
    values: Mapping[str, Sequence[str]]

    @classmethod
    def from_rows(
        cls,
        customers: Sequence[str],
        since: Days,
        numbers: Mapping[str, NDArray[np.float64]],
        texts: Mapping[str, Sequence[str | None]],
    ) -> AttributeTable:
        """The table of rows in any sequence, equal ones taken once. Raises Differs."""
        ids = sorted(set(customers))
        place = {each: i for i, each in enumerate(ids)}
        owner = np.array([place[each] for each in customers], np.int64)
        values = {name: sorted(filter(None, {*column})) for name, column in texts.items()}
        codes = {}
        for name, column in texts.items():
            code: dict[str | None, int] = {text: i for i, text in enumerate(values[name])}
            codes[name] = np.array([code.get(text, -1) for text in column], np.int32)
        order = np.lexsort((since, owner))
        key = (owner * _SPAN + since)[order]
        again = np.flatnonzero(key[1:] == key[:-1])
        columns: list[NDArray[Any]] = [*numbers.values(), *codes.values()]
        for each in columns:
            one, other = each[order[again]], each[order[again + 1]]
            different = (one != other) & ~(np.isnan(one) & np.isnan(other))
            if different.any():
                pair = again[different.argmax()]
                raise Differs((int(order[pair]), int(order[pair + 1])))
        order = np.delete(order, again + 1)
        return cls(
            ids,
            np.append(0, np.bincount(owner[order], minlength=len(ids))).cumsum(),
            since[order],
            {name: column[order] for name, column in numbers.items()},
            {name: column[order] for name, column in codes.items()},
            values,
        )

    @property
    def names(self) -> list[str]:
        """The columns, numbers first."""
        return [*self.numbers, *self.codes]

    def __len__(self) -> int:
        """The number of rows, r."""
        return len(self.since)

    def places(self, customers: Sequence[str]) -> NDArray[np.int64]:
        """(n,) where the customers are in `customer_ids`, -1 for those who are not."""
        place = {each: i for i, each in enumerate(self.customer_ids)}
        return np.array([place.get(each, -1) for each in customers], np.int64)

    def rows(self, places: NDArray[np.int64], day: Days) -> NDArray[np.int64]:
        """(n,) the row that holds of each customer on each day, -1 where none does."""
        row = np.searchsorted(self._key, places * _SPAN + day, side="right") - 1
        known = (places >= 0) & (row >= self.offsets[places])
        return np.where(known, row, -1)

    def content(self) -> bytes:
        """Every customer and value, for a digest."""
        own = Attributes(self, np.arange(len(self.customer_ids))).content()
        return json.dumps(self.customer_ids).encode() + own

    @cached_property
    def _key(self) -> NDArray[np.int64]:
        """(r,) rises from row to row, by days within a customer."""
        owner = np.repeat(np.arange(len(self.customer_ids)), np.diff(self.offsets))
        return owner * _SPAN + self.since

    def values_of(self, row: int) -> dict[str, Any]:
        """Name -> JSON-ready value, of those that the row has."""
        numbers = {name: float(column[row]) for name, column in self.numbers.items()}
        codes = {name: int(column[row]) for name, column in self.codes.items()}
        return {name: number for name, number in numbers.items() if not isnan(number)} | {
            name: self.values[name][code] for name, code in codes.items() if code >= 0
        }


@dataclass(frozen=True, eq=False)
class Attributes:
    """The attributes of the c customers of some histories.

    places  (c,) of the customers in the table, -1 for who is not there
    as_of   (c,) the day as of which they are known; None: as of each order
    """

    table: AttributeTable
    places: NDArray[np.int64]
    as_of: Days | None = None

    def __getitem__(self, customers: slice | NDArray[np.int64]) -> Attributes:
        """Those of some of the customers."""
        as_of = None if self.as_of is None else self.as_of[customers]
        return replace(self, places=self.places[customers], as_of=as_of)

    def rows(self, counts: NDArray[np.int64], day: NDArray[np.int32]) -> NDArray[np.int64]:
        """(n,) rows of the table for orders on `day` (n,), of which each customer has `counts`."""
        known = day.astype(np.int64) if self.as_of is None else np.repeat(self.as_of, counts)
        return self.table.rows(np.repeat(self.places, counts), known)

    def rows_on(self, as_of: int) -> NDArray[np.int64]:
        """(c,) the row of each customer that holds on a day, -1 where none does."""
        return self.table.rows(self.places, np.full(len(self.places), as_of, np.int64))

    def records(self, as_of: int) -> list[dict[str, Any]]:
        """What a scoring record of each customer has as `attributes`, as known on a day."""
        return [self.table.values_of(row) if row >= 0 else {} for row in self.rows_on(as_of)]

    @classmethod
    def of_each(
        cls,
        numbers: Mapping[str, Sequence[float]],
        texts: Mapping[str, Sequence[str | None]],
        count: int,
    ) -> Attributes:
        """A row for each of so many customers, which always holds."""
        table = AttributeTable.from_rows(
            [f"{i:012}" for i in range(count)],
            np.full(count, ALWAYS, np.int64),
            {name: np.array(column, float) for name, column in numbers.items()},
            texts,
        )
        return cls(table, np.arange(count))

    def content(self) -> bytes:
        """Every value of the customers, for a digest."""
        table = self.table
        sizes = np.where(self.places >= 0, np.diff(table.offsets)[self.places], 0)
        starts = np.repeat(table.offsets[self.places] - np.cumsum(sizes) + sizes, sizes)
        rows = starts + np.arange(len(starts))
        arrays = [sizes, table.since[rows], *(table.numbers[n][rows] for n in [*table.numbers])]
        texts = {
            name: [table.values[name][code] if code >= 0 else None for code in codes[rows]]
            for name, codes in table.codes.items()
        }
        head = json.dumps([[*table.numbers], texts]).encode()
        return b"".join([head, *(np.ascontiguousarray(each).tobytes() for each in arrays)])
