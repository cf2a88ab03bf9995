import polars as pl
import pytest
from ordergap.errors import DataError
from ordergap.ingest import cells

MORNING = "2010-12-01T08:26"
MIDNIGHT = "2010-12-01T00:00"


def read(*texts: str, date_format: str | None = None) -> list[str | None]:
    """Moments to the minute."""
    moments = cells.dates(pl.Series(texts), date_format).moments
    return moments.dt.to_string("%Y-%m-%dT%H:%M").to_list()


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
        ("2010-12-01", MIDNIGHT),
        ("2010-12-1", MIDNIGHT),
        ("20101201", MIDNIGHT),
        ("20101201.0", MIDNIGHT),
        ("12/1/2010 8:26", MORNING),
        ("12/01/2010 08:26:00", MORNING),
        ("12/1/2010 8:26 AM", MORNING),
        ("12/1/2010 8:26:00 am", MORNING),
        ("12/1/2010", MIDNIGHT),
    ],
)
def test_a_date_is_read_in_every_common_form(text, moment):
    assert read(text) == [moment]


@pytest.mark.parametrize("offset", ["Z", "+00:00", "+0530", "-08", " +02:00"])
def test_the_day_is_the_one_that_is_written_whatever_the_offset(offset):
    assert read(f"2010-12-31T23:30:00{offset}") == ["2010-12-31T23:30"]


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2010-02-30", "2010-13-01", "9999-12-31", "0001-01-01", "1899-12-31", "12/1/10",
     "2/30/2010", "13/13/2010", "2010", "201012", "2010120", "17:00", "2010-12-01 25:00"],
)  # fmt: skip
def test_what_is_no_date_is_not_made_one(text):
    assert read(text) == [None]


def test_days_come_first_where_only_that_can_be_meant_and_the_user_is_told():
    column = cells.dates(pl.Series(["1/2/2010", "13/1/2010 8:26"]))
    assert read("1/2/2010", "13/1/2010 8:26") == [
        "2010-02-01T00:00",
        "2010-01-13T08:26",
    ]
    assert column.date_format == "%d/%m/%Y"
    assert "13/1/2010 8:26" in column.notes[0]


def test_the_format_that_was_found_reads_a_smaller_file_alike():
    date_format = cells.dates(pl.Series(["13/1/2010"])).date_format
    assert read("1/2/2010 8:26", "2010-02-01", date_format=date_format) == [
        "2010-02-01T08:26",
        "2010-02-01T00:00",
    ]


def test_months_come_first_where_both_could_be_meant_and_the_user_is_told():
    column = cells.dates(pl.Series(["1/2/2010"]))
    assert read("1/2/2010") == ["2010-01-02T00:00"]
    assert column.date_format is None
    assert "month/day" in column.notes[0]


def test_nothing_is_said_where_only_month_first_can_be_meant():
    assert cells.dates(pl.Series(["1/13/2010", "1/2/2010", "x/y"])).notes == ()


def test_dates_that_can_only_be_meant_both_ways_are_refused_until_the_format_is_given():
    with pytest.raises(DataError, match=r'"1/13/2010".*"13/1/2010".*date_format'):
        read("13/1/2010", "1/13/2010")
    assert read("13/1/2010", "1/13/2010", date_format="%m/%d/%Y") == [
        None,
        "2010-01-13T00:00",
    ]


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
    ],
)
def test_a_date_format_is_strptimes_and_iso_8601_is_always_understood(text, date_format):
    assert read(text, date_format=date_format) == [MORNING]


def test_with_a_date_format_other_forms_are_not_guessed():
    assert read("12/1/2010", "20101201", date_format="%d.%m.%Y") == [None, None]


@pytest.mark.parametrize(
    ("text", "number"),
    [("6", 6), (" 6 ", 6), ("-6.50", -6.5), ("+6", 6), ("6e2", 600), (".5", 0.5), ("2,55", 2.55),
     ("0,1234", 0.1234), ("1e-12", 0)],
)  # fmt: skip
def test_a_number_is_read_with_blanks_around_and_either_decimal_mark(text, number):
    assert cells.numbers(pl.Series([text]))[0] == number


@pytest.mark.parametrize(
    "text",
    ["", "six", "inf", "-inf", "nan", "1e400", "1e13", "1,234", "1.234,5", "£6", "0x1F", "6 7"],
)
def test_what_is_no_sane_number_is_not_made_one(text):
    assert cells.numbers(pl.Series([text])).to_list() == [None]


@pytest.mark.parametrize(
    ("text", "identifier"),
    [("17850", "17850"), ("17850.0", "17850"), (" 17850.00 ", "17850"), ("0017", "0017"),
     ("a.0", "a.0"), ("Zoë", "Zoë"), ("", None), ("  ", None), ("nan", None), ("NULL", None),
     ("None", None), ("<NA>", None)],
)  # fmt: skip
def test_an_identifier_is_text_without_blanks_and_a_floats_point_zero(text, identifier):
    assert cells.identifiers(pl.Series([text])).to_list() == [identifier]


def test_identifiers_are_ranked_in_the_order_of_their_text():
    ids, places = cells.ranks(pl.Series(["9", "é", None, "10", "9", "a"]))
    assert ids == sorted(ids) == ["10", "9", "a", "é"]
    assert places.to_list() == [1, 3, None, 0, 1, 2]
