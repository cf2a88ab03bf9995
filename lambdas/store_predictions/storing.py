"""Store an object of predictions line by line, with many concurrent writes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.errors import StoreUnfinished
from lambdas.store_predictions.items import Stamp, Unstorable, item, prediction
from lambdas.store_predictions.lines import Line, lines
from lambdas.store_predictions.progress import Progress
from lambdas.store_predictions.writing import Table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from ordergap.contract.leads import LeadPrediction
    from ordergap.contract.prediction import CustomerFields

SAVE_EVERY = 5000  # lines
_AHEAD = 4  # pending lines for each concurrent write


def store(
    s3: S3Client, bucket: str, progress: Progress, table: Table, stamp: Stamp, concurrency: int
) -> None:
    """Store the lines that `progress` does not count yet, and count them in their order.

    A line is counted once its outcome is known and those of all lines before it. Raises
    StoreUnfinished where time runs out or a connection breaks, and ClientError where the table
    rejects a write. Progress is saved then; a retry repeats the writes beyond it, without effect.
    """
    pool = ThreadPoolExecutor(concurrency)
    pending = _Pending(pool, progress, table, stamp)
    try:
        for line in _remaining_lines(s3, bucket, progress):
            pending.add(line)
            if len(pending) >= concurrency * _AHEAD:
                pending.count_oldest()
        while len(pending):
            pending.count_oldest()
        progress.finish()
    except (StoreUnfinished, BotoCoreError, ClientError) as error:
        progress.save()
        if isinstance(error, ClientError):
            raise
        ledger = progress.ledger
        raise StoreUnfinished(
            f"{ledger.lines:,} lines of {ledger.key} are stored, then {error}; a retry continues"
        ) from error
    finally:
        table.stop()
        pool.shutdown(cancel_futures=True)


def _remaining_lines(s3: S3Client, bucket: str, progress: Progress) -> Iterator[Line]:
    """The lines of the object that are not counted yet."""
    ledger = progress.ledger
    if ledger.offset >= progress.size:
        return
    response = s3.get_object(
        Bucket=bucket, Key=ledger.key, Range=f"bytes={ledger.offset}-", IfMatch=ledger.etag
    )
    yield from lines(response["Body"].iter_chunks(2**16), ledger.offset)


class _Entry(NamedTuple):
    line: Line
    forecast: CustomerFields | LeadPrediction | None
    """None where the line is rejected."""
    outcome: Future[bool] | bool | str
    """A pending write, whether it was written, or the reason why it was rejected."""


class _Pending:
    """The lines that are being written and not counted yet, in their order."""

    def __init__(
        self, pool: ThreadPoolExecutor, progress: Progress, table: Table, stamp: Stamp
    ) -> None:
        self._pool = pool
        self._progress = progress
        self._table = table
        self._stamp = stamp
        self._entries: deque[_Entry] = deque()
        self._customers: set[str] = set()
        self._object = progress.ledger.key.rpartition("/")[2]

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, line: Line) -> None:
        """Start writing the line, unless it is invalid or its customer is pending already."""
        number = self._progress.ledger.lines + len(self._entries) + 1
        try:
            forecast = prediction(line.text, self._stamp.as_of)
            new_item = item(forecast, self._stamp, f"{self._object}#{number}")
        except Unstorable as error:
            self._entries.append(_Entry(line, None, str(error)))
            return
        customer = forecast.customer_id
        if customer in self._customers:
            self._entries.append(_Entry(line, forecast, False))
            return
        self._customers.add(customer)
        self._entries.append(_Entry(line, forecast, self._pool.submit(self._table.put, new_item)))

    def count_oldest(self) -> None:
        """Wait for the oldest line, and count it."""
        line, forecast, outcome = self._entries.popleft()
        if isinstance(outcome, Future):
            outcome = outcome.result()
            if forecast:
                self._customers.discard(forecast.customer_id)
        self._progress.count(line, forecast, outcome)
        if self._progress.ledger.lines % SAVE_EVERY == 0:
            self._progress.save()
        if self._table.time_is_short:
            raise StoreUnfinished("time ran out")
