"""Orders of several hosts: each reads its files, then every host receives the orders of all.

Orders are small beside what a fit makes of them, so every host splits, filters, forecasts and
evaluates by itself, and only fits are distributed. An order takes 36 bytes, 4 more for each bucket
of a hashed column, and its customer some; while they are exchanged a host holds them three times.

See docs/decisions/training.md#several-hosts-share-orders-and-divide-fits.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ordergap import ingest
from ordergap.contract.orders import Columns, Conventions, DataReport, Rejection
from ordergap.errors import DataError
from ordergap.histories import ORDER_COLUMNS, Histories
from ordergap.hosts import Hosts
from ordergap.ingest import Cleaned

_ARRAYS = {"offsets": np.int64, **ORDER_COLUMNS}
_REMEDY = (
    "set the channel's S3DataDistributionType to ShardedByS3Key, with all lines of a customer in "
    "files of one host"
)


def read(
    hosts: Hosts,
    source: ingest.Orders | None,
    columns: Columns,
    content_type: str | None,
    known: Conventions | None = None,
) -> Cleaned:
    """The orders of all hosts, each of which reads its own `source`, if it has one.

    The conventions by which cells are written are decided from the files of all hosts, unless they
    are `known`. Raises DataError where two hosts have the same orders, where a customer has orders
    on two hosts, and where there are no orders at all.
    """
    if hosts.size == 1 and source is not None:
        return ingest.read(source, columns, content_type, known=known)
    # SageMaker leaves the folder of a host empty where there are fewer files than hosts.
    present = source is not None and ingest.has_data(source)
    rows = ingest.tabulate(source, columns, content_type, known) if source and present else None
    own = rows.evidence(columns) if rows else ingest.Evidence()
    shown = hosts.gather(own.model_dump_json().encode())
    evidence = map(ingest.Evidence.model_validate_json, shown)
    decided = ingest.decide(ingest.Evidence.join(evidence), columns, known)
    own_days = rows.by_day(columns, decided) if rows else {}
    days: Counter[int] = Counter()
    for each in hosts.gather(json.dumps([*own_days.items()]).encode()):
        days.update(dict(json.loads(each)))
    if rows:
        cleaned = rows.clean(columns, decided, part=True, whole=days)
    else:
        cleaned = _nothing(decided, columns)
    parts = dict(zip(hosts.names, map(_unpack, hosts.gather(_pack(cleaned))), strict=True))
    _check_disjoint({name: histories for name, (histories, _) in parts.items()})
    whole = Histories.concat([histories for histories, _ in parts.values()])
    report = DataReport.join([report for _, report in parts.values()])
    if report.revenue is not None:  # added up once, as a single host does
        report = report.model_copy(update={"revenue": math.fsum(whole.amount)})
    notes = (*report.notes, *ingest.absurd_share(whole))
    report = report.model_copy(update={"notes": notes})
    where = f"{hosts.size} hosts"
    ingest.raise_for_unreadable(report, columns, where)
    if not len(whole):
        raise DataError(
            ingest.describe_rejections(where, report)
            if report.rows_read
            else f"{where} have no rows: put CSV, Parquet or JSON Lines into the training channel"
        )
    return replace(cleaned, histories=whole, report=report, seen=whole.customer_ids)


def _nothing(decided: ingest.Decided, columns: Columns) -> Cleaned:
    """What a host without files has."""
    empty, none = np.empty(0), np.empty(0, np.int64)
    no_lines = np.empty((0, columns.hash_buckets + 1), np.uint32)
    buckets = dict.fromkeys(columns.hashed_columns, no_lines)
    histories = Histories.from_orders([], none, none.astype(np.int32), empty, buckets=buckets)
    rejected: dict[Rejection, int] = dict.fromkeys(Rejection, 0)
    return Cleaned(
        histories,
        DataReport(
            rows_read=0, rows_used=0, rejected=rejected, customers=0, orders=0, revenue=0.0,
            first_day=None, last_day=None, conventions=decided.conventions,
            notes=("a host had no data files",),
        ),
        [],
    )  # fmt: skip


def _pack(cleaned: Cleaned) -> bytes:
    """Orders and report, as bytes for the other hosts."""
    histories = cleaned.histories
    header = {
        "ids": histories.customer_ids,
        "orders": len(histories),
        "buckets": {name: counts.shape[1] for name, counts in histories.buckets.items()},
        "report": cleaned.report.model_dump(mode="json"),
    }
    arrays = (getattr(histories, name).astype(kind).tobytes() for name, kind in _ARRAYS.items())
    counts = (each.tobytes() for each in histories.buckets.values())
    return b"".join([json.dumps(header).encode(), b"\n", *arrays, *counts])


def _unpack(content: bytes) -> tuple[Histories, DataReport]:
    end = content.index(b"\n") + 1
    header = json.loads(content[:end])
    arrays: dict[str, Any] = {}
    for name, kind in _ARRAYS.items():
        count = len(header["ids"]) + 1 if name == "offsets" else header["orders"]
        arrays[name] = np.frombuffer(content, kind, count, end)
        end += arrays[name].nbytes
    buckets: dict[str, Any] = {}
    for name, width in header["buckets"].items():
        counts = np.frombuffer(content, np.uint32, header["orders"] * width, end)
        buckets[name] = counts.reshape(-1, width)
        end += counts.nbytes
    histories = Histories(header["ids"], **arrays, buckets=buckets)
    return histories, DataReport.model_validate(header["report"])


def _check_disjoint(parts: Mapping[str, Histories]) -> None:
    """DataError where two hosts have the same orders, or a customer has orders on two hosts."""
    digests: dict[str, str] = {}
    for host, histories in parts.items():
        if len(histories) and (other := digests.setdefault(histories.digest(), host)) != host:
            raise DataError(f"hosts {other} and {host} have the same transactions: {_REMEDY}")
    host_of: dict[str, str] = {}
    repeated: dict[str, str] = {}
    for host, histories in parts.items():
        repeated |= {each: host for each in histories.customer_ids if each in host_of}
        host_of = dict.fromkeys(histories.customer_ids, host) | host_of
    if repeated:
        customer, host = next(iter(repeated.items()))
        raise DataError(
            f"{len(repeated):,} of {len(host_of):,} customers have orders on several hosts, such "
            f"as {customer} on {host_of[customer]} and {host}: {_REMEDY}"
        )
