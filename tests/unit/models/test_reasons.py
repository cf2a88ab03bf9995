"""Reasons: contributions, summed by what features are about, in words."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.prediction import Reason
from ordergap.features.table import CALENDAR, TABULAR
from ordergap.features.words import DAYS_WAITED, WORDS, said
from ordergap.models.reasons import reasons

NAN = float("nan")
NAMES = ("order_count", "gap_last", "gap_median", "RollingAvgGap", "orders_90d", "amount")
ANA = np.array([[4, 12, 13.5, 20.25, 3, 96.5]], np.float32)
WAITED = np.array([9])


def test_the_strongest_reasons_come_first_each_about_one_thing() -> None:
    contributions = np.array([[0.05, 0.2, -0.3, 0.25, -0.4, 0.0, 0.1]])
    assert reasons(NAMES, ANA, WAITED, contributions, 3) == [[
        {"feature": "orders_90d", "value": 3,
         "text": "3 orders in the 90 days up to the last order", "weight": -0.4},
        # of the gaps, whose sum is above 0, the one that contributes most to it
        {"feature": "RollingAvgGap", "value": 20.25,
         "text": "20.2 days between orders on average", "weight": 0.15},
        {"feature": DAYS_WAITED, "value": 9,
         "text": "9 days since the last order; 20.2 days between orders on average", "weight": 0.1},
    ]]  # fmt: skip


def test_what_has_no_weight_is_no_reason() -> None:
    contributions = np.array([[0.0, 0.0, 0.0, 0.0, 0.00001, 0.5, 0.0]])
    ((only,),) = reasons(NAMES, ANA, WAITED, contributions, 10)
    assert (only["feature"], only["text"]) == ("amount", "a last order of 96.50")


def test_what_is_unknown_is_said_in_words() -> None:
    first = np.array([[1, NAN, NAN, NAN, 1, 96.5]], np.float32)
    contributions = np.array([[0.0, -0.4, 0.0, 0.0, 0.0, 0.0, 0.2]])
    ((gaps, waiting),) = reasons(NAMES, first, WAITED, contributions, 2)
    assert gaps == {
        "feature": "gap_last", "value": None,
        "text": "only one order so far, so no gap yet", "weight": -0.4,
    }  # fmt: skip
    assert waiting["text"] == "9 days since the last order"


@given(
    st.lists(st.floats(-3, 3, width=32), min_size=7, max_size=7),
    st.lists(st.floats(width=32, allow_infinity=False), min_size=6, max_size=6),
    st.integers(1, 10),
)
def test_reasons_of_any_customer_are_as_the_contract_says(
    contributions: list[float], values: list[float], most: int
) -> None:
    matrix = np.array([values], np.float32)
    (found,) = reasons(NAMES, matrix, WAITED, np.array([contributions]), most)
    assert len(found) <= most
    for reason in found:
        assert list(reason) == list(Reason.model_fields)
        assert json.loads(json.dumps(reason, allow_nan=False)) == Reason(**reason).model_dump()
    weights = [abs(Reason(**reason).weight) for reason in found]
    assert weights == sorted(weights, reverse=True)
    if most == 10:  # all of them
        total = math.fsum(Reason(**reason).weight for reason in found)
        assert total == pytest.approx(math.fsum(contributions), abs=1e-3)


@pytest.mark.parametrize("feature", [*TABULAR, *CALENDAR, DAYS_WAITED])
def test_every_feature_of_trees_has_words_for_every_value(feature: str) -> None:
    texts = {said(feature, value) for value in (0.0, 1.0, 2.5, 40.0, -1.0, 3e38, NAN)}
    assert all(text and len(text) < 80 for text in texts)
    assert len(texts) > 1


def test_there_are_words_for_features_alone() -> None:
    assert {*WORDS} == {*TABULAR, *CALENDAR, DAYS_WAITED}
