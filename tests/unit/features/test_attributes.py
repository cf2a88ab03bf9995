"""A category's columns, which values have one, and how the others are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap import features
from ordergap.attributes import ALWAYS, AttributeTable
from ordergap.features.attributes import LONGEST_VALUE, MOST_VALUES, parts
from ordergap.features.words import said, words_of
from ordergap.histories import Histories


def shop(regions: list[str | None], ages: list[float] | None = None) -> Histories:
    """A customer of one order for each region."""
    names, count = [f"c{i:03}" for i in range(len(regions))], len(regions)
    orders = Histories.from_orders(
        names, np.arange(count), np.full(count, 9, np.int32), np.ones(count)
    )
    numbers = {} if ages is None else {"age": np.array(ages)}
    texts = {"region": regions}
    return orders.with_attributes(
        AttributeTable.from_rows(names, np.full(count, ALWAYS), numbers, texts)
    )


@given(st.lists(st.none() | st.sampled_from(["a", "b", "a=b", "attribute:a"]), min_size=1))
def test_a_category_is_one_of_its_columns(regions: list[str | None]) -> None:
    histories = shop(regions)
    names = features.attribute_names(histories)
    assert {parts(name)[1] for name in names} == {*regions} - {None}
    matrix = features.compute(histories, names)
    for region, row in zip(regions, matrix, strict=True):
        if region is None:
            assert np.isnan(row).all()
        else:
            assert dict(zip(names, row.tolist(), strict=True)) == {
                name: float(parts(name)[1] == region) for name in names
            }


def test_the_most_frequent_have_columns_and_the_others_are_counted() -> None:
    many = [f"r{i:02}" for i in range(MOST_VALUES + 2)]
    long = "x" * (LONGEST_VALUE + 1)
    histories = shop([*many, *many[1:], long, long, long])
    names = features.attribute_names(histories)
    assert len(names) == MOST_VALUES
    assert f"attribute:region={many[0]}" not in names
    (said_of_others,) = features.others(histories, names)
    assert "region of 6 has no column" in said_of_others  # the first, the last twice, the long ones
    rare = features.compute(histories, names)[[0, -1]]
    assert not rare.any()


def test_what_the_model_has_not_seen_is_other_and_said() -> None:
    names = features.attribute_names(shop(["north", "south"], [1.0, 2.0]))
    assert names == ("attribute:age", "attribute:region=north", "attribute:region=south")
    later = shop(["south", "west", None], [3.0, np.nan, 5.0])
    expected = [[3, 0, 1], [np.nan, 0, 0], [5, np.nan, np.nan]]
    assert np.array_equal(features.compute(later, names), np.array(expected), equal_nan=True)
    (sentence,) = features.others(later, names)
    assert 'region of 1 has no column, such as "west"' in sentence


def test_without_attributes_all_are_missing() -> None:
    plain = Histories.from_orders(["a"], np.zeros(1, np.int64), np.zeros(1, np.int32), np.ones(1))
    assert features.attribute_names(plain) == ()
    names = ("attribute:age", "attribute:region=north")
    assert np.isnan(features.compute(plain, names)).all()
    unknown = shop(["north"])
    assert np.isnan(features.compute(unknown, ("attribute:age", "attribute:town=x"))).all()


@pytest.mark.parametrize(
    ("feature", "value", "words"),
    [
        ("attribute:age", 41.0, "age 41"),
        ("attribute:age", np.nan, "age not known"),
        ("attribute:region=north", 1.0, "region is north"),
        ("attribute:region=north", 0.0, "region is not north"),
    ],
)
def test_reasons_say_what_an_attribute_is(feature: str, value: float, words: str) -> None:
    assert said(feature, value) == words
    assert words_of(feature).group == feature.partition("=")[0]
