"""The values or buckets of the lines of orders in requests."""

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.hashed import HashedColumns
from ordergap.contract.prediction import Order
from ordergap.errors import InvalidRequest
from ordergap.hashing import bucket
from ordergap.histories import day_of
from ordergap.serving.formats import records
from pydantic import ValidationError

TODAY = day_of(datetime.date(2011, 12, 9))
PLAIN = HashedColumns()
SIZE = HashedColumns(hashed_columns=("Size",), hash_buckets=4)

texts: st.SearchStrategy[Any] = st.sampled_from(["S", " S ", "XL", "", None])
odd: st.SearchStrategy[Any] = st.sampled_from([None, "S", 5, True, {}, [], [1], [[]], [-1], [4.0]])
values = st.dictionaries(st.sampled_from(["Size", "Hue"]), st.lists(texts, max_size=4) | odd)
keys = st.sampled_from(["Size:4", "Size:8", "Size"])
buckets = st.dictionaries(keys, st.lists(st.integers(-1, 5), max_size=4) | odd)
orders = st.fixed_dictionaries({}, optional={"values": values | odd, "buckets": buckets | odd})


def read(columns: HashedColumns, *fields: dict[str, Any]) -> list[list[int]]:
    """The counts of each of a customer's orders."""
    made = [{"date": f"2011-12-{i:02}", "amount": 5} | each for i, each in enumerate(fields, 1)]
    record = {"customer_id": "ana", "orders": made}
    histories, _ = records.read([record], TODAY, rules=records.Rules(hashed=columns))
    found: list[list[int]] = histories.buckets["Size"].tolist() if histories.buckets else []
    return found


def refusal(*fields: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read(SIZE, *fields)
    (problem,) = caught.value.problems
    return f"{problem.message}; {problem.hint}"


def by_the_contract(fields: dict[str, Any]) -> list[int]:
    """The counts of an order; ValueError where it is refused."""
    order = Order.model_validate({"date": "2011-12-01", **fields})
    if "Size" in order.values:
        found = [bucket("Size", value, 4) for value in order.values["Size"]]
    else:
        found = order.buckets.get("Size:4", [-1])
    if not set(found) <= set(range(5)):
        raise ValueError("no such bucket")
    return [found.count(each) for each in range(5)]


@settings(max_examples=300)
@given(st.lists(orders, min_size=1, max_size=3))
def test_orders_are_read_as_the_contract_reads_them(fields: list[dict[str, Any]]) -> None:
    try:
        expected = [by_the_contract(each) for each in fields]
    except (ValidationError, ValueError):
        with pytest.raises(InvalidRequest):
            read(SIZE, *fields)
    else:
        assert read(SIZE, *fields) == expected


@settings(max_examples=100)
@given(orders)
def test_a_model_without_hashed_columns_passes_over_them(fields: dict[str, Any]) -> None:
    assert read(PLAIN, fields) == []
    assert read(PLAIN, {"amount": "5"}, fields) == []  # which needs a closer look


def test_an_order_without_the_values_is_refused_with_what_to_write() -> None:
    assert refusal({"values": {"Size": ["S"]}}, {}) == (
        "record 0: orders[1].values has no Size, of which the model counts the values; "
        'write "values": {"Size": [...]}: a text for each order line, or null; '
        'or "buckets": {"Size:4": [...]}'
    )


def test_buckets_of_another_number_are_not_taken_for_the_models() -> None:
    another = refusal({"buckets": {"Size:32": [1]}})
    assert "has no Size" in another
    assert another.endswith('or "buckets": {"Size:4": [...]}')
    assert refusal({"buckets": {"Size:4": [1, 5]}}) == (
        "record 0: orders[0].buckets has 5 in Size:4; "
        "the buckets are 0 to 3, and 4 where there is no value"
    )


TWO = HashedColumns(hashed_columns=("Size", "Hue"), hash_buckets=4)


@given(st.lists(texts, max_size=3), st.lists(texts, max_size=3))
def test_an_order_has_as_many_lines_in_every_column(sizes: list[Any], hues: list[Any]) -> None:
    good = {"values": {"Size": ["S"], "Hue": [None]}}
    for lines in (
        {"values": {"Size": sizes, "Hue": hues}},
        {"values": {"Size": sizes}, "buckets": {"Hue:4": [1] * len(hues)}},
    ):
        if len(sizes) == len(hues):
            assert len(read(TWO, good, lines)) == 2
            continue
        with pytest.raises(InvalidRequest) as caught:
            read(TWO, good, lines)
        (problem,) = caught.value.problems
        assert problem.field == "orders[1].values"
        assert f"are {len(sizes)} of Size and {len(hues)} of Hue" in problem.message


def test_a_number_is_no_value() -> None:
    assert "values.Size" in refusal({"values": {"Size": [1104905]}})


def test_orders_of_one_day_are_counted_together() -> None:
    same = {"date": "2011-12-01", "values": {"Size": ["S", None]}}
    (counts,) = read(SIZE, same, same)
    assert sum(counts) == 4
    assert counts[4] == 2
