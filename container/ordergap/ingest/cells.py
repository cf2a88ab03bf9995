"""Identifiers of texts.

Every function takes the (k,) distinct texts of a column, so that each is read once, and returns
(k,) values, null where a text has none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NoReturn

import polars as pl

from ordergap.contract.orders import BLANK, NOBODY
from ordergap.errors import DataError

_BLANK = rf"^\s*(?i:{'|'.join(map(re.escape, BLANK))})\s*$"
_MORE = r"[^0-9]|^$"  # than digits, which are an identifier as they are
_E_MAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
# 5e10 may be an identifier of hexadecimal digits; 1.5e10 and 5E+10 are numbers.
_SCIENTIFIC = r"^(\d)(?:[.,](\d+)[eE]\+?|[eE]\+)(\d+)$"
_FLOAT = r"^(\d{16,})\.0+$"  # of 2**53 and more it has no exact last digits


def plain(texts: pl.Series) -> pl.Series:
    """The texts without the form ``="00105"``, by which spreadsheets keep digits as text.

    >>> plain(pl.Series(['="00105"', "105", "=1.5", None])).to_list()
    ['00105', '105', '=1.5', None]
    """
    if not texts.str.contains('="', literal=True).any():
        return texts
    return texts.str.replace(r'(?s)^\s*="(.*)"\s*$', "${1}")


def identifiers(texts: pl.Series) -> pl.Series:
    """The texts in Unicode's composed form, without surrounding blanks and ``.0``.

    >>> identifiers(pl.Series([" 17850.0", "85123A", "nan", " "])).to_list()
    ['17850', '85123A', None, None]
    """
    more = texts.str.contains(_MORE)
    ids = texts.filter(more).str.strip_chars()
    if ids.str.contains(".0", literal=True).any():
        ids = ids.str.replace(r"^(\d+)\.0+$", "${1}")
    if (ids.str.len_bytes() != ids.str.len_chars()).any():
        ids = ids.str.normalize("NFC")
    return texts.clone().scatter(more.arg_true(), ids.set(is_blank(ids), None))


def is_blank(texts: pl.Series) -> pl.Series:
    """Whether each text is empty, or what programs write where there is no value.

    >>> is_blank(pl.Series([" ", "NaN", "0"])).to_list()
    [True, True, False]
    """
    return texts.str.contains(_BLANK)


def numbered(texts: pl.Series) -> pl.Series:
    """A number for each identifier, equal where identifiers are; null where there is none.

    >>> numbered(pl.Series(["b", "b.0", " b", "nan"])).to_list()
    [0, 1, 0, None]
    """
    ids = identifiers(texts)
    if (ids == texts).all():  # which are distinct already, but for the blank ones
        return pl.int_range(len(ids), dtype=pl.UInt32, eager=True).set(ids.is_null(), None)
    return ids.cast(pl.Categorical(pl.Categories.random())).to_physical()


def customers(texts: pl.Series, no_customer_words: Iterable[str] = ()) -> pl.Series:
    """The customers' identifiers; null also for words that stand for nobody.

    An e-mail address is one customer in any case. Raises DataError for numbers in scientific
    notation that lost digits, because several customers would become one.

    >>> customers(pl.Series(["NA", "Ana@Example.com", "1.2345E+4", "guest"])).to_list()
    [None, 'ana@example.com', '12345', None]
    """
    nobody = {*NOBODY, *(word.strip().lower() for word in no_customer_words)}
    more = texts.str.contains(_MORE) | texts.is_in(nobody)
    return texts.clone().scatter(more.arg_true(), _customers(texts.filter(more), nobody))


def _customers(texts: pl.Series, nobody: Collection[str]) -> pl.Series:
    """As `customers`, of texts that may be anything; `nobody` has all the words."""
    ids = identifiers(texts)
    floats = texts.str.strip_chars().str.extract(_FLOAT, 1)
    lost = floats.filter(floats.cast(pl.UInt64, strict=False).fill_null(2**63) >= 2**53)
    if lost.drop_nulls().len():
        _raise_for_lost(lost.drop_nulls().min())
    lower = ids.str.to_lowercase()
    ids = ids.set(lower.is_in(nobody), None)
    e_mail = ids.str.contains(_E_MAIL).fill_null(value=False)
    if e_mail.any():
        ids = ids.zip_with(~e_mail, lower)
    if ids.str.contains(_SCIENTIFIC).any():
        ids = pl.Series(ids.name, [_expand(each) for each in ids], pl.String)
    return ids


def customer(text: str, no_customer_words: Iterable[str] = ()) -> str | None:
    """One customer's identifier, as `customers` has it."""
    return customers_of([text], no_customer_words)[0]


def customers_of(texts: Sequence[str], no_customer_words: Iterable[str] = ()) -> list[str | None]:
    """As `customers`, of texts that are no series."""
    return customers(plain(pl.Series(texts, dtype=pl.String)), no_customer_words).to_list()


def _expand(identifier: str | None) -> str | None:
    """A number in scientific notation in full. DataError where digits are lost."""
    parts = pl.Series([identifier], dtype=pl.String).str.extract_groups(_SCIENTIFIC).item()
    if parts is None or parts["1"] is None:  # null, or in no such notation
        return identifier
    digits = parts["1"] + (parts["2"] or "")
    lost = int(parts["3"]) + 1 - len(digits)
    if lost > 0:
        _raise_for_lost(identifier)
    return digits if not lost else identifier  # 1.25E+1 is no identifier that was whole


def _raise_for_lost(identifier: object) -> NoReturn:
    raise DataError(
        f'the customer "{identifier}" is a number that lost its last digits when it was saved: '
        "several customers would become one. Export again with the column as text"
    )


def ranks(ids: pl.Series) -> tuple[list[str], pl.Series]:
    """The distinct ids in text order, and the place of each id in it.

    >>> names, places = ranks(pl.Series(["b", None, "a", "b"]))
    >>> names, places.to_list()
    (['a', 'b'], [1, None, 0, 1])
    """
    places = ids.rank("dense").cast(pl.Int32) - 1
    return ids.drop_nulls().sort().unique(maintain_order=True).to_list(), places
