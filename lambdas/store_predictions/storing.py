"""The object of predictions line by line into the table, many writes at once."""

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

SAVE_EVERY = 5000  # lines
_AHEAD = 4  # lines begun for each write that can be under way


def store(
    s3: S3Client, bucket: str, progress: Progress, table: Table, stamp: Stamp, concurrency: int
) -> None:
    """Store the lines that `progress` does not count yet, and count them in their order.

    A line is counted once its fate is certain and that of all before it. Raises StoreUnfinished
    when time is short or a connection broke, and ClientError when the table refuses; in both cases
    progress is saved, and what was written beyond it will be written again, the same.
    """
    pool = ThreadPoolExecutor(concurrency)
    under_way = _UnderWay(pool, progress, table, stamp)
    try:
        for line in _rest(s3, bucket, progress):
            under_way.begin(line)
            if len(under_way) >= concurrency * _AHEAD:
                under_way.settle_first()
        while len(under_way):
            under_way.settle_first()
        progress.finish()
    except (StoreUnfinished, BotoCoreError, ClientError) as error:
        progress.save()
        if isinstance(error, ClientError):
            raise
        ledger = progress.ledger
        raise StoreUnfinished(
            f"{ledger.lines:,} lines of {ledger.key} are stored, then {error}; try again to go on"
        ) from error
    finally:
        table.stop()
        pool.shutdown(cancel_futures=True)


def _rest(s3: S3Client, bucket: str, progress: Progress) -> Iterator[Line]:
    """The lines of the object from where progress ends."""
    ledger = progress.ledger
    if ledger.offset >= progress.size:
        return
    found = s3.get_object(
        Bucket=bucket, Key=ledger.key, Range=f"bytes={ledger.offset}-", IfMatch=ledger.etag
    )
    yield from lines(found["Body"].iter_chunks(2**16), ledger.offset)


class _Begun(NamedTuple):
    line: Line
    customer: str | None
    fate: Future[bool] | bool | str
    """Being written; not to be written; or why it was rejected."""


class _UnderWay:
    """Lines that are begun and not yet counted, in their order."""

    def __init__(
        self, pool: ThreadPoolExecutor, progress: Progress, table: Table, stamp: Stamp
    ) -> None:
        self._pool = pool
        self._progress = progress
        self._table = table
        self._stamp = stamp
        self._begun: deque[_Begun] = deque()
        self._customers: set[str] = set()
        self._object = progress.ledger.key.rpartition("/")[2]

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self, line: Line) -> None:
        """Write the line, unless it is no prediction or its customer is being written already."""
        number = self._progress.ledger.lines + len(self._begun) + 1
        try:
            found = prediction(line.text, self._stamp.as_of)
        except Unstorable as error:
            self._begun.append(_Begun(line, None, str(error)))
            return
        customer = found.customer_id
        if customer in self._customers:
            self._begun.append(_Begun(line, None, False))
            return
        self._customers.add(customer)
        made = item(found, self._stamp, f"{self._object}#{number}")
        self._begun.append(_Begun(line, customer, self._pool.submit(self._table.put, made)))

    def settle_first(self) -> None:
        """Wait for the oldest line and count it."""
        line, customer, fate = self._begun.popleft()
        self._progress.count(line, fate.result() if isinstance(fate, Future) else fate)
        if customer is not None:
            self._customers.discard(customer)
        if self._progress.ledger.lines % SAVE_EVERY == 0:
            self._progress.save()
        if self._table.time_is_short:
            raise StoreUnfinished("time ran out")
