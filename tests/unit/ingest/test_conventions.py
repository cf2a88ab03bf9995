"""What a whole column shows: decided, refused with a cell for each reading, or known already."""

import datetime
import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError
from ordergap.ingest.conventions import Decided, Evidence, decide

TODAY = datetime.date(2026, 1, 1)
COLUMNS = Columns()


def evidence(*dates: str, quantity=(), price=(), columns=COLUMNS) -> Evidence:
    numbers = {"Quantity": pl.Series(quantity, dtype=pl.String),
               "UnitPrice": pl.Series(price, dtype=pl.String)}  # fmt: skip
    return Evidence.of(columns, pl.Series(dates, dtype=pl.String), numbers, TODAY)


def decided(*dates: str, known=None, strict=False, columns=COLUMNS, **numbers) -> Decided:
    return decide(evidence(*dates, columns=columns, **numbers), columns, known, strict=strict)


def test_what_the_cells_show_is_said_with_a_cell_of_each():
    found, notes = decided("13/1/2022", "2/1/2022", price=["1.234,50 €"], quantity=["1.000"])
    assert (found.date_order, found.decimal, found.currency) == ("day-first", "comma", "EUR")
    comma = 'numbers have a decimal comma, as UnitPrice "1.234,50 €" shows'
    assert notes == (
        'dates are read day-first, as InvoiceDate "13/1/2022" shows',
        f'{comma}; so Quantity "1.000" is one of thousands',
        'the currency is EUR, as UnitPrice "1.234,50 €" shows',
    )


def test_nothing_is_said_where_nothing_is_to_be_decided():
    assert decided("2022-01-13", "1 Jan 2022", quantity=["1", "2"]) == Decided(Conventions())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dates": ["1/2/2022"]},
         '"1/2/2022" can be read day-first or month-first.*date_format to day-first or month'),
        ({"dates": ["13/1/2022", "1/13/2022"]},
         '"13/1/2022" can only be day-first, and .*"1/13/2022" only month-first. Set date_format'),
        ({"dates": ["11-Jan-22", "2022-01-11"]}, '"11-Jan-22".*set date_format to day-first'),
        ({"dates": ["13/1/22", "1/2/22"]}, "day-first or year-first.*date_format"),
        ({"price": ["2.5"], "quantity": ["2,5"]},
         'UnitPrice "2.5" has a decimal point, and Quantity "2,5" a decimal comma. Set decimal'),
        ({"quantity": ["1.000", "3"], "price": ["5"]}, 'Quantity "1.000".*set decimal to point or'),
        ({"price": ["$5", "€6"]}, '"\\$5" and UnitPrice "€6" are in two currencies'),
    ],
)  # fmt: skip
def test_a_contradiction_or_a_tie_is_refused_with_a_cell_for_each_reading(arguments, message):
    with pytest.raises(DataError, match=message):
        decided(*arguments.pop("dates", []), **arguments)


def test_an_option_decides():
    columns = Columns(date_format="month-first", decimal="comma")
    found, notes = decided("1/2/2022", "13/1/2022", quantity=["1.000", "2.5"], columns=columns)
    assert (found.date_order, found.decimal, notes) == ("month-first", "comma", ())


def test_of_two_digit_years_an_order_that_leads_beyond_today_is_ruled_out():
    found, notes = decided("13/1/22", "27/1/22")
    assert (found.date_order, len(notes)) == ("day-first", 1)


KNOWN = Conventions(
    date_order="month-first",
    decimal="point",
    currency="$",
    examples={"date_order": "1/13/2022", "decimal": "2.5", "currency": "$2.5"},
)


def test_what_a_model_learnt_decides_for_later_data():
    assert decided("3/4/2022", quantity=["1,000"], known=KNOWN) == Decided(KNOWN)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dates": ["13/1/2022"]}, '"13/1/2022" is not month-first.*"1/13/2022".*set date_format'),
        ({"price": ["2,5"]}, '"2,5" has a decimal comma.*"2.5".*set decimal to comma'),
    ],
)
def test_a_cell_against_what_a_model_learnt_is_refused(arguments, message):
    dates = arguments.pop("dates", [])
    with pytest.raises(DataError, match=message):
        decided(*dates, known=KNOWN, **arguments)
    assert decided(*dates, known=KNOWN, strict=True, **arguments) == Decided(KNOWN)


