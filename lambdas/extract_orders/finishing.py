"""The second pass, shard by shard: write its training file and its scoring records."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import polars as pl
from ordergap import ingest
from ordergap.contract.orders import Columns
from ordergap.ingest.cells import dates

from lambdas.extract_orders.account import Account
from lambdas.extract_orders.scoring import records
from lambdas.extract_orders.shards import Shards


def finish(
    rows: Shards,
    reused: Callable[[int], pl.DataFrame],
    as_of: datetime.date,
    account: Account,
    upload: Callable[[int, Path], None],
    *,
    iso: bool,
) -> Iterator[bytes]:
    """Upload every shard's training file, add to the account, and yield the scoring records.

    reused  a shard's rows from an earlier run
    iso     whether the dates begin with the day in ISO 8601

    Training files hold the rows until `as_of` unchanged. The training job cleans them by the same
    code as is used here, so its own report accounts for each of them.
    """
    columns = rows.cleaning()
    for shard in range(rows.count):
        # Where rows are reused, the database has counted those after as_of.
        old, _, last_reused = _until(as_of, reused(shard), columns, iso)
        new, late, last = _until(as_of, pl.concat([old.clear(), *rows.take(shard)]), columns, iso)
        account.later += late
        account.rows_reused += len(old)
        account.advance(last, last_reused)
        file = rows.folder / "shard.parquet"
        pl.concat([old, new]).write_parquet(file)
        upload(shard, file)
        cleaned = ingest.read(file, columns, part=True, as_of=as_of)
        account.add(cleaned.report)
        yield from records(cleaned.histories, as_of)


def _until(
    as_of: datetime.date, frame: pl.DataFrame, columns: Columns, iso: bool
) -> tuple[pl.DataFrame, int, datetime.date | None]:
    """The rows until `as_of`, the number of rows after it, and the last day until it."""
    texts = frame[columns.date_column]
    if iso:  # texts sort as the dates do
        late = texts >= (as_of + datetime.timedelta(1)).isoformat()
        moments = dates(texts.filter(~late).sort().tail(1), columns.date_format).moments
    else:
        distinct = texts.fill_null("").unique()
        moments = dates(distinct, columns.date_format).moments
        late = texts.is_in(distinct.filter(moments.dt.date() > as_of).implode())
    remaining = frame.filter(~late.fill_null(value=False))
    days = moments.dt.date()
    last = cast("datetime.date | None", days.filter(days <= as_of).max())
    return remaining, len(frame) - len(remaining), last
