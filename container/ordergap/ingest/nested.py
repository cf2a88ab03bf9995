"""Orders whose lines are a list in each: a row for each line, or why not.

See docs/decisions/data.md#lines-within-an-order-become-rows-where-their-amounts-are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest.line_kinds import is_besides
from ordergap.ingest.roles import may_be_amount, names


def choose(
    outer: Collection[str], lists: Mapping[str, Collection[str]], columns: Columns, where: str
) -> tuple[str | None, dict[str, str]]:
    """Which of the `lists` has the lines of an order, if amounts are read from lines; and notes.

    outer  the names of what an order has besides
    lists  name of a list of records -> the names of what these have

    Raises DataError where several may be it, and where orders and lines have a part of the amount.
    """
    used = names(columns)
    money = {used["price"]} | ({used["quantity"]} if columns.amount_column is None else set())
    lines = {
        name: [*its]
        for name, its in lists.items()
        if money & {*its} or any(map(may_be_amount, its))
    }
    if not lines or columns.amounts == "unknown":
        return None, {}
    if money <= {*outer}:
        listed = ", ".join(lines)
        return None, {f'amounts are those of "{used["price"]}", not of the lists {listed}': ""}
    fitting = [name for name, its in lines.items() if money <= {*its}]
    fitting = fitting or [name for name in lines if not is_besides(name)] or [*lines]
    first = fitting[0]
    if len(fitting) > 1 or money & {*outer}:
        seen = "; ".join(f'"{name}" has {", ".join(lines[name][:20])}' for name in fitting)
        raise DataError(
            f"the amounts of {where} may be those of its orders or of a list in each: {seen}. Name "
            "the column with amount_column, or price_column and quantity_column, or write a row "
            "for each line, such as with jq -c "
            f"'(arrays | .[]), objects | . as $order | .{first}[] | $order + . | del(.{first})'"
        )
    return first, {f'each record of the list "{first}" was read as a row': ""}


def lists(schema: pl.Schema) -> dict[str, list[str]]:
    """The lists of records of a frame, and what these have."""
    return {
        name: [each.name for each in dtype.inner.fields]
        for name, dtype in schema.items()
        if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct)
    }


def records(rows: Iterable[Mapping[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """The rows, each as often as the list `name` of it has records, with these."""
    rows = [*rows]
    outer = {key for row in rows for key in row} - {name}
    for row in rows:
        order = {key: value for key, value in row.items() if key != name}
        for line in row.get(name) or [{}]:
            yield order | {_within(name, key, outer): value for key, value in line.items()}


def frame(
    orders: pl.LazyFrame, columns: Columns, where: str
) -> tuple[pl.LazyFrame, dict[str, str]]:
    """A frame's lists of records as `records` has them, where `choose` says so; and notes."""
    schema = orders.collect_schema()
    found = lists(schema)
    name, notes = choose(schema.keys() - found.keys(), found, columns, where)
    if name is None:
        return orders, notes
    within = [_within(name, key, schema.keys() - {name}) for key in found[name]]
    filled = pl.when(pl.col(name).list.len() > 0).then(name)  # of an empty list no row is left
    rows = (
        orders.with_columns(filled)
        .explode(name)
        .with_columns(pl.col(name).struct.rename_fields(within))
    )
    return rows.unnest(name), notes


def _within(name: str, key: str, outer: Collection[str]) -> str:
    return f"{name}.{key}" if key in outer else key
