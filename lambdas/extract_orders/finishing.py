"""The second pass, shard by shard: write its training file and its scoring records."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import polars as pl
from ordergap import ingest
from ordergap.contract.orders import Columns
from ordergap.ingest.plausibility import EMPTY_DAYS

from lambdas.extract_orders.account import Account
from lambdas.extract_orders.scoring import Record, records
from lambdas.extract_orders.shards import ROW, Shards, days
from lambdas.extract_orders.sums import by_day


def settled(columns: Columns, decided: ingest.Decided) -> Columns:
    """The columns with what was decided from all rows, as no single file need show it.

    They are no narrower than what was found: dates of other forms are read as before.
    """
    found = decided.conventions
    return columns.model_copy(
        update={
            "date_format": columns.date_format or found.date_order,
            "decimal": found.decimal or "auto",
        }
    )


def finish(
    rows: Shards,
    columns: Columns,
    decided: ingest.Decided,
    as_of: datetime.date,
    account: Account,
    upload: Callable[[int, Path], None],
    *,
    counted_from: datetime.date | None,
    known: pl.DataFrame,
) -> Iterator[Record]:
    """Upload every shard's training file, add to the account, and yield the scoring records.

    columns       how the files are read, by training too
    counted_from  the first day whose rows the database has counted in the account, in a database
                  whose dates begin with the day in ISO 8601; None: it has counted none
    known         the customers' attributes, see `records`

    Training files hold the rows until `as_of` unchanged. The training job cleans them by the same
    code as is used here, so its own report accounts for each of them.
    """
    whole = _rows_by_day(rows, columns, decided, as_of)
    for shard in range(rows.count):
        parts = []
        for alone in (False, True):
            frame, last, late = _until(as_of, rows.read(shard, alone=alone), columns)
            if counted_from:
                late = late.filter(late < counted_from.isoformat())
            account.later += len(late)
            account.rows_reused += int((frame[ROW] < rows.reused).sum())
            account.advance(last)
            parts.append(frame.drop(ROW))
        rows.delete(shard)
        file = rows.folder / f"shard-{shard:05}.parquet"
        pl.concat(parts).write_parquet(file)
        upload(shard, file)
        file.unlink()
        before = 0
        for part in parts:
            if before and part.is_empty():
                continue
            tabulated = ingest.tabulate(part, columns)
            cleaned = tabulated.clean(columns, decided, part=True, whole=whole, as_of=as_of)
            account.add(cleaned.report, file.name, before)
            account.sums.append(by_day(_dated(part, columns), cleaned.histories))
            before += len(part)
            yield from records(cleaned.histories, as_of, known)


def _rows_by_day(
    rows: Shards, columns: Columns, decided: ingest.Decided, as_of: datetime.date
) -> Counter[int] | None:
    """The number of rows of each day, which shows dates that are far from all others.

    None where no date is, as is plain from the days alone.
    """
    every: set[datetime.date] = set()
    parts = [(shard, alone) for shard in range(rows.count) for alone in (False, True)]
    for shard, alone in parts:
        texts = rows.read(shard, [ROW, columns.date_column], alone=alone)[columns.date_column]
        every.update(days(texts.unique(), columns).drop_nulls().unique())
    present = pl.Series(sorted(day for day in every if day <= as_of), dtype=pl.Date)
    if not (present.diff() > datetime.timedelta(EMPTY_DAYS)).any():
        return None
    whole: Counter[int] = Counter()
    for shard, alone in parts:
        frame, _, _ = _until(as_of, rows.read(shard, alone=alone).drop(ROW), columns)
        whole += ingest.tabulate(frame, columns).by_day(columns, decided)
    return whole


def _dated(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """The day of each distinct date, and the number of its rows."""
    counted = frame[columns.date_column].value_counts(name="rows")
    return counted.select(day=days(counted[columns.date_column], columns), rows="rows")


def _until(
    as_of: datetime.date, frame: pl.DataFrame, columns: Columns
) -> tuple[pl.DataFrame, datetime.date | None, pl.Series]:
    """The rows until `as_of`, the last day of one, and the dates of the rows after it, as text."""
    texts = frame[columns.date_column]
    distinct = texts.unique().drop_nulls()
    day = days(distinct, columns)
    late = texts.is_in(distinct.filter(day > as_of).implode()).fill_null(value=False)
    last = cast("datetime.date | None", day.filter(day <= as_of).max())
    return frame.filter(~late), last, texts.filter(late)
