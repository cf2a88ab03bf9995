import datetime
from collections import defaultdict
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.attributes import ALWAYS, AttributeTable
from ordergap.features.block import Block
from ordergap.histories import Histories, date_of, day_of

orders = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(-3, 3),
        st.floats(0.01, 1e6),
        st.integers(0, 9),
        st.integers(1, 9),
    )
)


def made_of(rows: list[tuple[int, int, float, int, int]], customers: int = 5) -> Histories:
    columns = np.array(rows, float).reshape(-1, 5).T
    return Histories.from_orders(
        [str(i) for i in range(customers)],
        columns[0].astype(np.int64),
        columns[1].astype(np.int32),
        *columns[2:],
    )


@given(orders)
def test_orders_of_a_customers_day_become_one_and_stand_in_order(
    rows: list[tuple[int, int, float, int, int]],
) -> None:
    expected: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0, 0, 0])
    for customer, day, *values in rows:
        expected[customer, day] = [
            a + b for a, b in zip(expected[customer, day], values, strict=True)
        ]
    h = made_of(rows)
    keys = list(zip(h.customer.tolist(), h.day.tolist(), strict=True))
    assert keys == sorted(expected)
    sums = np.array([expected[key] for key in keys]).reshape(-1, 3)
    np.testing.assert_allclose(np.stack([h.amount, h.items, h.lines], axis=1), sums)
    assert h.offsets.tolist() == [sum(key[0] < i for key in keys) for i in range(6)]
    assert len(h) == len(keys) == h.order_count.sum()


@given(orders, st.randoms(use_true_random=False))
def test_the_sequence_of_rows_does_not_matter_to_the_last_bit(
    rows: list[tuple[int, int, float, int, int]], random: Random
) -> None:
    digest = made_of(rows).digest()
    random.shuffle(rows)
    assert made_of(rows).digest() == digest


@given(orders, st.integers(-4, 4))
def test_until_keeps_the_orders_to_that_day_and_the_customers_who_have_any(
    rows: list[tuple[int, int, float, int, int]], as_of: int
) -> None:
    h = made_of(rows).until(as_of)
    assert (h.order_count > 0).all()
    assert h.digest() == made_of([row for row in rows if row[1] <= as_of]).until(99).digest()


def test_of_keeps_the_customers_marked_true() -> None:
    h = made_of([(0, 1, 5, 1, 1), (0, 2, 6, 1, 1), (2, 1, 7, 1, 1), (3, 1, 8, 1, 1)])
    some = h.of(np.array([True, True, False, True, False]))
    assert some.customer_ids == ["0", "3"]
    assert some.offsets.tolist() == [0, 2, 3]
    assert some.amount.tolist() == [5, 6, 8]
    assert some.last_row.tolist() == [1, 2]


def test_customers_without_orders_keep_their_place_but_have_no_last_order() -> None:
    h = made_of([(1, 0, 5, 1, 1), (3, 0, 6, 1, 1)])
    assert h.customer_ids == ["0", "1", "2", "3", "4"]
    assert h.order_count.tolist() == [0, 1, 0, 1, 0]
    with pytest.raises(ValueError, match="without orders"):
        _ = h.last_row


def test_items_and_lines_that_nobody_gave_are_unknown() -> None:
    h = Histories.from_orders(["a"], np.zeros(2, int), np.array([3, 1], np.int32), np.ones(2))
    assert np.isnan([h.items, h.lines]).all()


def test_a_day_with_an_order_of_unknown_items_has_unknown_items() -> None:
    h = Histories.from_orders(
        ["a"], np.zeros(2, int), np.array([1, 1], np.int32), np.ones(2), np.array([3, np.nan])
    )
    assert h.amount.tolist() == [2]
    assert np.isnan(h.items).all()


def test_a_sum_with_an_unknown_amount_is_unknown() -> None:
    owner, day = np.array([0, 0, 1, 1, 2]), np.array([1, 1, 1, 2, 3], np.int32)
    h = Histories.from_orders(["a", "b", "c"], owner, day, np.array([3, np.nan, np.nan, 4, 5]))
    np.testing.assert_array_equal(h.amount, [np.nan, np.nan, 4, 5])
    np.testing.assert_array_equal(h.revenue, [np.nan, np.nan, 5])


