"""Features: what is known of a customer at an order, as a row of numbers.

Law: pure, numpy only, time is a parameter, rows out = rows asked for. A feature of an order uses
that order and the customer's earlier ones, so that row k of a customer in the training matrix
equals scoring the customer's first k orders, bit for bit. What is not known is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap.features.block import Block
from ordergap.features.table import CALENDAR, TABULAR, computation
from ordergap.histories import Histories

BLOCK = 16_384  # orders whose columns fit in a processor's cache together


def names(calendar: bool) -> tuple[str, ...]:
    """The features of a tabular model, with those of the calendar or without.

    >>> names(calendar=False)[:3]
    ('order_count', 'tenure', 'gap_last')
    """
    return (*TABULAR, *CALENDAR) if calendar else tuple(TABULAR)


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
    """The features `names` of every order, known at that order: (n, len(names)).

    `rows` selects orders as an index into the result would, without holding the rest.
    Raises ValueError for a name that is not a feature.
    """
    computations = [computation(name) for name in names]
    asked = np.arange(len(histories))[slice(None) if rows is None else rows]
    result = np.empty((len(asked), len(computations)), np.float32)
    places = None
    if np.any(asked[1:] < asked[:-1]):
        places = np.argsort(asked, kind="stable")
        asked = asked[places]
    for first, last in _blocks(histories.offsets):
        start, stop = histories.offsets[first], histories.offsets[last]
        here = slice(*asked.searchsorted((start, stop)).tolist())
        if here.start == here.stop:
            continue
        block = Block(histories, first, last)
        chosen = slice(None) if rows is None else asked[here] - start
        to = here if places is None else places[here]
        for column, compute_column in enumerate(computations):
            result[to, column] = compute_column(block)[chosen]
    return result


def _blocks(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs of whole customers with up to BLOCK orders, or one customer with more."""
    first = 0
    while first < len(offsets) - 1:
        fits = int(np.searchsorted(offsets, offsets[first] + BLOCK, side="right")) - 1
        last = max(fits, first + 1)
        yield first, last
        first = last
