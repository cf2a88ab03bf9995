"""The attributes of customers, of files or frames, with a count of everything that is left out.

They are read by the same machinery as orders: see `ordergap.ingest`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl

from ordergap.attributes import ALWAYS, AttributeTable, Differs, category
from ordergap.clock import today
from ordergap.contract.attributes import CUSTOMER_ID, VALID_FROM, AttributeParameters
from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError
from ordergap.histories import Histories, date_of
from ordergap.ingest import cells, dates, numerals
from ordergap.ingest.attribute_names import may_change, warning
from ordergap.ingest.attribute_rows import DAY, FILE, ID, ROW, Customers, collect, name_of
from ordergap.ingest.conventions import Decided, Evidence, decide

_FEW = 0.5  # share of the customers with orders below which a file is probably of others


@dataclass(frozen=True)
class ReadAttributes:
    """Attributes, and what the user is to know of them.

    conventions  by which their cells were read
    """

    table: AttributeTable
    conventions: Conventions
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read(
    source: Customers,
    asked: AttributeParameters,
    columns: Columns,
    known: Conventions | None = None,
    content_type: str | None = None,
) -> ReadAttributes:
    """The attributes that are `asked` for, of a file, of all data files of a folder, or of a frame.

    columns  how orders are read: the customers' column may be called as theirs, or customer_id
    known    conventions that hold where the cells themselves do not show them

    A row without a usable customer, or with a day that cannot be read, is left out and counted; one
    without a day has always been known. Raises DataError (MissingColumn): a column is lacking, more
    than `max_unreadable` of the cells of one are unreadable, or two rows of one customer for one
    day differ.
    """
    rows, notes = collect(source, asked, columns, content_type)
    where, dated = name_of(source), DAY in rows.columns
    if rows.is_empty():
        raise DataError(f"{where} has no rows of customers")
    how = columns.model_copy(update={"date_column": VALID_FROM})
    decided = _decide(rows, asked, how, known)
    names = _each(rows[ID], lambda texts: cells.customers(texts, columns.no_customer_words))
    unusable = {"without a customer": names.is_null()}
    since = pl.Series([ALWAYS]).new_from_index(0, len(rows))
    if dated:
        order = decided.conventions.date_order
        moments = _each(
            rows[DAY], lambda texts: dates.read(texts, how.date_format, order, how.time_zone)
        )
        always = _each(rows[DAY], cells.is_blank)
        since = moments.dt.date().to_physical().cast(pl.Int64).set(always, ALWAYS)
        unusable[f"without a day in {VALID_FROM} that can be read"] = since.is_null()
    rows = rows.with_columns(names.alias(ID), pl.lit(since).alias(DAY))
    kept = pl.Series([True]).new_from_index(0, len(rows))
    for what, those in unusable.items():
        notes += _left_out(rows.filter(kept & those), len(rows), what, columns, where)
        kept &= ~those
    rows = rows.filter(kept)
    numbers = {}
    for name in asked.numeric_attributes:
        decimal = decided.conventions.decimal
        numbers[name], said = _numbers(rows, name, decimal, columns.max_unreadable)
        notes += said
    texts = {name: _each(rows[name], _categories) for name in asked.category_attributes}
    try:
        table = AttributeTable.from_rows(
            rows[ID].to_list(),
            rows[DAY].to_numpy().astype(np.int64),
            {name: column.to_numpy() for name, column in numbers.items()},
            {name: column.to_list() for name, column in texts.items()},
        )
    except Differs as error:
        raise _differ(rows, error.rows) from error
    if equal := len(rows) - len(table):
        notes += (f"customers: {equal:,} rows equal another of the same customer and day",)
    undated = int((table.since == ALWAYS).sum())
    if dated and undated:
        notes += (f"customers: {undated:,} rows have no {VALID_FROM} and count as always known",)
    suspicious = filter(may_change, asked.attribute_names if undated else ())
    notes += tuple(f"customers: {note}" for note in decided.notes)
    return ReadAttributes(table, decided.conventions, notes, tuple(map(warning, suspicious)))


def join(
    histories: Histories, found: ReadAttributes
) -> tuple[Histories, tuple[str, ...], tuple[str, ...]]:
    """The orders with the attributes of their customers, notes on these, and warnings on both."""
    whole = histories.with_attributes(found.table)
    return whole, (*found.notes, *account(whole)), tuple(filter(None, [few(whole)]))


def account(histories: Histories) -> tuple[str, ...]:
    """Sentences on how many of the customers with orders have attributes, and on what is missing.

    Histories have attributes, and are looked at as of their last day.
    """
    attributes = histories.attributes
    assert attributes is not None  # noqa: S101 - who asks has joined them
    table, rows = attributes.table, attributes.rows_on(int(histories.day.max()))
    count, none = len(rows), np.flatnonzero(rows < 0)
    without = ""
    if len(none):
        without = f", {len(none):,} have none, such as {histories.customer_ids[none[0]]}"
    others = len(table.customer_ids) - np.count_nonzero(attributes.places >= 0)
    notes = [
        f"customers: {count - len(none):,} of {count:,} with orders have attributes{without}"
        + f"; {others:,} others in the file have no orders" * bool(others)
    ]
    rows = rows[rows >= 0]
    for name in table.names:
        missing = np.isnan(table.numbers[name]) if name in table.numbers else table.codes[name] < 0
        if lacking := np.count_nonzero(missing[rows]):
            notes.append(f"customers: {name} is missing for {lacking:,} of {len(rows):,}")
    return tuple(notes)


def few(histories: Histories) -> str | None:
    """A warning where most customers have no attributes, as where ids are written otherwise."""
    attributes = histories.attributes
    if attributes is None or np.mean(attributes.places >= 0) >= _FEW:
        return None
    ids = attributes.table.customer_ids
    return (
        f"most customers have no attributes: ids are compared as text, those with orders are such "
        f'as "{histories.customer_ids[0]}", those with attributes such as "{ids[0]}"'
    )


def _each(texts: pl.Series, values: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The value of every cell, each distinct text read once."""
    distinct = texts.unique(maintain_order=True)
    of_texts = values(cells.plain(distinct))
    return texts.replace_strict(distinct, of_texts, default=None, return_dtype=of_texts.dtype)


