"""A date is written in one way, wherever one is asked for; what else is sent gets a hint."""

import argparse
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.cli import options
from ordergap.contract.dates import date_from
from ordergap.errors import InvalidRequest
from ordergap.scoring.options import given as python_options
from werkzeug.test import TestResponse

from lambdas.extract_orders.request import Request
from lambdas.shared.errors import BadEvent
from lambdas.shared.events import parse

Ask = Callable[..., TestResponse]

ODD: list[tuple[Any, str]] = [
    ("2011-12-01T08:05:00", "write the day alone: 2011-12-01"),
    ("2011-12-01T00:00:00Z", "write the day alone: 2011-12-01"),
    ("2011-12-01 08:05:00.123+05:30", "write the day alone: 2011-12-01"),
    ("20111201", "write it as 2011-12-01"),
    (" 2011-12-01", "write it as 2011-12-01"),
    (20111201, "write it as 2011-12-01"),
    (1641888300, "seconds since 1970; write the day, such as 2022-01-11"),
    ("1641888300", "seconds since 1970; write the day, such as 2022-01-11"),
    (1641888300.0, "seconds since 1970; write the day, such as 2022-01-11"),
    ("1641859200", "seconds since 1970; write the day, such as 2022-01-11"),  # midnight
    ("1641888300000", "milliseconds since 1970; write the day, such as 2022-01-11"),
    (44572, "days as Excel counts them; write the day, such as 2022-01-11"),
    ("44572.336", "days as Excel counts them; write the day, such as 2022-01-11"),
    ("86400", "days as Excel counts them"),
    ("0", "write a day as 2011-12-09"),
    ("2011-02-30", "write a day as 2011-12-09"),
    ("2011-12-1", "write a day as 2011-12-09"),
    ("2011-W48-4", "write a day as 2011-12-09"),
    ("１２-12-01", "write a day as 2011-12-09"),
    ("1/12/2011", "write a day as 2011-12-09"),
    ("nan", "write a day as 2011-12-09"),
    ("9" * 500, "write a day as 2011-12-09"),
    (True, "write a day as 2011-12-09"),
    ([2011, 12, 1], "write a day as 2011-12-09"),
]


def hint_of(response: TestResponse, field: str) -> str:
    error = response.get_json()["error"]
    assert (response.status_code, error["field"]) == (400, field)
    hint: str = error["hint"]
    return hint


@pytest.mark.parametrize(("value", "hint"), ODD)
def test_what_is_no_date_is_refused_with_the_same_hint_everywhere(
    ask: Ask, bundle: Bundle, value: Any, hint: str
) -> None:
    order = {"date": "2011-12-01", "amount": 5}
    record = {"customer_id": "ana", "orders": [order]}
    odd_order = record | {"orders": [order, order | {"date": value}]}
    assert hint in hint_of(ask([odd_order]), "orders[1].date")
    assert hint in hint_of(ask([record | {"as_of": value}]), "as_of")
    assert hint in hint_of(ask({"instances": [record], "as_of": value}), "as_of")
    with pytest.raises(InvalidRequest) as refused:
        python_options(value, None, None, None, None, None)
    assert hint in str(refused.value)
    with pytest.raises(BadEvent) as bad:
        parse(Request, {"run_id": "night", "as_of": value})
    assert hint in str(bad.value)
    if isinstance(value, list):
        return
    text = str(value)
    form = f'application/json; as_of="{text}"'
    assert hint in hint_of(ask([record], form), "as_of")
    row = [text if name == "last_order_date" else "1" for name in bundle.manifest.csv_columns]
    assert hint in hint_of(ask(",".join(row), "text/csv"), "last_order_date")
    with pytest.raises(argparse.ArgumentTypeError) as wrong:
        options.date(text)
    assert hint in str(wrong.value)


@given(st.dates())
def test_every_day_is_read_as_it_is_written(day: datetime.date) -> None:
    assert date_from(str(day)) == date_from(day) == options.date(str(day)) == day


@given(st.text("0123456789-T:. Z", max_size=24) | st.floats() | st.integers())
def test_nothing_else_is_a_date_and_a_hint_can_be_followed(value: object) -> None:
    try:
        assert str(date_from(value)) == value
    except ValueError as error:
        written = str(error).split()[-1]
        assert str(date_from(written)) == written


@given(st.dates(datetime.date(1974, 1, 1), datetime.date(2150, 1, 1)), st.integers(0, 86_399))
def test_a_number_is_hinted_at_by_its_own_day(day: datetime.date, second: int) -> None:
    seconds = (day - datetime.date(1970, 1, 1)).days * 86_400 + second
    days = (day - datetime.date(1899, 12, 30)).days
    for number in (seconds, 1000 * seconds, days, f"{days}.0", float(seconds)):
        with pytest.raises(ValueError, match=f"write the day, such as {day}"):
            date_from(number)