@pytest.mark.parametrize("strict", [False, True])
def test_another_currency_than_the_models_is_refused(strict):
    with pytest.raises(DataError, match=r'"€5" is in EUR, .*learnt from are in \$'):
        decided(price=["€5"], known=KNOWN, strict=strict)


def test_dates_that_a_spreadsheet_half_converted_are_refused():
    converted = [f"2022-{day:02}-{month:02} 00:00:00" for month in (1, 2) for day in range(1, 13)]
    left = [f"{month:02}/{day}/2022" for month in (1, 2) for day in range(13, 28)]
    with pytest.raises(DataError, match=r"a day up to 12.*01/13/2022.*day and month exchanged"):
        decided(*converted, *left)
    assert decided(*converted, *left, "02/03/2022").conventions.date_order == "month-first"
    assert decided(*converted, *left, "2022-01-14").conventions.date_order == "month-first"


@pytest.mark.parametrize(
    "form", ["{}/{:02}/{:02} 0:00", "{}-{:02}-{:02} 00:00:00", "{1:02}.{2:02}.{0}", "{2}/{1}/{0}"]
)
def test_dates_of_one_form_up_to_the_12th_beside_another_forms_are_refused(form):
    converted = [form.format(2022, day, month) for month in (1, 2, 3) for day in range(1, 13)]
    left = [f"2022-{month:02}-{day}" for month in (1, 2, 3) for day in range(13, 29)]
    with pytest.raises(DataError, match=r'a day up to 12.*"2022-01-13" one beyond'):
        decided(*converted, *left)
    for dates in (
        [*converted, *left, "2022-01-12"],  # what was left has a day up to 12
        [*converted, *left[:9]],
        [*converted[:9], *left],
        [*converted[:12], *left[:16]],  # each of one month
    ):
        assert evidence(*dates).halves is None


def written(mark: str, days: range) -> list[str]:
    return [f"{day:02}{mark}{month:02}{mark}2022 8:05" for month in (1, 2) for day in days]


def test_dates_with_another_mark_show_an_order_only_where_a_program_divided_them_by_the_day():
    with pytest.raises(
        DataError, match='"1/4/2022" can be read day-first or month-first, and only'
    ):
        decided("1/4/2022", "14-01-2022")
    beyond, up_to = written("-", range(13, 28)), written("/", range(1, 13))
    assert decided(*beyond, *up_to).conventions.date_order == "day-first"
    for cells in ([*beyond, *up_to, "03-04-2022"], [*beyond[:9], *up_to], [*beyond, *up_to[:9]]):
        with pytest.raises(DataError, match=r"another mark.*set date_format to day-first or month"):
            decided(*cells)
    assert decided(*beyond, *up_to, "03-04-2022", "13/04/2022").conventions == Conventions(
        date_order="day-first", examples={"date_order": "13-01-2022 8:05"}
    )
    assert decided("4/4/2022", "14-01-2022").conventions.date_order == "day-first"
    given = Columns(date_format="month-first")
    assert decided("1/4/2022", "14-01-2022", columns=given).conventions.date_order == "month-first"


CELLS = st.lists(
    st.sampled_from(
        [
            "1-2-2022",
            "13-1-2022",
            "3.4.2022 8:05",
            "1/2/2022",
            "13/1/2022",
            "1/13/2022",
            "2/3/22",
            "27/1/22",
            "11-Jan-22",
            "5/5/22",
        ]
    )
)
NUMBERS = st.lists(st.sampled_from(["1.000", "2,5", "2.5", "$5", "7", "1,234,567"]))


@given(CELLS, NUMBERS, st.integers(1, 4))
def test_evidence_of_parts_joins_to_that_of_the_whole(cells, numbers, parts):
    whole = evidence(*cells, quantity=numbers)
    some = [evidence(*cells[i::parts], quantity=numbers[i::parts]) for i in range(parts)]
    for sequence in itertools.islice(itertools.permutations(some), 6):
        joined = Evidence.join(
            Evidence.model_validate_json(each.model_dump_json()) for each in sequence
        )
        assert joined == whole
