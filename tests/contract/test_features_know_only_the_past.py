"""Row k of a customer's features is what their first k orders alone would give, bit for bit."""

from random import Random
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap import features
from ordergap.histories import Histories

from benchmarks.features import made_up

NAMES = (*features.names(calendar=True), *features.sequence_names(4))

unknown_or_count = st.none() | st.integers(0, 10**6)
orders = st.lists(
    st.tuples(
        st.integers(1, 400),  # days since the order before
        st.floats(0.01, 1e12),
        unknown_or_count,
        unknown_or_count,
    ),
    max_size=14,
)


@st.composite
def histories(draw: st.DrawFn) -> Histories:
    """Up to nine customers, some without orders, around 1970 and around today."""
    customers = draw(st.lists(st.tuples(st.integers(-25_000, 25_000), orders), max_size=9))
    rows = [
        (i, day, *values)
        for i, (first_day, taken) in enumerate(customers)
        for day, values in zip(
            np.cumsum([first_day, *(each[0] for each in taken)])[1:].tolist(),
            (each[1:] for each in taken),
            strict=True,
        )
    ]
    columns = np.array(rows, float).reshape(-1, 5).T
    return Histories.from_orders(
        [f"customer {i}" for i in range(len(customers))],
        columns[0].astype(np.int64),
        columns[1].astype(np.int32),
        *columns[2:],
    )


def same(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Equal to the last bit, or both NaN."""
    one, other = (np.where(np.isnan(each), np.float32(np.nan), each) for each in (a, b))
    return np.array_equal(one.view(np.int32), other.view(np.int32))


def alone(h: Histories, customer: int, orders: int | None = None) -> Histories:
    """One customer's history, cut out by hand, after their first orders."""
    start, stop = h.offsets[customer : customer + 2].tolist()
    rows = slice(start, stop if orders is None else start + orders)
    return Histories(
        [h.customer_ids[customer]],
        np.array([0, rows.stop - start]),
        h.day[rows].copy(),
        h.amount[rows].copy(),
        h.items[rows].copy(),
        h.lines[rows].copy(),
    )


@settings(max_examples=150)
@given(histories(), st.sampled_from([1, 20, 10_000]))
def test_a_row_is_what_the_customers_orders_until_then_give_alone(h: Histories, block: int) -> None:
    with patch.object(features, "BLOCK", block):
        whole = features.compute(h, NAMES)
    row = 0
    for customer, count in enumerate(h.order_count.tolist()):
        for orders in range(1, count + 1):
            then = features.compute(alone(h, customer, orders), NAMES)
            assert same(then[-1], whole[row])
            row += 1
    assert row == len(whole)


def test_a_customer_is_the_same_alone_as_among_many() -> None:
    h = made_up(60_000)
    assert len(h) > 3 * features.BLOCK
    whole = features.compute(h, NAMES)
    longest = np.argsort(h.order_count)[-5:].tolist()
    for customer in [*range(0, len(h.customer_ids), 97), *longest]:
        rows = slice(*h.offsets[customer : customer + 2].tolist())
        assert same(features.compute(alone(h, customer), NAMES), whole[rows])


@given(histories(), st.integers(-25_000, 25_000))
def test_gaps_at_order_as_of_that_are_cut_again_change_nothing(h: Histories, as_of: int) -> None:
    known = h.until(as_of)
    before = features.compute(h, NAMES)[h.day <= as_of]
    assert same(features.compute(known, NAMES), before)
    later = Histories.from_orders(
        known.customer_ids,
        np.concatenate([known.customer, np.arange(len(known.customer_ids))]),
        np.concatenate([known.day, np.full(len(known.customer_ids), as_of + 1, np.int32)]),
        np.concatenate([known.amount, np.full(len(known.customer_ids), 1e6)]),
        np.concatenate([known.items, np.full(len(known.customer_ids), 99.0)]),
        np.concatenate([known.lines, np.full(len(known.customer_ids), 9.0)]),
    )
    assert same(features.compute(later.until(as_of), NAMES), before)


@given(histories(), st.randoms(use_true_random=False))
def test_the_sequence_of_rows_changes_nothing(h: Histories, random: Random) -> None:
    shuffled = list(range(len(h)))
    random.shuffle(shuffled)
    rows = np.array(shuffled, np.int64)
    again = Histories.from_orders(
        h.customer_ids, h.customer[rows], h.day[rows], h.amount[rows], h.items[rows], h.lines[rows]
    )
    assert again.digest() == h.digest()
    assert same(features.compute(again, NAMES), features.compute(h, NAMES))


@given(histories())
def test_names_and_neighbours_change_nothing(h: Histories) -> None:
    renamed = Histories(
        [name[::-1] for name in h.customer_ids], h.offsets, h.day, h.amount, h.items, h.lines
    )
    whole = features.compute(h, NAMES)
    assert same(features.compute(renamed, NAMES), whole)
    every_other = np.arange(len(h.customer_ids)) % 2 == 0
    chosen = np.repeat(every_other, h.order_count)
    assert same(features.compute(h.of(every_other), NAMES), whole[chosen])


@given(histories(), st.data(), st.sampled_from([1, 20, 10_000]))
def test_rows_that_are_asked_for_equal_rows_taken_afterwards(
    h: Histories, data: st.DataObject, block: int
) -> None:
    row = st.integers(-len(h), len(h) - 1) if len(h) else st.nothing()
    rows = np.array(data.draw(st.lists(row)), np.int64)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(h), max_size=len(h))), bool)
    whole = features.compute(h, NAMES)
    with patch.object(features, "BLOCK", block):
        assert same(features.compute(h, NAMES, rows), whole[rows])
        assert same(features.compute(h, NAMES, mask), whole[mask])
