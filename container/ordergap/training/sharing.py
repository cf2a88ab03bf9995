"""Transactions that lie on several hosts: each reads its share, then all have all orders.

Orders are small beside what a fit makes of them, so every host splits, filters, forecasts and
judges as if it were alone, and only fits are shared out. An order takes 36 bytes, and some more
for its customer; while they are sent a host holds them three times.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ordergap import ingest
from ordergap.contract.orders import Columns, DataReport, Rejection
from ordergap.errors import DataError
from ordergap.histories import ORDER_COLUMNS, Histories, date_of
from ordergap.hosts import Hosts
from ordergap.ingest import Cleaned

_ARRAYS = {"offsets": np.int64, **ORDER_COLUMNS}
_SHARDED = (
    "set the channel's S3DataDistributionType to ShardedByS3Key, with all lines of a customer in "
    "files of one host"
)


def read(hosts: Hosts, source: Path | None, columns: Columns, content_type: str | None) -> Cleaned:
    """The transactions of all hosts, each of which has those in its own `source`, or none.

    Raises DataError where hosts have the same transactions, or the same customers, or none has any.
    """
    if hosts.size == 1 and source:
        return ingest.read(source, columns, content_type)
    mine = _share(source, columns, content_type)
    mine = _same_dates(hosts, mine, source, columns, content_type)
    parts = dict(zip(hosts.names, map(_unpacked, hosts.gather(_packed(mine))), strict=True))
    _refuse_shared({name: histories for name, (histories, _) in parts.items()})
    whole = Histories.concat([histories for histories, _ in parts.values()])
    report = _sum([report for _, report in parts.values()], whole)
    if not len(whole):
        reasons = [f"{count:,} {why.replace('_', ' ')}" for why, count in report.rejected.items()
                   if count]  # fmt: skip
        raise DataError(
            f"{hosts.size} hosts have {report.rows_read:,} rows and none of them can be used: "
            + (", ".join(reasons) or "put CSV, Parquet or JSON Lines into the training channel")
        )
    return replace(mine, histories=whole, report=report, seen=whole.customer_ids)


def _share(source: Path | None, columns: Columns, content_type: str | None) -> Cleaned:
    """What this host has, which may be nothing: a host without a file is given an empty folder."""
    if source and ingest.has_data(source):
        return ingest.read(source, columns, content_type, part=True)
    empty, none = np.empty(0), np.empty(0, np.int64)
    histories = Histories.from_orders([], none, none.astype(np.int32), empty)
    nothing: dict[Rejection, int] = dict.fromkeys(Rejection, 0)
    return Cleaned(
        histories,
        DataReport(
            rows_read=0, rows_used=0, rejected=nothing, customers=0, orders=0, revenue=0.0,
            first_day=None, last_day=None, notes=("a host had no data files",),
        ),
        [],
        columns,
    )  # fmt: skip


def _same_dates(
    hosts: Hosts, mine: Cleaned, source: Path | None, columns: Columns, content_type: str | None
) -> Cleaned:
    """Read anew where the dates of another host show how those of this one are meant."""
    told = [content.decode() for content in hosts.gather((mine.columns.date_format or "").encode())]
    found = next(filter(None, told), None)
    unreadable = 0
    if source and found and mine.columns.date_format != found and mine.report.rows_read:
        before = mine.report.rejected[Rejection.BAD_DATE]
        as_found = columns.model_copy(update={"date_format": found})
        mine = ingest.read(source, as_found, content_type, part=True)
        unreadable = mine.report.rejected[Rejection.BAD_DATE] - before
    elif found:
        mine = replace(mine, columns=columns.model_copy(update={"date_format": found}))
    if hosts.any(unreadable > 0):
        raise DataError(
            f"the dates of some hosts can only be {found} and those of others cannot: say how the "
            "dates are meant with date_format, or write them as 2011-12-09"
        )
    return mine


def _packed(cleaned: Cleaned) -> bytes:
    """Orders and account, for another host."""
    histories = cleaned.histories
    said = {
        "ids": histories.customer_ids,
        "orders": len(histories),
        "report": cleaned.report.model_dump(mode="json"),
    }
    arrays = (getattr(histories, name).astype(kind).tobytes() for name, kind in _ARRAYS.items())
    return b"".join([json.dumps(said).encode(), b"\n", *arrays])


def _unpacked(content: bytes) -> tuple[Histories, DataReport]:
    end = content.index(b"\n") + 1
    said = json.loads(content[:end])
    arrays = []
    for name, kind in _ARRAYS.items():
        count = len(said["ids"]) + 1 if name == "offsets" else said["orders"]
        arrays.append(np.frombuffer(content, kind, count, end))
        end += arrays[-1].nbytes
    return Histories(said["ids"], *arrays), DataReport.model_validate(said["report"])


def _refuse_shared(parts: Mapping[str, Histories]) -> None:
    """DataError where a customer is on two hosts, or all of a host's orders are."""
    seen: dict[str, str] = {}
    digests: dict[str, str] = {}
    for host, histories in parts.items():
        if len(histories) and (other := digests.setdefault(histories.digest(), host)) != host:
            raise DataError(f"hosts {other} and {host} have the same transactions: {_SHARDED}")
    split: dict[str, str] = {}
    for host, histories in parts.items():
        split |= {each: host for each in histories.customer_ids if each in seen}
        seen |= dict.fromkeys(histories.customer_ids, host)
    if split:
        customer, host = next(iter(split.items()))
        first = next(name for name, each in parts.items() if customer in each.customer_ids)
        raise DataError(
            f"{len(split):,} of {len(seen):,} customers have orders on several hosts, such as "
            f"{customer} on {first} and {host}: {_SHARDED}"
        )


def _sum(reports: Sequence[DataReport], whole: Histories) -> DataReport:
    """One account of all shares."""
    rejected = sum((Counter(report.rejected) for report in reports), Counter())
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    return DataReport(
        rows_read=sum(report.rows_read for report in reports),
        rows_used=sum(report.rows_used for report in reports),
        rejected={reason: rejected[reason] for reason in Rejection},
        customers=len(whole.customer_ids),
        orders=len(whole),
        revenue=math.fsum(whole.amount),
        first_day=date_of(whole.day.min()) if len(whole) else None,
        last_day=date_of(whole.day.max()) if len(whole) else None,
        notes=tuple(notes),
    )
