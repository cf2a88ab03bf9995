"""What lines of an order leave blank, because another of its lines says it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from ordergap.errors import DataError
from ordergap.ingest import cells, numerals
from ordergap.ingest.table import Table

# A line of a sum names it where others name a product.
_SUM = r"(?i)^\W*(grand|sub|end|gesamt|zwischen)?[ -]?(total|totale|totals|summe|sum|suma|somme)\b"
_NAMES = ("order", "customer", "date")
_NUMBERS = ("quantity", "price")


def fill(
    table: Table, customers: pl.Series, moments: pl.Series, max_unreadable: float = 1
) -> Table:
    """The table with blank customers, dates and statuses taken from the other lines of the order.

    Exports often name them on an order's first line alone. They are taken only where all lines
    that have them agree: of a line with a date or a customer, those of its order with that day or
    customer; of one without, those of its order. So numbers of receipts that begin anew every day
    join nothing. A negative line of a later day has the customer of its order, where all lines that
    have one agree on it and on the day. Lines of products without even a number are of the order
    above, where all lines have a number and a date or nothing of these. The notes count the lines
    that changed.

    customers  of the distinct texts of the customers
    moments    of the distinct texts of the dates

    Raises DataError where more than `max_unreadable` of the lines have no number, date and customer
    and stay so.
    """
    if "order" not in table.present or table.rows.is_empty():
        return table
    roles = [role for role in ("customer", "date", "status") if role in table.present]
    blank: dict[str, pl.Series] = {role: cells.is_blank(table.texts[role]) for role in roles}
    if not any(each.any() for each in blank.values()):
        return table
    no_order = {"order": cells.is_blank(table.texts["order"])}
    table = _fill_nameless(table, blank | no_order, max_unreadable)
    if not _divided(table, blank):
        return table
    days, number = moments.dt.date(), table.each("order", cells.numbered(table.texts["order"]))
    has_blank = pl.any_horizontal(table.each(role, each) for role, each in blank.items())
    rows = table.rows.with_row_index("row").with_columns(of=number)
    lacking = rows.filter(has_blank)["of"].drop_nulls().unique()
    lines = rows.filter(pl.col("of").is_in(lacking.implode())).select(
        *roles,
        "row",
        "of",
        day=table.each("date", days),
        who=table.each("customer", customers),
        negative=pl.any_horizontal(
            pl.lit(value=False), *(table.each(role, _negative(table, role)) for role in _NUMBERS)
        ),
        **{f"no_{role}": table.each(role, blank[role]) for role in roles},
    )
    del rows
    full = lines.filter(~pl.col("no_date") & ~pl.col("no_customer") & pl.col("who").is_not_null())
    its = [pl.col(r).filter(~pl.col(f"no_{r}")).min().name.prefix("its_") for r in roles]
    one = (pl.col("who").n_unique() == 1) & (pl.col("day").n_unique() == 1)
    changes = []
    for dated, named in itertools.product((True, False), repeat=2):
        key = ["of"] + ["day"] * dated + ["who"] * named
        some = lines.filter(pl.col("no_date") != dated, pl.col("no_customer") != named)
        agreed = full.group_by(key).agg(*its, one=one).filter("one").drop("one")
        changes.append(some.join(agreed, on=key).select(*roles, "row", "^(no|its)_.*$"))
    agreed = full.group_by("of").agg(*its, one=one, ordered=pl.col("day").min()).filter("one")
    refunds = lines.filter(~pl.col("no_date"), "no_customer", "negative").join(agreed, on="of")
    refunds = refunds.filter(pl.col("day") > pl.col("ordered"))
    changes.append(refunds.select(*roles, "row", "^(no|its)_.*$"))
    found = pl.concat(changes).filter(pl.any_horizontal(f"no_{role}" for role in roles))
    if found.is_empty():
        return table
    filled = [
        table.rows[role]
        .clone()
        .scatter(
            found["row"],
            found.select(
                pl.when(f"no_{role}").then(pl.coalesce(f"its_{role}", role)).otherwise(role)
            ).to_series(),
        )
        for role in roles
    ]
    rows = table.rows.with_columns(filled)
    changed = found.select((pl.col("no_customer") | pl.col("no_date")).sum()).item()
    note = f"{changed:,} lines have the customer and date that other lines of their order have"
    return replace(table, rows=rows, notes=table.notes + ((note,) if changed else ()))


def _negative(table: Table, role: str) -> pl.Series:
    """Whether each text of a column is a negative number, whichever its decimal mark is."""
    signs = [numerals.read(table.texts[role], mark) < 0 for mark in ("point", "comma")]
    return signs[0].fill_null(signs[1]).fill_null(value=False)


def _fill_nameless(table: Table, blanks: Mapping[str, pl.Series], max_unreadable: float) -> Table:
    """The table with lines that have neither customer, date nor order number filled in.

    A line without a product may be a sum, and stays as it is.
    """
    blank = {role: blanks[role] for role in _NAMES}
    if not all(each.any() for each in blank.values()):
        return table
    filled = {role: ~table.each(role, each) for role, each in blank.items()}
    named = filled["order"] & filled["date"]
    of_product = pl.lit(value=False)
    if "product" in table.present:
        product = table.texts["product"]
        of_product = ~table.each("product", cells.is_blank(product) | product.str.contains(_SUM))
    lines = table.rows.select(
        named=named, nameless=~pl.any_horizontal(*filled.values()), of_product=of_product
    )
    nameless, count = lines["nameless"], int(lines["nameless"].sum())
    if not count:
        return table
    taken = nameless & lines["of_product"]
    firsts = lines["named"].gather([*_beginnings(table)])
    if not ((lines["named"] | nameless).all() and firsts.all() and taken.any()):
        return _note_nameless(table, count, max_unreadable)
    roles = [role for role in (*_NAMES, "status") if role in table.present]
    rows = table.rows.with_columns(
        pl.when(taken)
        .then(pl.when(lines["named"]).then(pl.col(role)).forward_fill())
        .otherwise(pl.col(role))
        .alias(role)
        for role in roles
    )
    note = (
        f"{taken.sum():,} lines without order number, customer and date are of the order on the "
        "line above"
    )
    table = replace(table, rows=rows, notes=(*table.notes, note))
    return _note_nameless(table, count - int(taken.sum()), max_unreadable)


def _beginnings(table: Table) -> Iterator[int]:
    """The first row of every file with rows; a frame comes in several parts."""
    first = 0
    for _, parts in itertools.groupby(table.files, key=lambda file: file[0]):
        count = sum(size for _, size in parts)
        if count:
            yield first
        first += count


def _note_nameless(table: Table, count: int, max_unreadable: float) -> Table:
    """The table with a note on such lines that stay; DataError for many."""
    if not count:
        return table
    message = (
        f"{count:,} lines have neither customer, date nor order number: if they belong to the line "
        "above, fill these in"
    )
    if count > max_unreadable * len(table.rows):
        told = "" if "product" in table.present else " or name their products with product_column"
        raise DataError(
            f"{message}{told}; if they are sums, take them out, or raise max_unreadable, which is "
            f"{max_unreadable}"
        )
    return replace(table, notes=(*table.notes, message))


def _divided(table: Table, blanks: Mapping[str, pl.Series]) -> bool:
    """Whether an order has both lines with something blank and lines with nothing blank."""
    some = pl.any_horizontal(table.each(role, blank) for role, blank in blanks.items())
    kinds = table.rows.select("order", some=some)
    # Lines of an order mostly follow one another: one of each kind is enough.
    kinds = kinds.filter(pl.any_horizontal(pl.all() != pl.all().shift()).fill_null(value=True))
    with_some, with_none = (kinds.filter(each)["order"] for each in ("some", ~pl.col("some")))
    return with_some.is_in(with_none.implode()).any()
