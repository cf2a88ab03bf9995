"""Progress: the log, for a caller of the Python interface who has not set up logging.

See docs/decisions/packages.md#progress-is-the-log.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from typing_extensions import override

log = logging.getLogger("ordergap")

_lock = threading.Lock()


class _Console(logging.StreamHandler[TextIO]):
    """Writes to stdout what the caller's own logging leaves out, and leaves the rest to that."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self._elsewhere = log.getEffectiveLevel() if log.hasHandlers() else sys.maxsize

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= self._elsewhere and log.parent:
            log.parent.handle(record)
        else:
            super().emit(record)


@contextmanager
def progress(*, quiet: bool) -> Iterator[None]:
    """Show the log on stdout while the block runs, and leave logging as it was.

    Who sets a level or a handler for the logger `ordergap`, or lets the root logger show INFO, sees
    the log there and not on stdout. `quiet` drops whatever this thread logs.
    """
    with _dropped() if quiet else _shown():
        yield


@contextmanager
def _dropped() -> Iterator[None]:
    thread = threading.get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    log.addFilter(of_others)
    try:
        yield
    finally:
        log.removeFilter(of_others)


@contextmanager
def _shown() -> Iterator[None]:
    with _lock:
        if log.handlers or log.level or (log.hasHandlers() and log.isEnabledFor(logging.INFO)):
            console = None  # the caller has said where the log goes, or another call shows it
        else:
            console, propagate = _Console(), log.propagate
            log.addHandler(console)
            log.propagate = False
            log.setLevel(logging.INFO)
    try:
        yield
    finally:
        if console:
            log.removeHandler(console)
            log.propagate = propagate
            log.setLevel(logging.NOTSET)
