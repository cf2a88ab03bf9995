"""One answer in every form: objects within objects, odd numbers, what is unknown, nobody at all."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.models.base import Column, Snapshot, TaskForecast
from ordergap.models.forecasts import Forecasts
from ordergap.models.text import amount_text
from ordergap.scoring import encoders
from ordergap.scoring.answer import Answer, Placeholder
from ordergap.scoring.tables import to_frame
from typing_extensions import override

NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
AMOUNT = st.floats(1e-4, 1e12)


@dataclass(frozen=True)
class Told(TaskForecast):
    told: Mapping[str, Column]

    @override
    def columns(self) -> dict[str, Column]:
        return dict(self.told)


def forecasts(count: int, **told: Column) -> Forecasts:
    days = np.full(count, 15_000)
    names = [f"customer {i}" for i in range(count)]
    snapshot = Snapshot(names, days, days - 3, np.ones(count, np.int64), np.full(count, 5.0))
    return Forecasts(snapshot, {"value": Told(told), "large_order": Told({})}, "v", 15_000, 365)


@st.composite
def nested(draw: st.DrawFn) -> Forecasts:
    count = draw(st.integers(0, 3))

    def numbers() -> list[float | None]:
        return draw(st.lists(NUMBER, min_size=count, max_size=count))

    amounts = draw(st.lists(AMOUNT, min_size=1, max_size=3, unique=True))
    days = draw(st.lists(st.integers(1, 365), min_size=1, max_size=3, unique=True))
    large = {amount_text(each): {str(d): numbers() for d in days} for each in amounts}
    value = {str(d): numbers() for d in days}
    return forecasts(
        count, expected_value=value, expected_order_amount=numbers(), large_order_probability=large
    )


def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The names down to each number, joined, and the number."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(f"{name}_{key}", each)
    else:
        yield name, value


@given(nested())
def test_a_row_of_csv_and_a_record_of_json_agree_to_the_last_digit(told: Forecasts) -> None:
    records = json.loads(encoders.json(Answer(told)))["predictions"]
    rows = list(csv.DictReader(io.StringIO(encoders.csv_with_header(Answer(told)).decode())))
    assert len(rows) == len(records) == len(told)
    frame = to_frame(told, "polars")
    for record, row, own in zip(records, rows, frame.to_dicts(), strict=True):
        flat = dict(each for field in record.items() for each in leaves(*field))
        assert list(flat) == list(row) == list(own)
        for name, value in flat.items():
            if isinstance(value, float):
                assert float(row[name]) == value == own[name]
                assert math.copysign(1, float(row[name])) == math.copysign(1, value)
            elif value is None:
                assert (row[name], own[name]) == ("", None)


@given(AMOUNT)
def test_the_name_of_an_amount_is_that_amount_in_plain_digits(amount: float) -> None:
    name = amount_text(amount)
    assert float(name) == amount
    assert not set(name) - set("0123456789.")
    assert len(name) < 30


def test_a_placeholder_is_null_at_the_end_of_every_name() -> None:
    large = {"60": {"7": [0.5], "30": [0.75]}}
    told = forecasts(1, expected_value={"7": [3.5]}, large_order_probability=large)
    good, bad = Answer(told, {1: Placeholder("bad", "no orders")}).records()
    assert list(bad) == list(good)
    assert bad["large_order_probability"] == {"60": {"7": None, "30": None}}
    assert bad["expected_value"] == {"7": None}
    assert (bad["customer_id"], bad["error"], good["error"]) == ("bad", "no orders", None)
    answer = Answer(told, {0: Placeholder("bad", "no orders")})
    rows = list(csv.reader(io.StringIO(encoders.csv_with_header(answer).decode())))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert rows[0][-4:] == ["model_age_days", "stale", "model_version", "error"]


@pytest.mark.parametrize("count", [0, 2])
def test_columns_of_a_frame_are_numbers_though_all_are_unknown(count: int) -> None:
    unknown: list[None] = [None] * count
    told = forecasts(
        count,
        expected_value={"7": unknown},
        expected_order_amount=unknown,
        large_order_probability={"60.5": {"7": unknown}},
    )
    schema = to_frame(told, "polars").schema
    names = ("expected_value_7", "expected_order_amount", "large_order_probability_60.5_7")
    assert {schema[name] for name in names} == {pl.Float64}
