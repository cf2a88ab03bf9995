"""Orders that several files have, because the periods of their exports overlap.

See docs/decisions/data.md#an-order-in-two-files-is-one-order.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.contract.orders import Columns, Rejection
from ordergap.ingest import cells
from ordergap.ingest.rejections import Rejections
from ordergap.ingest.table import Table

_LINE = ("product", "units", "price", "pieces")
"""What two exports of a line have alike; other columns, and the time of day, may differ."""
_NEARLY_ALL = 0.9  # of the orders of all files
_ZONES = datetime.timedelta(hours=14)  # between UTC and any other clock at most
_QUARTER = 15 * 60 * 1_000_000  # microseconds
_SHOWN = 40  # characters of an order's number


def reject_earlier(
    rows: pl.DataFrame,
    table: Table,
    columns: Columns,
    read: Callable[[pl.DataFrame], pl.DataFrame],
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Reject rows of orders that a later file has again; and sentences for the user.

    rows  those of `table`, and row, their place in it, and reason, why they are rejected or null
    read  makes lines of them: row, order, customer, moment, cancels, and the columns of `_LINE`

    An order is one of a number, a customer, in whatever spelling, and a day by one clock. Where
    files divide orders among them, rather than repeat them, all lines count.
    """
    if columns.duplicates == "keep" or len(table.files) < 2 or "order" not in table.present:
        return rows, ()
    lines = read(rows)
    key = ["order", "customer", "day"]
    shared = _shared(lines, table, key)
    versions = _versions(shared, key, table)
    if versions.is_empty():
        return rows, ()
    changed = versions.filter(~pl.col("equal"))
    alike = len(versions) - len(changed)
    if len(changed) and "product" in table.present:
        products = shared.drop_nulls("product").group_by(*key, "product")
        twice = products.agg(pl.col("file").n_unique()).filter(pl.col("file") > 1)
        alike += len(changed.join(twice, on=key, how="semi"))
    elif len(versions) < _NEARLY_ALL * lines["order"].n_unique() and _one_line_each(lines, table):
        alike = len(versions)  # else the files divide the amounts of all orders among them
    repeated = 2 * alike > len(versions)
    notes = []
    if len(changed) < len(versions):
        which = "those of one file" if repeated else "those that differ in some column"
        notes.append(
            f"{_example(versions.filter('equal'), table)} with the same lines, of which {which} "
            "count: set duplicates to keep if all should"
        )
    if len(changed):
        which = "those of the last file by name that has it whole" if repeated else "all"
        notes.append(
            f"{_example(changed, table)} with different lines, of which {which} count: if that is "
            "wrong, give the file that is right alone"
        )
    if not repeated:
        return rows, tuple(notes)
    others = versions.explode("others").select(*key, file="others")
    those = shared.join(others, on=[*key, "file"], how="semi")
    again = pl.col("reason").is_null() & pl.col("row").is_in(those["row"].implode())
    duplicate = pl.lit(Rejections.position(Rejection.DUPLICATE), pl.Int8)
    marked = pl.when(again).then(duplicate).otherwise("reason")
    return rows.with_columns(reason=marked), tuple(notes)


def seem_repeated(lines: pl.DataFrame, table: Table, columns: Columns) -> tuple[str, ...]:
    """A sentence on lines that several files may repeat, where no order number tells.

    lines  those that count
    """
    known = "order" in table.present or "price" not in table.present
    if columns.duplicates == "keep" or len(table.files) < 2 or known:
        return ()
    key = ["customer", "day"]
    versions = _versions(_shared(lines, table, key), key, table)
    equal = versions.filter("equal")
    if 2 * len(equal) <= len(versions):
        return ()
    row = int(equal["row"].min())  # type: ignore[arg-type]
    file, number = table.place(row)
    sentence = (
        f"the lines of a customer on a day are the same in several files {len(equal):,} times, "
        f"such as those of row {number:,} of {file}, and count in each: if the periods of the "
        "files overlap, cut them, or set order_column"
    )
    return (sentence,)


def spelled_alike(customers: pl.Series) -> pl.Series:
    """A number for each customer, equal where they differ in case and blanks alone."""
    texts = customers.str.to_lowercase().str.replace_all(r"\s+", " ")
    return cells.ranks(cells.identifiers(texts))[1]


