"""Features: each order of each customer as a row of numbers.

Pure functions on NumPy arrays that read no clock. A feature of an order uses that order and the
customer's earlier ones only: row k of a customer in the training matrix equals scoring the
customer's first k orders, bit for bit. Unknown values are NaN.

A new feature is an entry in `table`, and in the yardstick that the tests compare with,
`benchmarks/pandas_features.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap.features.attributes import attribute_names as attribute_names
from ordergap.features.attributes import others as others
from ordergap.features.block import Block
from ordergap.features.table import CALENDAR, TABULAR, computation
from ordergap.histories import Histories

BLOCK = 16_384  # orders whose columns fit in a processor's cache together


def names(calendar: bool, more: Sequence[str] = ()) -> tuple[str, ...]:
    """The features of a tabular model, with those of the calendar or without, and `more`.

    more  such as those of hashed columns, and the `attribute_names` of what is learnt from

    >>> names(calendar=False)[:3]
    ('order_count', 'tenure', 'gap_last')
    """
    return (*TABULAR, *(CALENDAR if calendar else ()), *more)


def sequence_names(length: int) -> tuple[str, ...]:
    """The features of a model that reads the last `length` gaps and amounts, 1 being the latest.

    >>> sequence_names(2)
    ('order_count', 'gap_1', 'gap_2', 'amount_1', 'amount_2')
    """
    steps = range(1, length + 1)
    return ("order_count", *(f"gap_{k}" for k in steps), *(f"amount_{k}" for k in steps))


def compute(
    histories: Histories,
    names: Sequence[str],
    rows: NDArray[np.int64] | NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """The features `names` of every order, as of that order: (n, len(names)).

    `rows` selects orders as an index into the result would, without holding the rest.
    Raises ValueError for a name that is not a feature.
    """
    computations = [computation(name) for name in names]
    orders = np.arange(len(histories))[slice(None) if rows is None else rows]
    result = np.empty((len(orders), len(computations)), np.float32)
    places = None  # of the orders in the result, where they do not rise
    if np.any(orders[1:] < orders[:-1]):
        places = np.argsort(orders, kind="stable")
        orders = orders[places]
    for first, last in _blocks(histories.offsets):
        start, stop = histories.offsets[first], histories.offsets[last]
        within = slice(*orders.searchsorted((start, stop)).tolist())
        if within.start == within.stop:
            continue
        block = Block(histories, first, last)
        selection = slice(None) if rows is None else orders[within] - start
        target = within if places is None else places[within]
        for column, compute_column in enumerate(computations):
            result[target, column] = compute_column(block)[selection]
    return result


def _blocks(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs of whole customers with up to BLOCK orders, or one customer with more."""
    first = 0
    while first < len(offsets) - 1:
        fits = int(np.searchsorted(offsets, offsets[first] + BLOCK, side="right")) - 1
        last = max(fits, first + 1)
        yield first, last
        first = last
