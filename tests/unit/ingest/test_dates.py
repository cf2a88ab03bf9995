import datetime

import polars as pl
import pytest
from ordergap.ingest import dates
from ordergap.ingest.date_parts import ORDERS

MORNING = "2010-12-01T08:26"
MIDNIGHT = "2010-12-01T00:00"
TODAY = datetime.date(2026, 1, 1)


def read(*texts: str, date_format=None, order=None, time_zone=None) -> list[str | None]:
    """Moments to the minute."""
    moments = dates.read(pl.Series(texts), date_format, order, time_zone)
    return moments.dt.to_string("%Y-%m-%dT%H:%M").to_list()


def orders(*texts: str) -> dict[str, str]:
    return dict(dates.evidence(pl.Series(texts), TODAY).orders)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2010-12-01 08:26:00", MORNING),
        ("2010-12-01T08:26:00", MORNING),
        ("2010-12-01 08:26", MORNING),
        ("2010-12-01T08:26", MORNING),
        ("2010-12-01 8:26", MORNING),
        ("2010-12-01T08:26:00.000Z", MORNING),
        ("2010-12-01 08:26:00 UTC", MORNING),
        ("2010-12-01 08:26:00.000000000", MORNING),
        (" 2010-12-01 08:26:00 ", MORNING),
        ("2010/12/01 08:26", MORNING),
        ("2010.12.01", MIDNIGHT),
        ("2010-12-01", MIDNIGHT),
        ("2010-12-1", MIDNIGHT),
        ("20101201", MIDNIGHT),
        ("20101201.0", MIDNIGHT),
        ("20101201T082600", MORNING),
        ("20101201082600", MORNING),
        ("1 Dec 2010 8.26", MORNING),
        ("01-DEC-2010", MIDNIGHT),
        ("01DEC2010", MIDNIGHT),
        ("1st December 2010", MIDNIGHT),
        ("December 1, 2010 8:26 a.m.", MORNING),
        ("Dec 1, 2010 8:26:00 AM PST", MORNING),
        ("2010-Dec-01", MIDNIGHT),
        ("Wed, 01 Dec 2010 08:26:00 +0000", MORNING),
        ("Wed Dec  1 08:26:00 2010", MORNING),
        ("Wed Dec 01 2010 08:26:00 GMT+0100 (Central European Standard Time)", MORNING),
        ("1. Dezember 2010", MIDNIGHT),
        ("1er décembre 2010", MIDNIGHT),
        ("1 de diciembre de 2010", MIDNIGHT),
        ("2010年12月1日", MIDNIGHT),
    ],
)
def test_a_date_is_read_in_every_common_form(text, moment):
    assert read(text) == [moment]
    assert orders(text) == {}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12/1/2010 8:26", MORNING),
        ("12/01/2010 08:26:00", MORNING),
        ("12/1/2010 8:26 AM", MORNING),
        ("12/1/2010, 8:26:00 am", MORNING),
        ("12-1-2010", MIDNIGHT),
        ("12.1.10", MIDNIGHT),
        ("12/1/2010 12:26 AM", "2010-12-01T00:26"),
        ("12/1/2010 12:26 pm", "2010-12-01T12:26"),
    ],
)
def test_numbers_are_read_in_the_order_that_is_given(text, moment):
    assert read(text, order="month-first") == [moment]
    swapped = "2010-01-12" + moment[10:]
    assert read(text, order="day-first") == [swapped]
    assert read(text) == [None]


@pytest.mark.parametrize("offset", ["Z", "+00:00", "+0530", "-08", " +02:00", " -0500"])
def test_the_day_is_the_one_that_is_written_whatever_the_offset(offset):
    assert read(f"2010-12-31T23:30:00{offset}") == ["2010-12-31T23:30"]
    pattern = "%Y-%m-%dT%H:%M:%S%z"
    assert read(f"2010-12-31T23:30:00{offset}", date_format=pattern) == ["2010-12-31T23:30"]


def test_with_the_shops_time_zone_moments_with_an_offset_are_converted():
    texts = ["2022-07-01T23:30:00Z", "2022-07-01 23:30 -0500", "2022-07-01 23:30"]
    assert read(*texts, time_zone="Europe/Berlin") == [
        "2022-07-02T01:30", "2022-07-02T06:30", "2022-07-01T23:30",
    ]  # fmt: skip
    pattern = "%d.%m.%Y %H:%M:%S %z"
    text = "01.07.2022 23:30:00 +0000"
    assert read(text, date_format=pattern, time_zone="Asia/Tokyo") == ["2022-07-02T08:30"]


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2010-02-30", "2010-13-01", "9999-12-31", "0001-01-01", "1899-12-31", "2010",
     "2/30/2010", "13/13/2010", "201012", "2010120", "17:00", "2010-12-01 25:00", "1. Mai",
     "12 Foo 2022", "2022-W02-2", "1/2/2022 13:00 PM", "1641888300", "1641888300000", "44572",
     "44572.3", "12/1/201", "1/12/2010/1"],
)  # fmt: skip
@pytest.mark.parametrize("order", ORDERS)
def test_what_is_no_date_is_not_made_one(text, order):
    assert read(text, order=order) == [None]