def _shared(lines: pl.DataFrame, table: Table, key: list[str]) -> pl.DataFrame:
    """The lines whose first column of `key`, and whose day, are in several files."""
    files = _files(lines, table)
    days = lines["moment"].dt.date().to_physical()
    alike = spelled_alike(table.texts["customer"])

    def customers(of: pl.DataFrame) -> pl.Series:
        codes = alike.gather(table.rows["customer"].gather(of["row"]))
        return codes.set(of["customer"].is_null(), None)

    both = _in_several(lines["order"] if "order" in key else customers(lines), files)
    both &= _in_several(days - (days.min() or 0), files, beside="order" in key)
    some = lines.filter(both)
    shared = some.select(
        *(name for name in ("order", "row", "cancels", *_LINE) if name in some.columns),
        "moment",
        customer=customers(some),
        day=pl.col("moment").dt.date(),
        file=files[both],
    ).drop_nulls(key)
    if "order" in key:
        shared = shared.with_columns(day=_by_one_clock(pl.col("moment")).dt.date())
    return shared.drop("moment")


def _by_one_clock(moment: pl.Expr) -> pl.Expr:
    """The moments of an order by the clock of the file that has it first.

    Files are of different time zones where they have it hours apart, to the quarter of an hour.
    """
    first = moment.min().over("order", "customer", "file")
    ahead = first - first.min().over("order", "customer")
    most = ahead.max().over("order", "customer")
    zones = (most <= _ZONES) & (most.dt.total_microseconds() % _QUARTER == 0)
    return pl.when(zones).then(moment - ahead).otherwise(moment)


def _files(lines: pl.DataFrame, table: Table) -> NDArray[np.int32]:
    """The place in `table.files` of the file of each line."""
    counts = [count for _, count in table.files]
    files = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    of_lines: NDArray[np.int32] = files[lines["row"].to_numpy()]
    return of_lines


def _in_several(
    codes: pl.Series, files: NDArray[np.int32], *, beside: bool = False
) -> NDArray[np.bool_]:
    """Whether the (n,) codes, or also those `beside`, are of several files; null counts as 0."""
    if codes.is_empty():
        return np.zeros(0, bool)
    at = codes.fill_null(0).to_numpy()
    count = int(at.max()) + 1
    first, last = np.full(count + 2, len(files), np.int32), np.full(count + 2, -1, np.int32)
    first[at[::-1] + 1], last[at + 1] = files[::-1], files  # of equal places the last one stays
    if beside:
        first = np.minimum(first, np.minimum(np.roll(first, 1), np.roll(first, -1)))
        last = np.maximum(last, np.maximum(np.roll(last, 1), np.roll(last, -1)))
    several: NDArray[np.bool_] = (first != last)[at + 1]
    return several


def _versions(shared: pl.DataFrame, key: list[str], table: Table) -> pl.DataFrame:
    """The orders of which several files have lines that buy.

    row     the first of an order's rows, and `last`, the last of them
    equal   whether all files have the same lines, taken for equal where their 64-bit hashes are
    others  the files whose lines do not count where those of one do: all but the last by name that
            has the order whole, rather than begins or ends with some of its lines
    """
    line = pl.struct(name for name in _LINE if name in shared.columns).hash()
    ends = np.cumsum([count for _, count in table.files])
    most = pl.col("lines").sort_by(pl.col("lines").list.len()).last().over(key)
    is_part = pl.col("lines").list.len() < most.list.len()
    is_part &= pl.col("lines").list.set_difference(most).list.len() == 0
    cut = pl.col("row").is_in([0, *ends]) | (pl.col("last") + 1).is_in(ends)
    return (
        shared.group_by(*key, "file")
        .agg(
            pl.col("row").min(),
            last=pl.col("row").max(),
            lines=line.sort(),
            buys=(~pl.col("cancels")).any(),
        )
        .filter(pl.col("buys") | (pl.col("lines").n_unique().over(key) == 1))
        .filter(pl.len().over(key) > 1)
        .with_columns(whole=~(cut & is_part))
        .sort("whole", "file")
        .group_by(key, maintain_order=True)
        .agg(
            pl.col("row", "last").sort_by("file"),
            others=pl.col("file").head(pl.len() - 1),
            equal=pl.col("lines").n_unique() == 1,
        )
        .with_columns(pl.col("row").list.first(), pl.col("last").list.last())
    )


def _one_line_each(lines: pl.DataFrame, table: Table) -> bool:
    """Whether no file has an order on several lines."""
    numbered = lines.select("order", file=_files(lines, table)).drop_nulls()
    return bool(numbered.is_unique().all())


def _example(orders: pl.DataFrame, table: Table) -> str:
    """``3 orders are in several files, such as "7" in a.csv and b.csv,``."""
    first = orders.row(int(orders["row"].arg_min() or 0), named=True)
    one, other = (table.place(first[name])[0] for name in ("row", "last"))
    count = len(orders)
    many = f"{count:,} orders are" if count > 1 else "1 order is"
    number = table.text("order", first["row"])[:_SHOWN]
    return f'{many} in several files, such as "{number}" in {one} and {other},'
