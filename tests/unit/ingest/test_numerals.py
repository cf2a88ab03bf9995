import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.ingest import numerals


def read(text: str, decimal="point") -> float | None:
    value: float | None = numerals.read(pl.Series([text]), decimal)[0]
    return value


@pytest.mark.parametrize(
    ("text", "number"),
    [("6", 6), (" 6 ", 6), ("-6.50", -6.5), ("+6", 6), ("6e2", 600), ("1.5E+03", 1500), (".5", 0.5),
     ("5.", 5), ("1e-12", 0), ("1.000", 1), ("1,000", 1000), ("1,234.50", 1234.5),
     ("1,23,456.5", 123456.5), ("1'234.50", 1234.5), ("1\u2019234.50", 1234.5), ("1 234.5", 1234.5),
     ("1\u00a0234.5", 1234.5), ("1\u202f234", 1234), ("$3.56", 3.56), ("-$3.56", -3.56),
     ("$-3.56", -3.56), ("US$ 3.56", 3.56), ("3.56 USD", 3.56), ("£1,000", 1000), ("CHF 12.-", 12),
     ("Rs. 1,23,456", 123456), ("5-", -5), ("5.25 -", -5.25), ("\u22125", -5), ("\u20135", -5),
     ("(5.25)", -5.25), ("($5)", -5), ("$(5)", -5)],
)  # fmt: skip
def test_a_number_is_read_in_every_common_form(text, number):
    assert read(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("2,55", 2.55), ("0,1234", 0.1234), ("1.234,50", 1234.5), ("1.000", 1000), ("0,350", 0.35),
     ("1.234.567", 1234567), ("1 234,50 €", 1234.5), ("EUR 12,50", 12.5), ("12,50 kr.", 12.5),
     ("12,--", 12), ("1'234,5", 1234.5), ("R$ 10,00", 10), ("(2,5)", -2.5), ("2,5-", -2.5),
     ("1,5E+03", 1500)],
)  # fmt: skip
def test_a_number_with_a_decimal_comma(text, number):
    assert read(text, "comma") == number


@pytest.mark.parametrize("decimal", ["point", "comma"])
@pytest.mark.parametrize(
    "text",
    ["", "six", "inf", "-inf", "nan", "1e400", "1e13", "0x1F", "6 7", "1_000", "12%", "5 pcs",
     "--5", "1-2", "(5", "5)", "$", "-", ".", ",", "1.2.3", "1,2,3", "1.234.5", "12 34", "1e", "€"],
)  # fmt: skip
def test_what_is_no_sane_number_is_not_made_one(text, decimal):
    assert read(text, decimal) is None


def test_a_number_of_the_other_mark_is_not_read():
    assert [read(text) for text in ("2,55", "1.234,50", "0,350")] == [None] * 3
    assert [read(text, "comma") for text in ("2.55", "1,234.50", "0.350")] == [None] * 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2.5", "point"), ("2,5", "comma"), ("1,234.5", "point"), ("1.234,5", "comma"),
     ("1,234,567", "point"), ("1.234.567", "comma"), ("0.350", "point"), ("1234,567", "comma"),
     ("1'234,567", "comma"), ("1.234", "either"), ("-12,000", "either"), ("$1,000", "either"),
     ("1234", None), ("1'234", None), ("12.-", None), ("x.y", None), ("", None)],
)  # fmt: skip
def test_a_cell_shows_its_decimal_mark_or_nothing(text, shown):
    decimals, _ = numerals.evidence(pl.Series([text]))
    assert decimals == ({shown: text} if shown else {})


def test_the_sign_of_a_currency_is_found_with_its_first_cell():
    _, currencies = numerals.evidence(pl.Series(["$5", "7 EUR", "$3", "12", "kr. 1"]))
    assert currencies == {"$": "$3", "EUR": "7 EUR", "KR": "kr. 1"}
    _, same = numerals.evidence(pl.Series(["€5", "7 EUR", "3 Euro", "Kr 5", "5 kr"]))
    assert same == {"EUR": "3 Euro", "KR": "5 kr"}


NUMBERS = st.integers(-(10**11), 10**11).map(lambda cents: cents / 100)
GROUPS = {"point": (",", "'", " ", "\u00a0", ""), "comma": (".", "'", " ", "\u202f", "")}


@given(NUMBERS, st.sampled_from(["point", "comma"]), st.integers(0, 4), st.sampled_from("-u()t"))
def test_what_is_written_in_a_convention_is_read_back(number, decimal, group, minus):
    digits = f"{abs(number):,.2f}"
    mark = "." if decimal == "point" else ","
    text = digits.replace(".", "\0").replace(",", GROUPS[decimal][group]).replace("\0", mark)
    if number < 0:
        signs = {"-": "-{}", "u": "\u2212{}", "(": "({})", ")": "({})", "t": "{}-"}
        text = signs[minus].format(text)
    assert read(text, decimal) == number
    decimals, _ = numerals.evidence(pl.Series([text]))
    assert decimals == {decimal: text}
