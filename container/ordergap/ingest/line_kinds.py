"""Lines of payments, totals and taxes, which some exports have beside the lines of goods.

See docs/decisions/data.md#lines-of-payments-beside-lines-of-goods-are-refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import polars as pl

from ordergap.contract.orders import BLANK, Columns
from ordergap.errors import DataError
from ordergap.ingest.roles import names

_MOST, _LISTED = 40, 8  # kinds that a column of kinds has at most, and that are listed
_WORD = re.compile(r"[^\W\d_A-Z]+|[A-Z]+[^\W\d_A-Z]*")
_KIND = re.compile(
    r"type|kind|typ|tipo|(?:beleg|buchungs|positions|satz|vorgangs|zeilen)?(?:art|typ)"
)
# Beside these a word for a kind is of lines; beside others, as in "Payment Type", it is not.
_LINES = {
    "de", "entry", "event", "invoice", "item", "ligne", "line", "lineitem", "linea", "order",
    "position", "receipt", "record", "row", "sale", "sales", "transaction",
}  # fmt: skip
_GOODS = {
    "article", "articulo", "artikel", "detail", "goods", "invoice", "item", "items", "line",
    "lineitem", "order", "position", "prodotto", "product", "products", "produit", "rechnung",
    "sale", "sales", "verkauf", "ware", "vente", "venta",
}  # fmt: skip
_PART = {"item", "items", "line", "lineitem", "lines"}
# What pays for the goods, or adds them up, has their amount once more.
_AGAIN = {
    "balance", "deposit", "endsumme", "gesamt", "gesamtsumme", "ordertotal", "paiement", "pago",
    "payment", "payments", "payout", "règlement", "subtotal", "summary", "summe", "tender",
    "total", "totale", "totals", "transaction", "transfer", "zahlung", "zahlungseingang",
    "zwischensumme",
}  # fmt: skip
_MORE = {
    "coupon", "discount", "fee", "fees", "freight", "handling", "mwst", "rabatt", "shipping",
    "surcharge", "tax", "taxes", "tip", "vat", "versand", "withdrawal",
}  # fmt: skip


def check(frame: pl.LazyFrame, columns: Columns, where: str) -> Iterator[str]:
    """Sentences on columns of kinds of lines that no option names, in a frame called `where`.

    Raises DataError where lines with amounts repeat those of other lines.
    """
    schema = frame.collect_schema()
    used = {*names(columns).values()}
    money = [columns.amount_column] if columns.amount_column else [
        columns.quantity_column, columns.price_column
    ]  # fmt: skip
    if not {*money} <= schema.keys():
        return
    for name, dtype in schema.items():
        if name in used or dtype.is_nested() or not _is_of_kinds(name):
            continue
        kinds = frame.filter(*map(_is_amount, money)).select(_text(name).unique())
        found = [each for each in kinds.collect(engine="streaming").to_series() if each]
        if len(found) <= _MOST:
            yield from _judge(name, sorted(found), columns, where)


def _judge(name: str, kinds: list[str], columns: Columns, where: str) -> Iterator[str]:
    words = {kind: {*_words(kind)} for kind in kinds}
    wholes = [its - _PART for its in words.values() if its & _PART]  # "Sale" beside "Sale Line"
    again = [kind for kind, its in words.items() if its & _AGAIN or its in wholes]
    goods = [kind for kind, its in words.items() if its & _GOODS and kind not in again]
    option = f'status_column to "{name}"'
    if columns.status_column:
        option += f' in place of "{columns.status_column}"'
    if again and goods:
        raise DataError(
            f'{where} has lines of {_listed(again)} beside those of {_listed(goods)} in "{name}", '
            f"and their amounts would be added up. Set {option}, and excluded_statuses to a word "
            f"that is none of these where all count, else to what does not: {','.join(again)}"
        )
    if any(its & (_AGAIN | _MORE) for its in words.values()) and len(kinds) > 1:
        yield (
            f'all kinds of lines in "{name}" count: {_listed(kinds)}. If some should not, set '
            f"{option} and excluded_statuses to them"
        )


def _is_of_kinds(name: str) -> bool:
    *before, last = _words(name) or [""]
    return _KIND.fullmatch(last) is not None and {*before} <= _LINES


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.strip_chars().fill_null("")


def _is_amount(name: str) -> pl.Expr:
    text = _text(name)
    return ~text.str.to_lowercase().is_in(BLANK) & ~text.str.contains(r"^0*[.,]?0*$")


def _listed(kinds: Iterable[str]) -> str:
    quoted = [f'"{kind[:40]}"' for kind in kinds]
    return ", ".join(quoted[:_LISTED]) + ", …" * (len(quoted) > _LISTED)