@given(orders, st.randoms(use_true_random=False))
def test_unknown_amounts_have_one_digest_in_any_sequence_and_when_joined(
    rows: list[tuple[int, int, float, int, int]], random: Random
) -> None:
    rows = [(c, day, np.nan if spent > 1e3 else spent, i, n) for c, day, spent, i, n in rows]
    whole = made_of(rows)
    random.shuffle(rows)
    assert made_of(rows).digest() == whole.digest()
    present = whole.keep(np.ones(len(whole), bool))
    halves = [present.of(np.arange(len(present.customer_ids)) % 2 == k) for k in (0, 1)]
    assert Histories.concat(halves).digest() == present.digest()


def test_the_arrays_given_are_not_shared() -> None:
    amount = np.ones(1)
    h = Histories.from_orders(["a"], np.zeros(1, int), np.zeros(1, np.int32), amount)
    amount[0] = 9
    assert h.amount.tolist() == [1]


@given(st.dates())
def test_days_and_dates_are_each_others_inverse(date: datetime.date) -> None:
    assert date_of(day_of(date)) == date
    assert day_of(date) == (date - datetime.date(1970, 1, 1)).days


def test_any_change_changes_the_digest() -> None:
    def digest(ids: tuple[str, str] = ("a", "b"), day: int = 1, amount: float = 1.0) -> str:
        owner = np.array([0, 1])
        days, amounts = np.array([0, day], np.int32), np.array([1.0, amount])
        return Histories.from_orders(ids, owner, days, amounts).digest()

    digests = [
        digest(),
        digest(ids=("a", "c")),
        digest(ids=("a\x1fb", "c")),
        digest(ids=("a", "b\x1fc")),
        digest(ids=("a", "\ud800")),
        digest(day=2),
        digest(amount=2.0),
    ]
    assert len(set(digests)) == len(digests)
    assert digest() == digests[0]


def with_regions(days: list[list[int]], regions: list[int]) -> Histories:
    owner = np.repeat(np.arange(len(days)), [len(each) for each in days])
    day = np.concatenate([np.array(each) for each in days]).astype(np.int32)
    names = [f"c{i}" for i in range(len(days))]
    table = AttributeTable.from_rows(
        names, np.full(len(names), ALWAYS), {"region": np.array(regions, float)}, {}
    )
    return Histories.from_orders(names, owner, day, np.ones(len(day))).with_attributes(table)


def regions(histories: Histories) -> list[float]:
    found: list[float] = Block(histories, 0, len(histories.customer_ids)).number("region").tolist()
    return found


def test_an_attribute_stays_with_its_customer() -> None:
    histories = with_regions([[1, 5], [2], [3, 4, 9]], [7, 8, 9])
    assert regions(histories.until(2)) == [7, 8]
    assert [regions(b) for b in histories.batches(2)] == [[7, 7, 8], [9, 9, 9]]
    assert regions(histories.pick(np.array([2, 0]))) == [9, 9, 9, 7, 7]
    assert Block(histories, 1, 3).number("region").tolist() == [8, 9, 9, 9]
    assert np.isnan(Block(histories, 1, 3).number("age")).all()


def test_histories_are_joined_with_the_table_of_the_first_that_has_one() -> None:
    past, later = with_regions([[1], [2]], [7, 8]), with_regions([[5], [6], [7]], [7, 80, 9])
    plain = replace(later, attributes=None)
    whole = Histories.concat([plain, past])
    assert whole.customer_ids == ["c0", "c1", "c2"]
    assert whole.day.tolist() == [1, 5, 2, 6, 7]
    assert str(regions(whole)) == "[7.0, 7.0, 8.0, 8.0, nan]"
    assert Histories.concat([plain, plain]).attributes is None


def test_an_attribute_is_part_of_the_digest_and_none_is_what_it_was() -> None:
    one, other = with_regions([[1]], [7]), with_regions([[1]], [8])
    assert one.digest() != other.digest()
    plain = Histories.from_orders(["c0"], np.zeros(1, np.int64), one.day, one.amount)
    assert plain.digest() not in {one.digest(), other.digest()}
