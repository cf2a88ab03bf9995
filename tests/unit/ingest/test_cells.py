import polars as pl
import pytest
from ordergap.errors import DataError
from ordergap.ingest import cells


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


@pytest.mark.parametrize(
    "text",
    ["NA", "N/A", "n/a", "#N/A", "NULL", "(null)", "\\N", "nan", "none", "-", "0", "0.0", "Guest",
     "unknown", "blank", "", " ", "Walk-in"],
)  # fmt: skip
def test_words_that_mean_nobody_are_no_customer(text):
    assert cells.customers(pl.Series([text]), ["walk-in"]).to_list() == [None]


def test_an_e_mail_address_is_one_customer_in_any_case_and_other_ids_are_not():
    ids = pl.Series(["Ana@Example.COM", "ana@example.com", "A1", "a1"])
    assert cells.customers(ids).to_list() == ["ana@example.com", "ana@example.com", "A1", "a1"]


def test_a_number_that_lost_digits_is_refused_and_one_that_did_not_is_written_out():
    with pytest.raises(DataError, match=r'"1.23457E\+11" is a number that lost its last digits'):
        cells.customers(pl.Series(["17850", "1.23457E+11"]))
    for lost in ("1e+05", "1.23457E11", "9150123456789074.0"):
        with pytest.raises(DataError, match="several customers would become one"):
            cells.customers(pl.Series([lost]))
    assert cells.customers(pl.Series(["1.7850e+4", "12e45678", "5e10"])).to_list() == [
        "17850", "12e45678", "5e10",
    ]  # fmt: skip


def test_digits_among_other_ids_keep_their_places():
    texts = pl.Series(
        ["17850", "", " Ana@x.de", "0", "99999", "17850.0", "0017", "1.2345E+4", None]
    )
    assert cells.customers(texts, [" 99999 "]).to_list() == [
        "17850", None, "ana@x.de", None, None, "17850", "0017", "12345", None
    ]  # fmt: skip
    assert texts[2] == " Ana@x.de"  # as it was
