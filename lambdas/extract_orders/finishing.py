"""The second pass, shard by shard: a training file for each, and its customers to be scored."""

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
from lambdas.extract_orders.scoring import lines
from lambdas.extract_orders.shards import Shards


def finish(
    rows: Shards,
    taken_over: Callable[[int], pl.DataFrame],
    as_of: datetime.date,
    account: Account,
    upload: Callable[[int, Path], None],
    *,
    iso: bool,
) -> Iterator[bytes]:
    """Upload every shard's training file, add to the account, and yield the scoring lines.

    taken_over  a shard's rows from an earlier run
    iso         the dates begin with the day in ISO 8601

    Training files hold the rows until `as_of` as they came; the training job cleans them by the
    same code as is used here, so its own report accounts for every one of them.
    """
    columns = rows.cleaning()
    for shard in range(rows.count):
        # Where there is an earlier run to go by, the source itself has counted what is later.
        old, _, last_before = _until(as_of, taken_over(shard), columns, iso)
        new, late, last = _until(as_of, pl.concat([old.clear(), *rows.take(shard)]), columns, iso)
        account.later += late
        account.rows_reused += len(old)
        account.saw(last, last_before)
        file = rows.folder / "shard.parquet"
        pl.concat([old, new]).write_parquet(file)
        upload(shard, file)
        cleaned = ingest.read(file, columns, part=True, as_of=as_of)
        account.add(cleaned.report)
        yield from lines(cleaned.histories, as_of)


def _until(
    as_of: datetime.date, frame: pl.DataFrame, columns: Columns, iso: bool
) -> tuple[pl.DataFrame, int, datetime.date | None]:
    """The rows without those after `as_of`, how many those were, and the last day that is left."""
    texts = frame[columns.date_column]
    if iso:  # their order is that of the texts
        late = texts >= (as_of + datetime.timedelta(1)).isoformat()
        moments = dates(texts.filter(~late).sort().tail(1), columns.date_format).moments
    else:
        distinct = texts.fill_null("").unique()
        moments = dates(distinct, columns.date_format).moments
        late = texts.is_in(distinct.filter(moments.dt.date() > as_of).implode())
    left = frame.filter(~late.fill_null(value=False))
    days = moments.dt.date()
    last = cast("datetime.date | None", days.filter(days <= as_of).max())
    return left, len(frame) - len(left), last
