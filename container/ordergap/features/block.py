"""The arithmetic of features, on a block of whole customers that fits in the processor's cache.

Every value depends on the customer's own orders up to that one and on nothing else, to the last
bit: sums of whole numbers are exact, and other running values combine the customer's orders in a
tree that is fixed by their position.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ordergap.features.calendar import Dates, dates
from ordergap.features.median import running_median
from ordergap.histories import Histories

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = Ints | slice

HALF_LIFE = 3  # gaps after which a gap's weight in the weighted mean has halved
LEAST_ITEMS = 1e-6  # a price of less would be out of all bounds
LOG_STEPS = 2.0**32  # logarithms are summed as whole numbers of this fraction


class Block:
    """The orders of customers `first` to `last` (not included) of some histories.

    Every column is (n,), one value for each order of the block.
    """

    def __init__(self, histories: Histories, first: int, last: int) -> None:
        offsets = histories.offsets[first : last + 1]
        rows = slice(int(offsets[0]), int(offsets[-1]))
        self.starts = offsets[:-1] - offsets[0]
        self.counts = offsets[1:] - offsets[:-1]
        self.day = histories.day[rows]
        self.amount = histories.amount[rows]
        self.items = histories.items[rows]
        self.lines = histories.lines[rows]
        self.first_row = self.starts.repeat(self.counts)
        """The row of the customer's first order."""
        self.row = np.arange(len(self.day))
        self.position = self.row - self.first_row
        """Orders of the customer before this one."""

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

    @cached_property
    def dates(self) -> Dates:
        """The orders' dates."""
        return dates(self.day)

    def lag(self, values: Floats, orders: int) -> Floats:
        """What `values` was `orders` orders before; NaN where there were fewer."""
        lagged = np.full(len(values), np.nan)
        if orders < len(values):
            np.copyto(
                lagged[orders:], values[: -orders or None], where=self.position[orders:] >= orders
            )
        return lagged

    def gap_median(self) -> Floats:
        """Median of the gaps so far."""
        return running_median(self.gap, self.starts, self.counts)

    def gap_std(self) -> Floats:
        """Population standard deviation of the gaps so far; NaN for fewer than two."""
        count = self.position
        squares = self.sum_whole(self.gap * self.gap)
        variance = count * squares - self.tenure.astype(np.int64) ** 2  # times the count, squared
        deviation: Floats = np.sqrt(variance) / np.where(count > 1, count, np.nan)
        return deviation

    def gap_min(self) -> Floats:
        """Shortest gap so far."""
        return self.running(self.gap_or_nan, lambda late, early, _: np.fmin(late, early))

    def gap_max(self) -> Floats:
        """Longest gap so far."""
        return self.running(self.gap_or_nan, lambda late, early, _: np.fmax(late, early))

    def gap_ewm(self) -> Floats:
        """Mean of the gaps so far, weighted by 2 ** -(gaps since / HALF_LIFE)."""
        decay = 0.5 ** (1 / HALF_LIFE)
        total = self.running(
            self.gap.astype(np.float64), lambda late, early, step: late + decay**step * early
        )
        mean: Floats = total * (1 - decay) / (1 - np.exp2(self.gap_count / -HALF_LIFE))
        return mean

    def gap_log_mean(self) -> Floats:
        """Mean of the natural logarithms of the gaps so far."""
        steps = np.rint(np.log(np.maximum(self.gap, 1)) * LOG_STEPS).astype(np.int64)
        return self.sum_whole(steps) / LOG_STEPS / self.gap_count

    def item_price(self) -> Floats:
        """Amount for each of the order's items; NaN where they are unknown or next to none."""
        price: Floats = self.amount / np.where(self.items > LEAST_ITEMS, self.items, np.nan)
        return price

    def items_mean(self) -> Floats:
        """Mean of the items so far, over the orders where they are known."""
        known = ~np.isnan(self.items)
        total = self.running(np.where(known, self.items, 0.0), lambda late, early, _: late + early)
        count = self.sum_whole(known.astype(np.int64))
        return total / np.where(count > 0, count, np.nan)

    def orders_within(self, days: int) -> Ints:
        """Orders in the last `days` days, this one included."""
        since: Ints = self._key.searchsorted(self._key - (days - 1))
        return self.row - since + 1

    @cached_property
    def _key(self) -> Ints:
        """Rises from order to order, by days within a customer."""
        key: Ints = (self.first_row << 32) + self.day
        return key

    def sum_whole(self, values: Ints) -> Ints:
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
