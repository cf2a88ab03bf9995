"""What all workers have done: counts in memory that they share.

Each worker adds to its own row, so that none waits for another. Whichever worker answers a scrape
sums the rows. The row of a worker that has ended goes, with its counts, to the next one.

See docs/decisions/serving.md#counts-live-in-memory-that-the-workers-share.
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_left
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.reference import BINS, MOST_FEATURES
from ordergap.serving.formats import large_purchases, statuses
from ordergap.serving.formats.codecs import DECODERS

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the buckets of durations; the platform waits no longer than the last."""

OTHER = "other"
PATHS = (
    OTHER, "/", "/ping", "/invocations", "/execution-parameters", "/metrics", "/openapi.json",
    "/report", "/favicon.ico",
)  # fmt: skip
_OF_HTTP = {200, 404, 405, 408, 414, 431}
STATUSES = (OTHER, *map(str, sorted({*_OF_HTTP, *statuses.STATUSES.values()})))
FORMS = (OTHER, "", *DECODERS, large_purchases.FORM)
"""Media types of requests without their parameters; empty where a request has none."""

Series = tuple[str, str, str]
_SERIES: tuple[Series, ...] = tuple(product(PATHS, STATUSES, FORMS))

_IN_FLIGHT, _CONNECTIONS, _RECORDS, _REJECTED, _SECONDS, _BUCKETS = range(6)
_RESPONSES = _BUCKETS + len(SECONDS) + 1
_SERVED = _RESPONSES + len(_SERIES)
_WIDTH = _SERVED + MOST_FEATURES * (BINS + 1)
_COLUMNS = {series: _RESPONSES + i for i, series in enumerate(_SERIES)}


@dataclass(frozen=True)
class Total:
    """The sum over all workers.

    in_flight  requests to /invocations that are being answered
    records    customers forecast
    rejected   requests refused because the queue was full
    seconds    spent on requests to /invocations
    buckets    these requests by duration: up to each of `SECONDS`, from the one before; then longer
    requests   (path, status, form) -> requests answered, where there are any
    served     latest orders of served customers: for each feature each bin's, as `Served` counts
    """

    in_flight: float
    records: float
    rejected: float
    seconds: float
    buckets: list[float]
    requests: dict[Series, float]
    served: list[float]


class Counts:
    """Counts that forked processes share; make them before the fork.

    workers  processes at once; while they are replaced there may be twice as many
    """

    def __init__(self, workers: int = 1) -> None:
        self._rows = 2 * workers
        # Eight bytes are written at once, so a reader sees a whole number.
        self._cells = memoryview(mmap.mmap(-1, self._rows * _WIDTH * 8)).cast("d")
        self._row = self._cells[:_WIDTH]
        self._row_of_worker: dict[int, int] = {}
        self._lock = threading.Lock()

    def add_worker(self, worker: int) -> None:
        """Give the worker of this number a row: in the parent, just before the fork."""
        free = {*range(self._rows)} - {*self._row_of_worker.values()}
        row = self._row_of_worker[worker] = min(free, default=self._rows - 1)
        self._row = self._cells[row * _WIDTH : (row + 1) * _WIDTH]

    def remove_worker(self, worker: int) -> None:
        """In the parent, once the worker has ended: what it had in flight ended with it."""
        if (row := self._row_of_worker.pop(worker, None)) is not None:
            self._cells[row * _WIDTH + _IN_FLIGHT] = 0.0
            self._cells[row * _WIDTH + _CONNECTIONS] = 0.0

    def set_connections(self, connections: int | None) -> None:
        """Publish this worker's number of connections; None: it accepts no more."""
        self._row[_CONNECTIONS] = 0.0 if connections is None else 1.0 + connections

    def fewest_connections(self) -> float:
        """The fewest connections of any worker that accepts more."""
        rows = range(_CONNECTIONS, self._rows * _WIDTH, _WIDTH)
        return min((value - 1 for row in rows if (value := self._cells[row])), default=0.0)

    def begin_invocation(self) -> None:
        """A request to /invocations came in; `end_invocation` must follow."""
        with self._lock:
            self._row[_IN_FLIGHT] += 1

    def end_invocation(self, seconds: float, records: int) -> None:
        """It is answered, with so many forecasts."""
        row = self._row
        with self._lock:
            row[_IN_FLIGHT] -= 1
            row[_RECORDS] += records
            row[_SECONDS] += seconds
            row[_BUCKETS + bisect_left(SECONDS, seconds)] += 1

    def count_response(self, path: str, status: int, form: str) -> None:
        """A request to any path is answered."""
        column = _COLUMNS[
            path if path in PATHS else OTHER,
            text if (text := str(status)) in STATUSES else OTHER,
            form if form in FORMS else OTHER,
        ]
        with self._lock:
            self._row[column] += 1

    def count_rejection(self) -> None:
        """A request was refused because the queue was full."""
        with self._lock:
            self._row[_REJECTED] += 1

    def count_served(self, orders: NDArray[np.int64]) -> None:
        """Latest orders of customers forecast: for each feature those in each of BINS + 1 bins."""
        with self._lock:
            row = np.asarray(self._row[_SERVED:])  # a view
            row[: len(orders)] += orders

    def total(self) -> Total:
        """The sum over all workers, including those that have ended."""
        cells = np.array(self._cells).reshape(self._rows, _WIDTH).sum(axis=0).tolist()
        return Total(
            in_flight=cells[_IN_FLIGHT],
            records=cells[_RECORDS],
            rejected=cells[_REJECTED],
            seconds=cells[_SECONDS],
            buckets=cells[_BUCKETS:_RESPONSES],
            requests={s: n for s, n in zip(_SERIES, cells[_RESPONSES:_SERVED], strict=True) if n},
            served=cells[_SERVED:],
        )
