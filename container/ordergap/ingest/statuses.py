"""Statuses of orders, of which some do not count."""

from __future__ import annotations

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.ingest.cells import is_blank
from ordergap.ingest.table import Table

_STATUSES, _SHOWN = 8, 30  # statuses that are listed, and their characters


def excluded(texts: pl.Series, columns: Columns) -> pl.Series:
    """Whether orders of each of these statuses do not count."""
    # WooCommerce writes wc-cancelled for cancelled.
    statuses = texts.str.strip_chars().str.to_lowercase()
    words = {word.strip().lower() for word in columns.excluded_statuses}
    return statuses.str.strip_prefix("wc-").is_in(words) | statuses.is_in(words)


def status_note(table: Table, columns: Columns) -> tuple[str, ...]:
    """A sentence that says which statuses count."""
    if "status" not in table.present:
        return ()
    texts = table.texts["status"]
    counted = texts.filter(~excluded(texts, columns) & ~is_blank(texts)).str.strip_chars().unique()
    listed = ", ".join(f'"{status[:_SHOWN]}"' for status in counted.sort()[:_STATUSES])
    more = f" and {len(counted) - _STATUSES} more" if len(counted) > _STATUSES else ""
    return (f"orders of these statuses count ({columns.status_column}): {listed}{more}",)


def option(name: str, columns: Columns) -> str:
    """How to name the column of statuses that a remedy needs."""
    place = f' in place of "{columns.status_column}"' if columns.status_column else ""
    return f'status_column to "{name}"{place}'
