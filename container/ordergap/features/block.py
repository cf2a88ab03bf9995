"""Arithmetic on the orders of a block of whole customers that fits in the processor's cache.

Every value depends on the customer's own orders up to that one and on nothing else, to the last
bit: sums of whole numbers are exact, and other running values combine the customer's orders in a
tree that is fixed by their position.

See docs/decisions/features.md#the-calendar-and-the-running-median-are-plain.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ordergap.histories import Histories

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = Ints | slice


class Block:
    """The orders of customers `first` to `last` (not included) of some histories.

    Every column is (n,), one value for each order of the block.
    """

    def __init__(self, histories: Histories, first: int, last: int) -> None:
        offsets = histories.offsets[first : last + 1]
        rows = slice(int(offsets[0]), int(offsets[-1]))
        self.counts = offsets[1:] - offsets[:-1]
        attributes = histories.attributes
        self._attributes = attributes[first:last] if attributes and len(attributes.table) else None
        self._lines_in = {name: counts[rows] for name, counts in histories.buckets.items()}
        self.day = histories.day[rows]
        self.amount = histories.amount[rows]
        self.items = histories.items[rows]
        self.lines = histories.lines[rows]
        self.first_row = (offsets[:-1] - offsets[0]).repeat(self.counts)
        """The row of the customer's first order."""
        self.row = np.arange(len(self.day))
        self.position = self.row - self.first_row
        """Orders of the customer before this one."""

    def number(self, name: str) -> Floats:
        """An attribute that is a number, as of each order; NaN where it is missing."""
        if not self._attributes or name not in self._attributes.table.numbers:
            return np.full(len(self.day), np.nan)
        row, table = self._attribute_row, self._attributes.table
        return np.where(row >= 0, table.numbers[name][row], np.nan)

    def is_value(self, name: str, value: str) -> Floats:
        """1 where a category has the value, 0 where it has another, NaN where it is missing."""
        if not self._attributes or name not in self._attributes.table.codes:
            return np.full(len(self.day), np.nan)
        row, table = self._attribute_row, self._attributes.table
        code = np.where(row >= 0, table.codes[name][row], -1)
        values = table.values[name]
        place = values.index(value) if value in values else len(values)
        return np.where(code >= 0, code == place, np.nan)

    @cached_property
    def _attribute_row(self) -> Ints:
        """The row of the table of attributes as of each order; -1: none."""
        assert self._attributes is not None  # noqa: S101 - who asks has looked
        return self._attributes.rows(self.counts, self.day)

    def lines_so_far(self, column: str, bucket: int) -> Floats | Ints:
        """Order lines so far in a bucket of a hashed column; NaN where the column is unknown."""
        if column not in self._lines_in:
            return np.full(len(self.day), np.nan)
        return self.running_sum(self._lines_in[column][:, bucket].astype(np.int64))

    @cached_property
    def gap(self) -> Ints:
        """Days since the customer's order before; 0 at the first."""
        gap = np.zeros(len(self.day), np.int64)
        np.subtract(self.day[1:], self.day[:-1], out=gap[1:])
        gap[self.first_row] = 0
        return gap

    @cached_property
    def gap_or_nan(self) -> Floats:
        """The same; NaN at the first."""
        return np.where(self.position > 0, self.gap, np.nan)

    @cached_property
    def gap_count(self) -> Floats:
        """Gaps so far; NaN, by which everything can be divided, where there is none."""
        return np.where(self.position > 0, self.position, np.nan)

    @cached_property
    def tenure(self) -> NDArray[np.int32]:
        """Days since the first order, which is the sum of the gaps."""
        tenure: NDArray[np.int32] = self.day - self.day[self.first_row]
        return tenure

    @cached_property
    def total_amount(self) -> Floats:
        """Sum of the amounts so far."""
        return self.running(self.amount, lambda late, early, _: late + early)

    def lag(self, values: Floats, orders: int) -> Floats:
        """What `values` was `orders` orders before; NaN where there were fewer."""
        lagged = np.full(len(values), np.nan)
        if orders < len(values):
            np.copyto(
                lagged[orders:], values[: -orders or None], where=self.position[orders:] >= orders
            )
        return lagged

    def orders_within(self, days: int) -> Ints:
        """Orders in the last `days` days, this one included."""
        since: Ints = self._key.searchsorted(self._key - (days - 1))
        return self.row - since + 1

    @cached_property
    def _key(self) -> Ints:
        """Rises from order to order, by days within a customer."""
        key: Ints = (self.first_row << 32) + self.day
        return key

    def running_median(self, values: Ints) -> Floats:
        """Median so far of `values`, without that of the first order; NaN at the first."""
        medians: list[float] = []
        past: list[int] = []
        for value, position in zip(values.tolist(), self.position.tolist(), strict=True):
            if position == 0:
                past.clear()
                medians.append(np.nan)
            else:
                insort(past, value)
                middle = position // 2
                medians.append((past[middle] + past[~middle]) / 2)
        return np.array(medians)

    def running_sum(self, values: Ints) -> Ints:
        """Sum of whole numbers so far."""
        total: Ints = values.cumsum()
        so_far: Ints = total - (total - values)[self.first_row]
        return so_far

    def running(self, values: Floats, combine: Callable[[Floats, Floats, int], Floats]) -> Floats:
        """`values` so far, combined: first neighbours, then twos, then fours, and so on.

        `combine` takes two runs of orders, the later and the earlier one, and how many orders the
        later one spans. (Hillis and Steele, Data parallel algorithms, 1986.)
        """
        result = values.copy()
        for step, rows, before in self._steps:
            result[rows] = combine(result[rows], result[before], step)
        return result

    @cached_property
    def _steps(self) -> list[tuple[int, Rows, Rows]]:
        """(step, rows with an order `step` orders before, that order's rows), for 1, 2, 4, ..."""
        longest = int(self.counts.max())
        steps: list[tuple[int, Rows, Rows]] = []
        rows, step = self.row, 1
        while step < longest:
            if len(self.counts) == 1:
                steps.append((step, slice(step, None), slice(-step)))
            else:
                rows = rows[self.position[rows] >= step]
                steps.append((step, rows, rows - step))
            step *= 2
        return steps
