"""Columns of currencies beside the amounts, which are added up whatever they are in.

See docs/decisions/data.md#amounts-of-several-currencies-are-refused.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import polars as pl

from ordergap.contract.orders import BLANK, Columns
from ordergap.errors import DataError
from ordergap.ingest.roles import names
from ordergap.ingest.statuses import option
from ordergap.ingest.table import OPTIMIZATIONS

_WORDS = {
    "ccy", "curr", "currencies", "currency", "currencycode", "devise", "divisa", "moeda", "moneda",
    "valuta", "waehrung", "waers", "waerk", "waluta", "währung", "валюта", "币种", "通貨",
}  # fmt: skip
_NEUTRAL = {"code", "id", "iso", "key", "name", "symbol"}
_ISO_4217 = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP "
    "BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
    "GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS "
    "KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
    "MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF "
    "SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD "
    "TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG"
)
_CODES = frozenset(_ISO_4217.split())
_ENGLISH = {"ALL", "BAM", "COP", "CUP", "GEL", "MOP", "PEN", "RON", "TOP", "TRY"}  # are words, too
_HEAD = 100  # rows that show whether a column has codes
_FEW = 20  # rows in which a column may well have three letters by chance
_LISTED = 5


class Currencies:
    """Counts the currencies of the frames of one source."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._found: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, frame: pl.LazyFrame, rows: int) -> None:
        """Count those of a frame, in the column that its name or the cells of many rows tell."""
        used = names(self._columns)
        schema = frame.collect_schema()
        texts = [name for name, dtype in schema.items()
                 if name not in used.values() and dtype in {pl.String, pl.Categorical}]  # fmt: skip
        status = self._columns.status_column or ""  # of currencies: these are decided
        if used["price"] not in schema or is_of_currencies(status) or _is_in_one(used["price"]):
            return
        nearest = _nearest([each for each in texts if is_of_currencies(each)], used["price"])
        if not nearest and texts and rows >= _FEW:
            head = frame.select(texts).head(_HEAD)
            cells = head.collect(engine="streaming", optimizations=OPTIMIZATIONS)
            nearest = [each for each in texts if _are_codes(cells[each])][:1]
        for name in nearest:
            codes = frame.group_by(_code(name)).len()
            counts = codes.collect(engine="streaming", optimizations=OPTIMIZATIONS)
            found = {code: count for code, count in counts.iter_rows() if code.lower() not in BLANK}
            if {*found} <= _CODES or (is_of_currencies(name) and not any(map(_has_digit, found))):
                self._found[name].update(found)

    def raise_for_several(self, where: str) -> None:
        """DataError where a column has several."""
        for name, counts in self._found.items():
            if len(counts) < 2:
                continue
            (most, _), *others = counts.most_common()
            shares = [f"{code} {n / counts.total():.1%}" for code, n in counts.most_common(_LISTED)]
            raise DataError(
                f'{where} has amounts of several currencies in "{name}" ({", ".join(shares)}'
                f"{', …' * (len(counts) > _LISTED)}), which would be added up. Convert them to "
                f"one, or count one alone, such as {most}: set {option(name, self._columns)} and "
                f"excluded_statuses to {','.join(sorted(code for code, _ in others))}. If the "
                "amounts are in one currency already, set excluded_statuses to a word that is "
                f"none of these{', or take the column out' if self._columns.status_column else ''}"
            )


def is_of_currencies(name: str) -> bool:
    """Whether a column is called one of currencies."""
    return bool(_words(name) & _WORDS)


def _is_in_one(amount: str) -> bool:
    """Whether a column of amounts is called one of a currency, such as "total_eur"."""
    return bool({word.upper() for word in _words(amount)} & (_CODES - _ENGLISH))


def _nearest(columns: Sequence[str], amount: str) -> list[str]:
    """Of several columns those of the amounts: "Converted Currency" for "Converted Amount".

    There may be several that the name of the amounts does not tell apart.
    """
    beside = _words(amount)

    def rank(name: str) -> tuple[bool, int]:
        others = _words(name) - _WORDS - _NEUTRAL
        return others <= beside, len(others & beside)

    most = max(map(rank, columns), default=None)
    return [name for name in columns if rank(name) == most]


def _are_codes(cells: pl.Series) -> bool:
    found = {*cells.drop_nulls().cast(pl.String).str.strip_chars().str.to_uppercase()} - {""}
    return bool(found - _ENGLISH) and found <= _CODES


def _code(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.strip_chars().str.to_uppercase().fill_null("")


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[^\W\d_A-Z]+|[A-Z]+[^\W\d_A-Z]*", name)}