def test_cells_that_fit_only_one_order_show_it():
    assert orders("1/2/2010", "13/1/2010 8:26", "05-06-2010") == {
        "day-first": "13/1/2010 8:26", "day-first|month-first": "05-06-2010",
    }  # fmt: skip
    assert orders("1/13/10") == {"month-first": "1/13/10"}
    assert orders("99/1/13") == {"year-first": "99/1/13"}
    assert orders("1/2/99") == {"day-first|month-first": "1/2/99"}
    assert orders("13/1/22") == {"day-first|year-first": "13/1/22"}


def test_a_day_that_is_the_same_either_way_shows_nothing_and_is_read():
    assert orders("5/5/2022") == {}
    assert read("5/5/2022") == ["2022-05-05T00:00"]


def test_an_order_that_leads_beyond_today_is_told():
    assert dates.evidence(pl.Series(["27/1/22", "1/2/22"]), TODAY).later == {
        "year-first": "27/1/22"
    }


def test_a_month_with_a_name_beside_two_digits_is_told_apart():
    found = dates.evidence(pl.Series(["11-Jan-22", "12-Jan-2022"]), TODAY)
    assert (found.orders, found.named) == ({}, "11-Jan-22")
    assert dates.evidence(pl.Series(["11-Jan-99"]), TODAY).orders == {"day-first": "11-Jan-99"}
    assert read("11-Jan-22") == [None]
    assert read("11-Jan-22", order="day-first") == ["2022-01-11T00:00"]
    assert read("11-Jan-22", order="year-first") == ["2011-01-22T00:00"]


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("01.12.2010 08:26", "%d.%m.%Y %H:%M"),
        ("01.12.2010 08:26:00", "%d.%m.%Y"),
        ("1 Dec 2010 8.26", "%d %b %Y %H.%M"),
        ("12/1/10 8:26", "%m/%d/%y %H:%M"),
        ("101201082600", "%y%m%d%H%M%S"),
        ("2010-12-01 08:26:00.000000", "%Y-%m-%d %H:%M:%S.%f"),
        ("2010-12-01T08:26:00", "%d.%m.%Y"),
        ("12/1/2010 8:26", "month-first"),
        ("1.12.10 8:26", "day-first"),
        ("10-12-01 8:26", "year-first"),
        ("40513.351389", "excel"),
        ("40513,351389", "excel"),
        ("1291191960", "epoch-s"),
        ("1291191960.0", "epoch-s"),
        ("1291191960000", "epoch-ms"),
        ("2010-12-01 08:26", "excel"),
    ],
)
def test_a_date_format_is_obeyed_and_iso_8601_is_always_understood(text, date_format):
    assert read(text, date_format=date_format) == [MORNING]


def test_with_a_pattern_other_forms_are_not_guessed():
    assert read("12/1/2010", "1 Dec 2010", date_format="%d.%m.%Y") == [None, None]


def test_seconds_since_1970_are_of_the_shops_clock_where_its_zone_is_given():
    assert read("1291191960", date_format="epoch-s", time_zone="Asia/Tokyo") == ["2010-12-01T17:26"]
    assert read("1.29119E+12", date_format="epoch-ms") == [None]


def test_a_zone_with_a_name_alone_is_not_converted_but_unreadable():
    assert read("2022-01-11 22:00:00 EST") == ["2022-01-11T22:00"]
    assert read("2022-01-11 22:00:00 EST", time_zone="Europe/Berlin") == [None]
    pattern = "%Y-%m-%dT%H:%M:%SZ"
    berlin = read("2022-01-11T23:30:00Z", date_format=pattern, time_zone="Europe/Berlin")
    assert berlin == ["2022-01-12T00:30"]


@pytest.mark.parametrize("time", ["T000500", "T120000", "T140500Z", "235959"])
def test_a_time_without_colons_has_24_hours(time):
    clock = time.strip("TZ")
    assert read(f"20220111{time}") == [f"2022-01-11T{clock[:2]}:{clock[2:4]}"]


def test_a_pattern_of_years_first_is_not_mixed_with_iso_8601():
    assert read("2022-13-01", "2022-01-13", date_format="%Y-%d-%m") == ["2022-01-13T00:00", None]


def test_texts_that_are_taken_apart_once_are_read_alike_in_every_order():
    texts = pl.Series(
        ["3/4/2022", "13/4/2022", "4/13/2022", "2010-12-01 08:26:00", "9 May 22", "x"]
    )
    once = dates.Texts(texts)
    for order in (*ORDERS, None, *ORDERS):
        assert dates.read(once, order=order).equals(dates.read(texts, order=order))
        assert dates.evidence(once, TODAY) == dates.evidence(texts, TODAY)
    assert dates.read(once, "%m/%d/%Y").equals(dates.read(texts, "%m/%d/%Y"))
