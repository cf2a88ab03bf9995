"""Lines of payments, totals and taxes, which some exports have beside the lines of goods.

See docs/decisions/data.md#lines-that-add-up-the-others-are-refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import polars as pl

from ordergap.contract.orders import NON_PRODUCT_CODES, Columns
from ordergap.errors import DataError
from ordergap.ingest import numerals
from ordergap.ingest.roles import names
from ordergap.ingest.statuses import excluded, option
from ordergap.ingest.table import OPTIMIZATIONS

_MOST, _LISTED = 40, 8  # kinds that a column of kinds has at most, and that are listed
_NEARLY_ALL, _HALF = 0.9, 0.5  # of the orders: without a word for the kind, and with one
_SAMPLE = 500  # orders that tell whether all are looked at
_TOTALS = 10  # different ones that are not so by chance
_FEW_ROWS, _FRAMES = 300, 200  # of a small frame, and so many of them are checked together
_CENTS = 0.02  # by which sums may differ
_TIMES = 5  # a sum of the goods may stand there so often
_WORD = re.compile(r"[^\W\d_A-Z]+|[A-Z]+[^\W\d_A-Z]*")
_KIND = re.compile(
    r"type|kind|typ|tipo|(?:beleg|buchungs|positions|satz|vorgangs|zeilen)?(?:art|typ)"
)
# Beside these a word for a kind is of lines; beside others, as in "Payment Type", it is not.
_LINES = {
    "de", "entry", "event", "invoice", "item", "ligne", "line", "lineitem", "linea", "order",
    "position", "receipt", "record", "row", "sale", "sales", "transaction",
}  # fmt: skip
_PART = {"item", "items", "line", "lineitem", "lines"}
# What pays for the goods, or adds them up, may have their amount once more.
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
_NO_GOODS = _AGAIN | _MORE | {"fulfillment", "promotion", "refund"}


class LineKinds:
    """Checks the frames of one source; small ones, such as a file for each day, also together."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._small: list[tuple[pl.LazyFrame, pl.DataFrame]] = []

    def add(self, frame: pl.LazyFrame, rows: pl.DataFrame, where: str) -> Iterator[str]:
        """As `check`."""
        if len(rows) < _FEW_ROWS and len(self._small) < _FRAMES:
            self._small.append((frame, rows))
        return check(frame, rows, self._columns, where)

    def together(self, where: str) -> Iterator[str]:
        """Sentences on the small frames that are alike the first, or DataError, as `check`."""
        alike = [pair for pair in self._small if pair[1].schema == self._small[0][1].schema]
        if len(alike) > 1:
            frames, rows = zip(*alike, strict=True)
            frame = pl.concat(frames, how="diagonal_relaxed")
            # Orders are those of a file: files may overlap.
            of = {
                name: pl.col(name).to_physical().cast(pl.UInt64) + pl.col("file") * 2**32
                for name in ("order", "date")
            }
            joined = pl.concat(
                each.with_columns(file=pl.lit(i, pl.UInt64)) for i, each in enumerate(rows)
            )
            coded = joined.with_columns(**{name: codes.rank("dense") for name, codes in of.items()})
            yield from check(frame, coded, self._columns, where)


def check(frame: pl.LazyFrame, rows: pl.DataFrame, columns: Columns, where: str) -> Iterator[str]:
    """Sentences on lines of several kinds that no option names, in a frame called `where`.

    rows  the codes of the roles' texts, of every row of the frame

    Raises DataError where lines repeat the amounts of other lines of their orders.
    """
    schema, used = frame.collect_schema(), names(columns)
    money = {used["price"]} | ({used["quantity"]} if columns.amount_column is None else set())
    if not money <= schema.keys():
        return
    by = "order" if used["order"] in schema else "visit"
    free = [n for n, dtype in schema.items() if n not in used.values() and not dtype.is_nested()]
    named = [name for name in free if is_of_kinds(name)]
    many = len(rows) >= 3 * _TOTALS
    doubled = many and _share_doubled(_amounts(rows, columns, by, sample=True)) > _HALF
    if not (named or doubled):
        return
    amounts = _amounts(rows, columns, by)
    product = used["product"]
    if doubled and product in schema and columns.non_product_codes == NON_PRODUCT_CODES:
        free.append(product)
    looked_at = free if doubled else named
    texts = frame.select(map(_text, looked_at))
    kinds = texts.collect(engine="streaming", optimizations=OPTIMIZATIONS)
    for name in sorted(looked_at, key=lambda each: (each not in named, kinds[each].n_unique())):
        lines = amounts.with_columns(kind=kinds[name]).filter(pl.col("amount") > 0)
        words = _again_by_words(lines["kind"].unique()) if name in named else set()
        if again := _repeating(lines, words):
            others = sorted({*lines["kind"]} - {*again})
            raise DataError(_refusal(name, sorted(again), others, columns, where))
        if name in named:
            yield from _said(name, sorted(lines["kind"].unique()), columns)
    several = amounts.filter((pl.len() > 2) & (pl.col("amount").n_unique() > 1).over("order"))
    if doubled and _share_doubled(several) >= _NEARLY_ALL and _differ(several["amount"]):
        yield (
            f"in nearly all orders of {where} with several lines the amount of one is the sum of "
            "the others: if it is a total, leave it out of the file, as it counts besides them"
        )


