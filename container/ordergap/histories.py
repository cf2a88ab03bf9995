"""Histories: every customer's orders in time order, as the flat arrays that all packages work on.

The n orders of c customers stand one customer after the other; ``offsets`` marks where each
customer's segment begins, so customer i owns rows ``offsets[i]:offsets[i + 1]``. One day of one
customer is one order, so days rise strictly inside a segment. Days count from 1970-01-01.

See docs/decisions/packages.md#histories-are-a-package-of-their-own.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ordergap.attributes import Attributes, AttributeTable

EPOCH = datetime.date(1970, 1, 1).toordinal()


def day_of(date: datetime.date) -> int:
    """Days from 1970-01-01 to `date`.

    >>> day_of(datetime.date(1970, 1, 2))
    1
    """
    return date.toordinal() - EPOCH


def date_of(day: int) -> datetime.date:
    """The date `day` days after 1970-01-01; the inverse of `day_of`.

    >>> date_of(15317)
    datetime.date(2011, 12, 9)
    """
    return datetime.date.fromordinal(int(day) + EPOCH)


def iso_dates(days: NDArray[np.integer]) -> list[str]:
    """Days since 1970-01-01 as text.

    >>> iso_dates(np.array([15317]))
    ['2011-12-09']
    """
    texts: list[str] = np.datetime_as_string(days.astype("datetime64[D]")).tolist()
    return texts


def counts_by_bucket(
    order: NDArray[np.integer], bucket: NDArray[np.integer], orders: int, buckets: int
) -> NDArray[np.uint32]:
    """The lines of each order in each bucket and, last, without a value: (orders, buckets + 1).

    `order` and `bucket` have one number for each line.
    """
    place = order.astype(np.int64) * (buckets + 1) + bucket
    counts = np.bincount(place, minlength=orders * (buckets + 1)).astype(np.uint32)
    return counts.reshape(orders, buckets + 1)


def _order_column(dtype: DTypeLike) -> Mapping[str, DTypeLike]:
    """The mark of a column that has one value for each order."""
    return {"dtype": dtype}


@dataclass(frozen=True, eq=False)
class Histories:
    """The orders of many customers, sorted by customer and day.

    customer_ids  (c,) text, one a customer
    offsets       (c + 1,) rows where segments begin; offsets[-1] = n
    day           (n,) days since 1970-01-01, strictly rising within a customer
    amount        (n,) net value of the day, in the data's currency; 0 for a free order, NaN where
                  unknown
    items         (n,) net pieces bought; NaN where unknown
    lines         (n,) order lines; NaN where unknown
    buckets       hashed column -> (n, B + 1) order lines in each bucket, the last for no value
    attributes    what is known of the customers besides orders; None: nothing
    """

    customer_ids: list[str]
    offsets: NDArray[np.int64]
    day: NDArray[np.int32] = field(metadata=_order_column(np.int32))
    amount: NDArray[np.float64] = field(metadata=_order_column(np.float64))
    items: NDArray[np.float64] = field(metadata=_order_column(np.float64))
    lines: NDArray[np.float64] = field(metadata=_order_column(np.float64))
    attributes: Attributes | None = None
    buckets: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)

    @classmethod
    def from_orders(
        cls,
        customers: Sequence[str],
        customer: NDArray[np.int64],
        day: NDArray[np.int32],
        amount: NDArray[np.float64],
        items: NDArray[np.float64] | None = None,
        lines: NDArray[np.float64] | None = None,
        attributes: Attributes | None = None,
        buckets: Mapping[str, NDArray[np.uint32]] | None = None,
    ) -> Histories:
        """Sort orders given in any sequence; those of one customer on one day become one.

        `customer` (n,) is each order's position in `customers`; the customers' sequence is kept,
        and one without orders keeps an empty segment. Amounts, items, lines and buckets of one day
        add up; a sum with an unknown part is unknown.
        """
        unknown = np.full(len(day), np.nan)
        columns = [amount, unknown if items is None else items, unknown if lines is None else lines]
        buckets = buckets or {}
        key = customer.astype(np.int64) * 2**32 + (
            day.astype(np.int64) + 2**31
        )  # days may be negative
        if np.any(key[1:] <= key[:-1]):
            order = np.argsort(key, kind="stable")
            if np.any(key[order[1:]] == key[order[:-1]]):
                # Amounts break ties, so that a day's sum does not depend on the rows' sequence.
                order = np.lexsort((*columns[::-1], key))
            key = key[order]
            first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
            columns = [np.add.reduceat(column[order], first) for column in columns]
            buckets = {
                name: np.add.reduceat(counts[order], first, dtype=np.uint32)
                for name, counts in buckets.items()
            }
            key = key[first]
        owner = key >> 32
        amount, items, lines = (column.astype(np.float64) for column in columns)
        return cls(
            list(customers),
            np.append(0, np.bincount(owner, minlength=len(customers))).cumsum(),
            (key - (owner << 32) - 2**31).astype(np.int32),
            amount,
            items,
            lines,
            attributes,
            buckets,
        )

    @classmethod
    def concat(cls, parts: Sequence[Histories]) -> Histories:
        """The orders of all parts, customers sorted by id; those of one customer are joined.

        All have the same hashed columns. The attributes are those of the table that the first part
        with any has.
        """
        customers = sorted({customer for each in parts for customer in each.customer_ids})
        position = {customer: i for i, customer in enumerate(customers)}
        owners = [
            np.array([position[customer] for customer in each.customer_ids], np.int64)
            for each in parts
        ]
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(each, name) for each in parts]) for name in ORDER_COLUMNS
        }
        orders = zip(owners, parts, strict=True)
        whole = cls.from_orders(
            customers,
            np.concatenate([np.repeat(owner, each.order_count) for owner, each in orders]),
            **columns,
            buckets={
                name: np.concatenate([each.buckets[name] for each in parts])
                for name in parts[0].buckets
            },
        )
        known = [each.attributes for each in parts if each.attributes]
        return whole.with_attributes(known[0].table) if known else whole

    def with_attributes(self, table: AttributeTable) -> Histories:
        """The same orders, and what the table knows of their customers, as of each order."""
        return replace(self, attributes=Attributes(table, table.places(self.customer_ids)))

    def as_known(self, as_of: NDArray[np.int64] | int) -> Histories:
        """The same, with the attributes of every order as of a day: one for all, or (c,)."""
        if self.attributes is None:
            return self
        days = np.broadcast_to(np.asarray(as_of, np.int64), (len(self.customer_ids),))
        return replace(self, attributes=replace(self.attributes, as_of=days))

    @property
    def customer(self) -> NDArray[np.int64]:
        """(n,) the position of each order's customer in `customer_ids`."""
        return np.repeat(np.arange(len(self.customer_ids)), self.order_count)

    @property
    def order_count(self) -> NDArray[np.int64]:
        """(c,) orders of each customer."""
        return np.diff(self.offsets)

    @property
    def order_number(self) -> NDArray[np.int64]:
        """(n,) orders of the customer until each order, itself included."""
        return np.arange(len(self)) - np.repeat(self.offsets[:-1], self.order_count) + 1

    @property
    def last_row(self) -> NDArray[np.int64]:
        """(c,) the row of each customer's last order; every customer must have one."""
        if np.any(self.order_count == 0):
            raise ValueError("a customer without orders has no last order")
        return self.offsets[1:] - 1

    @property
    def revenue(self) -> NDArray[np.float64]:
        """(c,) sum of each customer's amounts, who must have an order; NaN where one is unknown."""
        sums: NDArray[np.float64] = np.add.reduceat(self.amount, self.offsets[:-1])
        return sums

    def until(self, as_of: int) -> Histories:
        """The orders of day `as_of` or earlier, of the customers who have any."""
        return self.keep(self.day <= as_of)

    def of(self, customers: NDArray[np.bool_]) -> Histories:
        """The orders of the customers marked true, of whom those without orders are left out.

        `customers` is (c,).
        """
        return self.keep(np.repeat(customers, self.order_count))

    def keep(self, rows: NDArray[np.bool_]) -> Histories:
        """The orders marked true, `rows` being (n,), of the customers who have any."""
        counts = np.bincount(self.customer[rows], minlength=len(self.customer_ids))
        kept = np.flatnonzero(counts)
        return Histories(
            [self.customer_ids[i] for i in kept],
            np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64),
            **self._order_columns(rows),
            attributes=self.attributes and self.attributes[kept],
        )

    def pick(self, customers: NDArray[np.int64]) -> Histories:
        """The orders of the customers at the positions `customers` (k,), in that sequence."""
        counts = self.order_count[customers]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[customers] - offsets[:-1], counts)
        return Histories(
            [self.customer_ids[i] for i in customers],
            offsets,
            **self._order_columns(rows),
            attributes=self.attributes and self.attributes[customers],
        )

    def _order_columns(self, rows: slice | NDArray[np.generic]) -> dict[str, Any]:
        """What there is of some orders."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in ORDER_COLUMNS}
        return {**columns, "buckets": {name: each[rows] for name, each in self.buckets.items()}}

    def batches(self, size: int) -> Iterator[Histories]:
        """The same customers, at most `size` at a time, without a copy of their orders."""
        for start in range(0, len(self.customer_ids), size):
            customers = slice(start, start + size)
            offsets = self.offsets[start : start + size + 1]
            rows = slice(int(offsets[0]), int(offsets[-1]))
            yield Histories(
                self.customer_ids[customers],
                offsets - offsets[0],
                **self._order_columns(rows),
                attributes=self.attributes and self.attributes[customers],
            )

    def digest(self) -> str:
        """SHA-256 over all of this, hexadecimal: equal data, equal digest."""
        digest = hashlib.sha256(json.dumps(self.customer_ids).encode())
        for column in (self.offsets, *(getattr(self, name) for name in ORDER_COLUMNS)):
            digest.update(np.ascontiguousarray(column).tobytes())
        for name, counts in sorted(self.buckets.items()):
            digest.update(json.dumps([name, counts.shape]).encode())
            digest.update(np.ascontiguousarray(counts).tobytes())
        if self.attributes:
            digest.update(self.attributes.content())
        return digest.hexdigest()

    def __len__(self) -> int:
        """The number of orders, n."""
        return len(self.day)


ORDER_COLUMNS: dict[str, DTypeLike] = {
    each.name: each.metadata["dtype"] for each in fields(Histories) if "dtype" in each.metadata
}
"""The columns that have one value for each order, and their types."""
