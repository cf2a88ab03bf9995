"""What all workers have done: counts in memory that they share.

Every worker adds to a row of its own, so that none waits for another; who reads adds the rows up,
whichever worker that is. A worker that ends leaves its counts in the row to its successor.
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_left
from dataclasses import dataclass
from itertools import product

import numpy as np

from ordergap.serving.formats.codecs import DECODERS

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the durations' buckets; the platform waits no longer than the last."""

OTHER = "other"
PATHS = (
    OTHER, "/", "/ping", "/invocations", "/execution-parameters", "/metrics", "/openapi.json",
    "/report", "/favicon.ico",
)  # fmt: skip
STATUSES = (
    OTHER, "200", "400", "404", "405", "406", "408", "413", "414", "415", "431", "500", "503",
)  # fmt: skip
FORMS = (OTHER, "", *DECODERS)
"""Media types of requests without their parameters; nothing where none was told."""

Series = tuple[str, str, str]
_SERIES: tuple[Series, ...] = tuple(product(PATHS, STATUSES, FORMS))

_IN_FLIGHT, _OPEN, _RECORDS, _REJECTED, _SECONDS, _BUCKETS = range(6)
_REQUESTS = _BUCKETS + len(SECONDS) + 1
_WIDTH = _REQUESTS + len(_SERIES)
_PLACES = {series: _REQUESTS + i for i, series in enumerate(_SERIES)}


@dataclass(frozen=True)
class Total:
    """The sum over all workers.

    in_flight  requests to /invocations that are being answered
    records    customers forecast
    rejected   requests turned away because too many were waiting
    seconds    spent on requests to /invocations
    buckets    of these, answered within each of `SECONDS` but not the one before; the last: later
    requests   (path, status, form) -> requests answered; only those that came
    """

    in_flight: float
    records: float
    rejected: float
    seconds: float
    buckets: list[float]
    requests: dict[Series, float]


class Counts:
    """Counts that processes share once they are forked: to be made before that.

    workers  that run at once; while they are replaced there may be twice as many
    """

    def __init__(self, workers: int = 1) -> None:
        self._rows = 2 * workers
        # Eight bytes are written at once, so a reader sees a whole number.
        self._cells = memoryview(mmap.mmap(-1, self._rows * _WIDTH * 8)).cast("d")
        self._mine = self._cells[:_WIDTH]
        self._seats: dict[int, int] = {}
        self._lock = threading.Lock()

    def seat(self, worker: int) -> None:
        """Give the worker of this number a row: in the parent, just before the fork."""
        free = {*range(self._rows)} - {*self._seats.values()}
        row = self._seats[worker] = min(free, default=self._rows - 1)
        self._mine = self._cells[row * _WIDTH : (row + 1) * _WIDTH]

    def unseat(self, worker: int) -> None:
        """In the parent, once the worker has ended: what it had in flight ended with it."""
        if (row := self._seats.pop(worker, None)) is not None:
            self._cells[row * _WIDTH + _IN_FLIGHT] = 0.0
            self._cells[row * _WIDTH + _OPEN] = 0.0

    def open(self, connections: int | None) -> None:
        """This worker has so many connections; None: it takes no further ones."""
        self._mine[_OPEN] = 0.0 if connections is None else 1.0 + connections

    def fewest_open(self) -> float:
        """The fewest connections that a worker has which takes further ones."""
        rows = range(_OPEN, self._rows * _WIDTH, _WIDTH)
        return min((told - 1 for row in rows if (told := self._cells[row])), default=0.0)

    def begin(self) -> None:
        """A request to /invocations came in; `end` must follow."""
        with self._lock:
            self._mine[_IN_FLIGHT] += 1

    def end(self, seconds: float, records: int) -> None:
        """It is answered, with so many forecasts."""
        mine = self._mine
        with self._lock:
            mine[_IN_FLIGHT] -= 1
            mine[_RECORDS] += records
            mine[_SECONDS] += seconds
            mine[_BUCKETS + bisect_left(SECONDS, seconds)] += 1

    def answered(self, path: str, status: int, form: str) -> None:
        """A request to any path is answered."""
        place = _PLACES[
            path if path in PATHS else OTHER,
            told if (told := str(status)) in STATUSES else OTHER,
            form if form in FORMS else OTHER,
        ]
        with self._lock:
            self._mine[place] += 1

    def rejected(self) -> None:
        """A request was turned away because too many were waiting."""
        with self._lock:
            self._mine[_REJECTED] += 1

    def total(self) -> Total:
        """The sum over all workers, those that ended included."""
        cells = np.array(self._cells).reshape(self._rows, _WIDTH).sum(axis=0).tolist()
        return Total(
            in_flight=cells[_IN_FLIGHT],
            records=cells[_RECORDS],
            rejected=cells[_REJECTED],
            seconds=cells[_SECONDS],
            buckets=cells[_BUCKETS:_REQUESTS],
            requests={s: n for s, n in zip(_SERIES, cells[_REQUESTS:], strict=True) if n},
        )
