"""Attributes of a day, against a search through all rows, and values of records and files."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.attributes import ALWAYS, Attributes, AttributeTable, Differs, category, number, text

NAMES = ("a", "b", "c", "d")
rows = st.lists(
    st.tuples(
        st.sampled_from(NAMES[:3]),
        st.sampled_from([ALWAYS, -400, 3, 4, 5, 90_000]),
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from(["north", "south", "été"]),
    ),
    unique_by=lambda row: row[:2],
)
asked = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(-500, 100_000)), min_size=1)


def table_of(rows: list[tuple[str, int, Any, Any]]) -> AttributeTable:
    columns: list[list[Any]] = [[row[i] for row in rows] for i in range(4)]
    numbers = np.array([math.nan if each is None else each for each in columns[2]], float)
    return AttributeTable.from_rows(
        columns[0], np.array(columns[1], np.int64), {"age": numbers}, {"region": columns[3]}
    )


def searched(rows: list[tuple[str, int, Any, Any]], customer: str, day: int) -> dict[str, Any]:
    """What is known of a customer at the end of a day, by looking at every row."""
    known = [row for row in rows if row[0] == customer and row[1] <= day]
    if not known:
        return {}
    _, _, age, region = max(known, key=lambda row: row[1])
    return {n: v for n, v in {"age": age, "region": region}.items() if v is not None}


@given(rows, asked)
def test_the_latest_row_that_is_not_later_holds(
    rows: list[tuple[str, int, Any, Any]], asked: list[tuple[str, int]]
) -> None:
    table = table_of(rows)
    places = table.places([customer for customer, _ in asked])
    found = table.rows(places, np.array([day for _, day in asked], np.int64))
    values = [table.values_of(row) if row >= 0 else {} for row in found]
    assert values == [searched(rows, *each) for each in asked]


@given(rows, st.randoms())
def test_the_sequence_of_the_rows_does_not_show(
    rows: list[tuple[str, int, Any, Any]], random: Any
) -> None:
    other = random.sample(rows, len(rows)) + rows[:2]  # equal rows are one
    assert table_of(rows).content() == table_of(other).content()


@given(rows.filter(bool))
def test_every_value_is_in_the_content(rows: list[tuple[str, int, Any, Any]]) -> None:
    customer, since, age, region = rows[0]
    changes = [
        rows[0],
        ("z", since, age, region),
        (customer, since, 9, region),
        (customer, since, age, "west"),
    ]
    assert len({table_of([each, *rows[1:]]).content() for each in changes}) == 4


def test_rows_of_one_day_that_differ_are_refused_with_their_places() -> None:
    same = [("a", 5, 1, "north"), ("b", 5, 1, None), ("a", 5, 1, "north")]
    assert len(table_of(same)) == 2
    for other in (("b", 5, 2, None), ("b", 5, 1, "north"), ("b", 5, None, None)):
        with pytest.raises(Differs) as error:
            table_of([*same, other])
        assert sorted(error.value.rows) == [1, 3]


def test_missing_numbers_of_one_day_are_equal() -> None:
    assert len(table_of([("a", 5, None, "north")] * 2)) == 1


def test_records_have_a_row_each_whoever_they_are_of() -> None:
    facts = Attributes.of_each({"age": [1.0, math.nan]}, {"region": [None, "north"]}, 2)
    assert facts.records(0) == [{"age": 1.0}, {"region": "north"}]
    assert facts[np.array([1])].records(10**6) == [{"region": "north"}]


@pytest.mark.parametrize("value", [True, "1,5", "1_000", "x", [1], {}, 1e13, "1e13", math.inf])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        number(value)


def test_values_are_missing_or_read_as_text() -> None:
    assert all(map(math.isnan, map(number, (None, "", " NA ", "null"))))
    assert [number(each) for each in (" 1980 ", "-.5e1", 1e-12)] == [1980.0, -5.0, 0.0]
    assert [text(each) for each in (None, "", 7, 7.0, "7.0", "007", True)] == [
        None, None, "7", "7", "7", "007", "true",
    ]  # fmt: skip
    assert category("e\u0301te\u0301") == category(" \u00e9t\u00e9 ")
    with pytest.raises(ValueError, match="expected text"):
        text([1])