def _amounts(
    rows: pl.DataFrame, columns: Columns, by: str, *, sample: bool = False
) -> pl.DataFrame:
    """The order, the customer and the size of the amount of all rows, or of some hundred orders.

    by  order or visit, which is one customer and moment; what does not count has an amount of 0
    """
    if sample:
        codes = rows["order" if by == "order" else "customer"].to_physical()
        least, most = (int(end or 0) for end in (codes.min(), codes.max()))  # type: ignore[arg-type]
        rows = rows.filter(codes % ((most - least) // _SAMPLE + 1) == 0)
    order, customer, date = (
        pl.col(name).to_physical().cast(pl.UInt64) for name in ("order", "customer", "date")
    )
    keys = rows.select(order=order if by == "order" else customer * 2**32 + date, customer=customer)
    amount = _numbers(rows["price"], columns)
    if columns.amount_column is None:
        amount = amount * _numbers(rows["quantity"], columns)
    products = rows["product"].cast(pl.String).str.strip_chars().str.to_uppercase()
    uncounted = products.is_in([code.upper() for code in columns.non_product_codes])
    if columns.status_column:
        uncounted |= excluded(rows["status"].cast(pl.String), columns)
    return keys.with_columns(amount=amount.abs().set(uncounted, 0).fill_null(0))


def _numbers(cells: pl.Series, columns: Columns) -> pl.Series:
    """The numbers, as far as the cells of this frame alone show the decimal mark."""
    texts = cells.unique()
    plain = texts.cast(pl.String)
    shown = numerals.evidence(plain)[0] if columns.decimal == "auto" else {columns.decimal}
    comma = "comma" in shown and "point" not in shown
    numbers = numerals.read(plain, "comma" if comma else "point")
    return cells.to_physical().replace_strict(texts.to_physical(), numbers)


def _share_doubled(amounts: pl.DataFrame) -> float:
    """The share of orders whose largest amount is a half, a third and so on of their sum.

    Of those with several lines, which are taken for ten at least.
    """
    orders = amounts.filter(pl.col("amount") > 0).group_by("order").agg(
        largest=pl.col("amount").max(), all=pl.col("amount").sum(), lines=pl.len()
    ).filter(pl.col("lines") > 1)  # fmt: skip
    parts = orders.select(_is_part(pl.col("largest"), pl.col("all"))).to_series()
    return int(parts.sum()) / max(_TOTALS, len(parts))


def _is_part(amount: pl.Expr, whole: pl.Expr) -> pl.Expr:
    times = (whole / amount).round()
    return times.is_between(2, _TIMES) & ((whole - times * amount).abs() <= times * _CENTS)


def _repeating(lines: pl.DataFrame, words: Collection[str]) -> list[str]:
    """The kinds whose lines have, in their orders, the sum of those of the other kinds once more.

    lines  order, customer, kind and amount, which is positive
    words  kinds that do so by their words, of which half of the orders is enough

    Kinds without words must do so in nearly all orders of all lines. One is taken away after the
    other, until what is left is there once. Of many, such as products, those in few orders are so
    by chance.
    """
    found: list[str] = []
    least = _TOTALS if lines["kind"].n_unique() > _MOST else 1
    key = "order"
    pays = _add_up(lines, key).filter(pl.col("kind").is_in(words))
    if pays.select(pl.col("meets").sum() < (1 - _NEARLY_ALL) * pl.col("orders").sum()).item():
        key = "customer"  # such as invoices, and payments of a later day
    while True:
        kinds = _add_up(lines, key).filter(pl.col("orders") >= least)
        kinds = kinds.with_columns(word=pl.col("kind").is_in(words))
        share = pl.col("again") / pl.col("orders")
        again = kinds.filter(share >= pl.when("word").then(_HALF).otherwise(_NEARLY_ALL))
        if not (found or again["word"].any() or _is_shown(lines, again["kind"])):
            return []
        if again.is_empty():
            return found
        found.append(again.sort(~pl.col("word"), "lines", "kind")["kind"][0])
        lines = lines.filter(pl.col("kind") != found[-1])


def _add_up(lines: pl.DataFrame, key: str) -> pl.DataFrame:
    """Of each kind its lines, its orders, and those where it `meets` others, and equals them."""
    return (
        lines.group_by(key, "kind")
        .agg(pl.col("amount").sum(), lines=pl.len())
        .with_columns(several=pl.len().over(key) > 1, whole=pl.col("amount").sum().over(key))
        .group_by("kind")
        .agg(
            pl.col("lines").sum(),
            orders=pl.len(),
            meets=pl.col("several").sum(),
            again=(pl.col("several") & _is_part(pl.col("amount"), pl.col("whole"))).sum(),
        )
    )


def _is_shown(lines: pl.DataFrame, again: pl.Series) -> bool:
    """Whether nearly all orders have a kind of `again`, and not just amounts that are all alike."""
    is_again = pl.col("kind").is_in(again.implode())
    orders = lines.group_by("order").agg(again=is_again.any())
    differing = lines.filter(pl.col("amount").n_unique().over("order") > 1).filter(is_again)
    few = 0 < len(again) <= _LISTED
    return (
        few
        and int(orders["again"].sum()) >= _NEARLY_ALL * len(orders)
        and _differ(differing["amount"])
    )


def _differ(amounts: pl.Series) -> bool:
    return amounts.n_unique() >= _TOTALS


def _again_by_words(kinds: Iterable[str]) -> set[str]:
    words = {kind: {*_words(kind)} for kind in kinds}
    wholes = [its - _PART for its in words.values() if its & _PART]  # "Sale" beside "Sale Line"
    return {kind for kind, its in words.items() if its & _AGAIN or its in wholes}


def _refusal(name: str, again: list[str], others: list[str], columns: Columns, where: str) -> str:
    said = (
        f'{where} has lines of {_listed(again)} beside those of {_listed(others)} in "{name}", '
        "with the same amounts in all, which would be added up. "
    )
    if "" in again:
        return f'{said}Leave the lines out whose "{name}" is blank'
    if name == columns.product_column:
        return (
            f"{said}Set non_product_codes to a code that is none of these where all count, else to "
            f"what does not: {','.join(again)}"
        )
    remedy = f"et {option(name, columns)}, and excluded_statuses to a word that is none of these"
    if "" in others:  # blank statuses are taken to be those of their orders' other lines
        which = f'"{name}" is {_listed(again)}'
        return f"{said}Leave the lines out whose {which}, or s{remedy} where all count"
    return f"{said}S{remedy} where all count, else to what does not: {','.join(again)}"


def _said(name: str, kinds: list[str], columns: Columns) -> Iterator[str]:
    if 1 < len(kinds) <= _MOST and any({*_words(kind)} & (_AGAIN | _MORE) for kind in kinds):
        yield (
            f'all kinds of lines in "{name}" count: {_listed(kinds)}. If some should not, set '
            f"{option(name, columns)} and excluded_statuses to them"
        )


def is_besides(name: str) -> bool:
    """Whether a list within an order is called one of taxes, payments and the like."""
    words = _words(name)
    return bool({*words, *(word.removesuffix("s") for word in words)} & _NO_GOODS)


def is_of_kinds(name: str) -> bool:
    """Whether a column is called a kind of lines, or of nothing in particular."""
    *before, last = _words(name) or [""]
    return _KIND.fullmatch(last) is not None and {*before} <= _LINES


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.strip_chars().fill_null("")


def _listed(kinds: Iterable[str]) -> str:
    quoted = [f'"{kind[:40]}"' for kind in kinds]
    return ", ".join(quoted[:_LISTED]) + ", …" * (len(quoted) > _LISTED)
