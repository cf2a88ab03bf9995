"""The web server: gunicorn, embedded, with a model in every worker."""

from __future__ import annotations

import datetime
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from typing_extensions import override

from ordergap.artifacts import Bundle, check
from ordergap.errors import OrdergapError, PlatformError
from ordergap.serving.app import observing
from ordergap.serving.app.counts import Counts
from ordergap.serving.app.factory import create_app
from ordergap.serving.formats import codecs
from ordergap.serving.transport.worker import Worker
from ordergap.settings import Settings

GRACE = 25
"""Seconds that requests have to end after SIGTERM; the platform kills after 30."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - for gunicorn's unnamed heartbeat files

log = logging.getLogger("ordergap")


def serve(model_dir: Path, settings: Settings, today: Callable[[], datetime.date]) -> None:
    """Answer until SIGTERM, then finish what has begun and exit with 0.

    Raises ModelNotFound, ModelMismatch, PlatformError (the port) or InvalidRequest (the default
    forms) before anything listens. The model itself is loaded in each worker, after the fork:
    threads that a library has started do not survive one. The library itself is imported before
    it, by `check`, so that the workers share its memory.
    """
    observing.set_up_log(settings)
    codecs.check(settings)
    manifest = check(model_dir)
    listener = _listen(settings.port)
    log.info(
        "serving model %s (%s) from %s on port %d with %d workers",
        manifest.model_version,
        manifest.model_kind,
        model_dir,
        settings.port,
        settings.workers,
    )
    gc.freeze()  # what is imported stays: no collection need look at it, nor unshare its memory
    gc.enable()
    counts = Counts(settings.workers)

    def make() -> Flask:
        return create_app(Bundle.load(model_dir), settings, today, model_dir, counts)

    Server(settings, listener, make, counts).run()


def _listen(port: int) -> socket.socket:
    """A socket that has the port; PlatformError where that cannot be had."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))  # noqa: S104 - the platform asks from outside
    except OSError as error:
        raise PlatformError(
            f"port {port} cannot be listened on: {(error.strerror or str(error)).lower()}; "
            "set SAGEMAKER_BIND_TO_PORT to another"
        ) from error
    return listener


class Server(BaseApplication):
    """Gunicorn, as the settings say, around an application that each worker makes for itself."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        make: Callable[[], Flask],
        counts: Counts,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._make = make
        self._counts = counts
        super().__init__()

    @override
    def load_config(self) -> None:
        for name, value in {
            "bind": f"fd://{self._listener.detach()}",
            "workers": self._settings.workers,
            "worker_class": Worker,
            "threads": self._settings.threads,
            "timeout": 120,
            "graceful_timeout": GRACE,
            "sendfile": False,
            "worker_tmp_dir": str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None,
            "control_socket_disable": True,
            "loglevel": "warning",
            "pre_fork": lambda _, worker: self._counts.seat(worker.age),
            # A worker that is told to stop before it has loaded its model stops.
            "post_fork": lambda _arbiter, _worker: signal.signal(signal.SIGTERM, signal.SIG_DFL),
            "child_exit": lambda _, worker: self._counts.unseat(worker.age),
        }.items():
            self.cfg.set(name, value)

    @override
    def load(self) -> Flask:  # type: ignore[override] # Flask says dict, gunicorn mapping
        try:
            return self._make()
        except OrdergapError as error:
            log.error("%s: %s", error.kind, error)  # noqa: TRY400 - a sentence, not a traceback
            sys.exit(Arbiter.APP_LOAD_ERROR)