def _categories(texts: pl.Series) -> pl.Series:
    return pl.Series(texts.name, [category(text) for text in texts], pl.String)


def _decide(
    rows: pl.DataFrame, asked: AttributeParameters, columns: Columns, known: Conventions | None
) -> Decided:
    """As the cells show; where they leave it open, as `known`."""
    texts = {name: rows[name].unique() for name in asked.numeric_attributes}
    dated = rows[DAY].unique() if DAY in rows.columns else pl.Series(dtype=pl.String)
    evidence = Evidence.of(columns, dated, texts, today())
    evidence = evidence.model_copy(update={"currencies": {}})
    try:
        return decide(evidence, columns)
    except DataError:
        if known:
            with suppress(DataError):
                return decide(evidence, columns, known.model_copy(update={"currency": None}))
        raise


def _left_out(
    rows: pl.DataFrame, whole: int, what: str, columns: Columns, where: str
) -> tuple[str, ...]:
    if rows.is_empty():
        return ()
    if len(rows) > columns.max_unreadable * whole:
        raise DataError(
            f"{len(rows):,} of {whole:,} rows of {where} are {what}, such as {_place(rows, 0)}: "
            f"correct the column ({CUSTOMER_ID}, or {VALID_FROM} with days such as 2022-01-31), or "
            "raise max_unreadable"
        )
    return (f"customers: left out {len(rows):,} rows {what}, such as {_place(rows, 0)}",)


def _place(rows: pl.DataFrame, row: int) -> str:
    """The place of a row for people."""
    return f"row {rows[ROW][row]:,} of {rows[FILE][row]}"


def _numbers(
    rows: pl.DataFrame, name: str, decimal: str | None, most: float
) -> tuple[pl.Series, tuple[str, ...]]:
    """NaN where a cell is empty or unreadable; a note on those that are."""
    values = _each(rows[name], lambda texts: numerals.read(texts, decimal))  # type: ignore[arg-type]
    blank = _each(rows[name], cells.is_blank)
    wrong = (values.is_null() & ~blank).arg_true()
    if not len(wrong):
        return values.fill_null(np.nan), ()
    cell = f'"{rows[name][wrong[0]][:40]}" ({_place(rows, int(wrong[0]))})'
    if len(wrong) > most * int((~blank).sum()):
        raise DataError(
            f'{len(wrong):,} cells of "{name}" are no numbers, such as {cell}: name it in '
            "category_attributes, correct the cells, or raise max_unreadable"
        )
    note = f"customers: {len(wrong):,} cells of {name} are no numbers and count as missing, such as"
    return values.fill_null(np.nan), (f"{note} {cell}",)


def _differ(rows: pl.DataFrame, pair: Sequence[int]) -> DataError:
    one, other = pair
    customer, day = rows[ID][one], rows[DAY][one]
    places = f"{_place(rows, one)} and {_place(rows, other)}"
    if day != ALWAYS:
        return DataError(
            f"customer {customer} has two rows from {date_of(day)} that differ ({places}): keep "
            "the one that is right"
        )
    return DataError(
        f"customer {customer} has two rows without a day that differ ({places}): keep the one that "
        f"is right, or give in {VALID_FROM} the day from which each holds"
    )
