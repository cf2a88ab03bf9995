"""SIGTERM: the platform wants the job to end, and kills it 120 seconds later."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("ordergap")

GRACE = 100.0
"""Seconds in which a job ends by itself; then it is ended as it stands."""


@contextmanager
def stop_on_sigterm(grace: float = GRACE) -> Iterator[Callable[[], bool]]:
    """A function that says whether SIGTERM came; afterwards signals are handled as before.

    The job looks at it at its next step. Where no step ends within `grace` seconds, as in native
    code that does not come back, a second thread ends the process with exit code 0: checkpoints
    are whole at any moment, and so is the model. Only the main thread can listen.
    """
    received, over = threading.Event(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield received.is_set
        return
    reader, waking = socket.socketpair()
    waking.setblocking(False)
    before = signal.signal(signal.SIGTERM, lambda *_: received.set())
    woken_before = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(reader, over, grace), daemon=True)
    watch.start()
    try:
        yield received.is_set
    finally:
        over.set()
        signal.set_wakeup_fd(woken_before)
        signal.signal(signal.SIGTERM, before)
        waking.close()
        watch.join()
        reader.close()


def _watch(signals: socket.socket, over: threading.Event, grace: float) -> None:
    """Log SIGTERM at once, which a signal handler must not do, and end a job that goes on."""
    while number := signals.recv(1):
        if number[0] == signal.SIGTERM:
            log.warning("SIGTERM: stopping after this step")
            if not over.wait(grace):
                log.warning("no step ended within %g seconds: the process ends now", grace)
                sys.stdout.flush()
                os._exit(0)
            return
