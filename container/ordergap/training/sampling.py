"""Whom a job learns from: everybody, or a sample of customers where there are very many orders.

See docs/decisions/training.md#of-many-orders-a-sample-of-customers-is-learnt-from.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.metrics import LearntFrom
from ordergap.evaluation.compare import MOST_CUSTOMERS
from ordergap.histories import Histories
from ordergap.leads.table import LeadTable

log = logging.getLogger("ordergap")

_ALL = 1 << 32


@dataclass(frozen=True)
class Sample:
    """The customers whose id has a CRC-32 below `limit`.

    It is of the id alone, so that a customer is in the sample of every file, and leads are who
    become such customers.
    """

    limit: int = _ALL

    def orders(self, histories: Histories) -> Histories:
        """Those of the sample."""
        if self.limit == _ALL:
            return histories
        return histories.of(self._has(histories.customer_ids))

    def leads(self, table: LeadTable | None) -> LeadTable | None:
        """Those of the sample; a lead whose orders are not seen would seem never to order."""
        if table is None or self.limit == _ALL:
            return table
        return table.pick(np.flatnonzero(self._has(table.lead_ids)))

    def _has(self, ids: Sequence[str]) -> NDArray[np.bool_]:
        return _hashes(ids) < self.limit


def draw(histories: Histories, most_orders: int) -> Sample:
    """As many customers as have `most_orders` orders or fewer; everybody where that is all."""
    if len(histories) <= most_orders:
        return Sample()
    hashes = _hashes(histories.customer_ids)
    by_hash = np.argsort(hashes, kind="stable")
    fit = int(np.searchsorted(histories.order_count[by_hash].cumsum(), most_orders, side="right"))
    return Sample(int(hashes[by_hash[fit]]))


def learnt_from(histories: Histories, sampled: Histories) -> LearntFrom | None:
    """What the `sampled` orders are of all; None where they are all."""
    if len(sampled) == len(histories):
        return None
    return LearntFrom(
        customers=len(sampled.customer_ids),
        orders=len(sampled),
        of_customers=len(histories.customer_ids),
        of_orders=len(histories),
    )


def interval_customers(sampled: Histories) -> int | None:
    """The most customers that intervals are computed from; None where that is all."""
    return MOST_CUSTOMERS if len(sampled.customer_ids) > MOST_CUSTOMERS else None


def notes(histories: Histories, sampled: Histories) -> tuple[str, ...]:
    """What was left out, in sentences for the report, which are logged."""
    found = []
    if learnt := learnt_from(histories, sampled):
        found.append(
            f"learnt from and validated on {learnt.orders:,} of {learnt.of_orders:,} orders: those "
            f"of {learnt.customers:,} of {learnt.of_customers:,} customers, a sample by the CRC-32 "
            f"of their ids; most_orders sets how many; forecasts are of everybody"
        )
    return _logged([*found, *_of_intervals(sampled)])


def backtest_notes(histories: Histories, most_orders: int) -> tuple[str, ...]:
    """The same, of orders before several cutoffs."""
    found = []
    if len(histories) > most_orders:
        found.append(
            f"where more than {most_orders:,} orders lie before a cutoff, those of a sample of "
            "customers are learnt from and judged; most_orders sets how many"
        )
    return _logged([*found, *_of_intervals(draw(histories, most_orders).orders(histories))])


def _of_intervals(sampled: Histories) -> Iterator[str]:
    if most := interval_customers(sampled):
        yield (
            f"intervals of metrics are of {most:,} customers, drawn once, and scaled to all "
            f"{len(sampled.customer_ids):,}"
        )


def _logged(notes: list[str]) -> tuple[str, ...]:
    for each in notes:
        log.info("  %s", each)
    return tuple(notes)


def _hashes(ids: Sequence[str]) -> NDArray[np.int64]:
    return np.array([zlib.crc32(each.encode()) for each in ids], np.int64)
