"""Rows in; orders, and the reason for every row that is in none of them, out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from container.contract.orders import Columns, DataReport, Rejection
from container.errors import DataError, InvalidRequest, Problem
from container.histories import Histories, date_of
from container.ingest import cells
from container.ingest.netting import net
from container.ingest.table import Table, names

_REASONS = tuple(Rejection)
_AT_ONCE = 20  # problems that a strict caller is told of


@dataclass(frozen=True)
class Cleaned:
    """What came out of the transactions.

    histories  the orders of every customer who has one; customers sorted by id
    report     what became of every row
    seen       every readable customer id, with orders or not, in the sequence of the rows
    columns    as given; with a date_format where the values decided that the day comes first, so
               that a smaller file is read alike
    """

    histories: Histories
    report: DataReport
    seen: list[str]
    columns: Columns


def clean(table: Table, columns: Columns, where: str, *, strict: bool = False) -> Cleaned:
    """Make orders of the rows of `where`, as messages call them.

    Raises DataError where there are no rows or none can be used. A `strict` caller gets an
    InvalidRequest for cells that cannot be read, and is left to speak to the customers who were
    seen and have no orders.
    """
    if not len(table):
        raise DataError(f"{where} names columns but has no rows")
    dates = cells.dates(table.columns["date"].texts, columns.date_format)
    columns = columns.model_copy(update={"date_format": dates.date_format})
    ids, customers = cells.ranks(cells.identifiers(table.columns["customer"].texts))
    products, codes = cells.ranks(cells.identifiers(table.columns["product"].texts))
    cells_of = {"customer": customers, "product": codes, "moment": dates.moments}

    lines, reason = _lines(table, columns, customers, codes, dates.moments)
    problems = _problems(table, columns, reason)
    if strict and problems:
        raise InvalidRequest(problems)
    seen = lines["customer"].unique(maintain_order=True)
    counts = _count(reason)

    lines = lines.filter(reason < 0)
    no_products = {code.upper() for code in columns.non_product_codes}
    # The last one is that of -1, a line without a product.
    no_product = np.array([product.upper() in no_products for product in products] + [False])
    reason = _first(
        {
            Rejection.DUPLICATE: _repeated(lines),
            Rejection.NON_PRODUCT: no_product[lines["product"].to_numpy()],
            Rejection.NO_PRICE: (lines["price"] * lines["units"].abs() <= 0).to_numpy(),
        }
    )
    counts += _count(reason)

    lines = lines.filter(reason < 0).with_columns(pl.col("units").abs())
    left, found = net(lines)
    cancels = lines["cancels"].to_numpy()
    reason = _first(
        {
            Rejection.CANCELLATION: cancels & found,
            Rejection.UNMATCHED_CANCELLATION: cancels,
            Rejection.CANCELLED: left == 0,
        }
    )
    counts += _count(reason)

    histories = _orders(ids, lines.with_columns(left=left).filter(reason < 0))
    ...
