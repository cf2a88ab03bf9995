"""Numbers of texts, whose decimal mark the whole column shows.

A numeral such as ``1.234`` is read only once it is known which mark is decimal: a cell shows it
where a mark stands before other than three digits, stands beside the other mark, or is repeated.
Every function takes the (k,) distinct texts of a column.
"""

from __future__ import annotations

import polars as pl

from ordergap.contract.orders import Decimal

LARGEST = 1e12  # of a quantity, a price or an amount
SMALLEST = 1e-9  # anything nearer to zero is zero

_CODES = (
    "AED|ARS|AUD|BDT|BGN|BHD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|GEL|HKD|HUF|IDR|ILS|INR|"
    "ISK|JOD|JPY|KES|KRW|KWD|KZT|LKR|MAD|MXN|MYR|NGN|NOK|NZD|OMR|PEN|PHP|PKR|PLN|QAR|RMB|RON|RSD|"
    "RUB|SAR|SEK|SGD|THB|TND|TRY|TWD|UAH|USD|UYU|VND|XAF|XOF|ZAR"
)
_CURRENCY = (
    rf"((?:AU|CA|HK|MX|NT|NZ|US|A|C|R|S)?\p{{Sc}}|{_CODES}|"
    r"(?i:kr|kč|zł|ft|s?fr|rs|rm|rp|lei|лв|руб|tl|euros?)\.?)"
)
_SAME = {"€": "EUR", "£": "GBP", "¥": "JPY", "US$": "USD", "EURO": "EUR", "EUROS": "EUR"}
_MINUS = r"[\u2010-\u2015\u2212\uFE63\uFF0D]"
_BLANKS = r"[\u00A0\u2000-\u200B\u202F\uFEFF]"
_GROUPED = r"^[+-]?\d{1,3}(?:[ '\u2019\u02BC]\d{2,3})*[ '\u2019\u02BC]\d{3}(?:[.,]\d+)?$"
_EXPONENT = r"(?:[eE][+-]?\d+)?"
# Groups of two are those of India: 1,23,456.
_POINT = (
    rf"^[+-]?(?:(?:\d+\.?\d*|\.\d+){_EXPONENT}|[1-9]\d{{0,2}}(?:,\d{{2,3}})*,\d{{3}}(?:\.\d*)?)$"
)
_COMMA = rf"^[+-]?(?:(?:\d+,?\d*|,\d+){_EXPONENT}|[1-9]\d{{0,2}}(?:\.\d{{3}})+(?:,\d*)?)$"
_EITHER = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"


def evidence(texts: pl.Series) -> tuple[dict[str, str], dict[str, str]]:
    """What the texts show of the decimal mark and of the currency.

    Returns ``point``, ``comma`` and ``either`` -> the first text, in text order, that can only be
    read so; and sign or code of a currency -> the first text that has it.

    >>> evidence(pl.Series(["$2.50", "1,234", "6"]))
    ({'point': '$2.50', 'either': '1,234'}, {'$': '$2.50'})
    """
    texts = texts.filter(~texts.str.starts_with("="))  # numbers, whose point is a decimal one
    numerals, currencies = _numerals(texts)
    marked = numerals.str.contains(r"[.,]").fill_null(value=False)
    some, texts_marked = numerals.filter(marked), texts.filter(marked)
    either = some.str.contains(_EITHER)
    as_point, as_comma = some.str.contains(_POINT), some.str.contains(_COMMA)
    kinds = {"point": as_point & ~as_comma, "comma": as_comma & ~as_point}
    if either.any():
        # Digits in groups of blanks or apostrophes leave only a decimal mark.
        grouped = texts_marked.str.contains(r"\d[ '\u2019\u02BC\u00A0\u202F\u2009]\d")
        for kind, mark in (("point", "."), ("comma", ",")):
            kinds[kind] |= either & grouped & some.str.contains(mark, literal=True)
        kinds["either"] = either & ~grouped
    decimals = {kind: text for kind, of in kinds.items() if (text := texts_marked.filter(of).min())}
    signs: dict[str, str] = {}
    if currencies.is_not_null().any():
        found = pl.DataFrame({"text": texts.str.strip_chars(), "sign": currencies}).drop_nulls()
        sign = pl.col("sign").str.to_uppercase().replace(_SAME)
        signs = dict(found.group_by(sign).agg(pl.col("text").min()).sort("sign").iter_rows())
    return {kind: str(text).strip() for kind, text in decimals.items()}, signs


def read(texts: pl.Series, decimal: Decimal | None) -> pl.Series:
    """Numbers up to `LARGEST`, null for what is none.

    decimal  the mark; None: no text has one

    >>> read(pl.Series([" 1.234,50 €", "(5)", "5-", "1'000", "12%"]), "comma").to_list()
    [1234.5, -5.0, -5.0, 1000.0, None]
    """
    numerals, _ = _numerals(texts)
    pattern = _COMMA if decimal == "comma" else _POINT
    plain = numerals.set(~numerals.str.contains(pattern), None)
    if decimal == "comma":
        plain = plain.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        plain = plain.str.replace_all(",", "", literal=True)
    values = plain.cast(pl.Float64, strict=False)
    exact = texts.str.starts_with("=")
    if exact.any():
        numbers = texts.filter(exact).str.slice(1).cast(pl.Float64, strict=False)
        values = values.scatter(exact.arg_true(), numbers)
    values = values.set(~values.is_between(-LARGEST, LARGEST), None)
    return values.set(values.abs() < SMALLEST, 0)


def _numerals(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Digits, marks and a leading sign, and the currency beside them; null where there is none."""
    text = texts.str.strip_chars()
    # 1.0 of a program that writes floats is one, whatever the decimal mark is.
    if text.str.ends_with(".0").any():
        text = text.str.replace(r"^([+-]?\d+)\.0$", "${1}")
    odd = text.str.contains(r"[^0-9.,+-]|[\d.,]-").fill_null(value=False)
    none = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    if not odd.any():
        return text, none
    cells = text.filter(odd).str.replace_all(_BLANKS, " ").str.replace_all(_MINUS, "-")
    cells = cells.str.strip_chars().str.replace(r"[.,] ?--?$", "")  # 12,- is twelve
    # The sign may stand before or after the currency, or be a pair of brackets around either.
    currencies = cells.str.extract(rf"^[+-]? ?\(? ?{_CURRENCY}", 1).str.replace(r"\.$", "")
    trailing = cells.str.extract(rf"\d ?-? ?{_CURRENCY} ?\)?$", 1).str.replace(r"\.$", "")
    currencies = currencies.fill_null(trailing)
    cells = (
        cells.str.replace(rf"^([+-]?) ?(\(?) ?{_CURRENCY} ?(\(?)", "${1}${2}${4}")
        .str.replace(rf"(\d) ?(-?) ?{_CURRENCY} ?(\)?)$", "${1}${2}${4}")
        .str.replace(r"^\( ?([^()]*?) ?\)$", "-${1}")
        .str.replace(r"^([^-+]*\d) ?-$", "-${1}")
        .str.replace(r"^([+-]) ", "${1}")
    )
    grouped = cells.str.contains(_GROUPED)
    cells = cells.zip_with(~grouped, cells.str.replace_all(r"[ '\u2019\u02BC]", ""))
    numerals = text.scatter(odd.arg_true(), cells)
    return numerals, none.scatter(odd.arg_true(), currencies)
