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

from ordergap import forecaster
from ordergap.artifacts import check
from ordergap.errors import OrdergapError, PlatformError
from ordergap.serving.app.application import create_app
from ordergap.serving.app.counts import Counts
from ordergap.serving.app.request_log import set_up_log
from ordergap.serving.formats import codecs
from ordergap.serving.transport.worker import Worker
from ordergap.settings import Settings

GRACE = 25
"""Seconds in which requests may end after SIGTERM; the platform kills the container after 30."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - for gunicorn's unnamed heartbeat files

log = logging.getLogger("ordergap")


def serve(model_dir: Path, settings: Settings, today: Callable[[], datetime.date]) -> None:
    """Answer requests until SIGTERM, then finish those that have begun and exit with 0.

    today  the day in UTC, which is the as_of of requests that have none

    Raises ModelNotFound, ModelMismatch, PlatformError (the port) or InvalidRequest (the default
    forms) before it listens. Each worker loads the model after the fork, because a library's
    threads do not survive one. The library is imported before it, by `check`, so that the workers
    share its memory.
    """
    set_up_log(settings)
    codecs.check(settings)
    manifest = check(model_dir)
    listener = _listen(settings.port)
    log.info(
        "serving model %s (%s) from %s on port %d with %d workers",
        manifest.model_version,
        ", ".join(section.kind for section in manifest.tasks.values()),
        model_dir,
        settings.port,
        settings.workers,
    )
    gc.freeze()  # modules stay: a collection that visits them would only unshare their memory
    gc.enable()
    counts = Counts(settings.workers)

    def make_app() -> Flask:
        return create_app(forecaster.load(model_dir), settings, today, counts)

    Server(settings, listener, make_app, counts).run()


def _listen(port: int) -> socket.socket:
    """A socket bound to the port at every address. Raises PlatformError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))  # noqa: S104 - the platform connects from outside
    except OSError as error:
        raise PlatformError(
            f"cannot listen on port {port}: {(error.strerror or str(error)).lower()}; "
            "set SAGEMAKER_BIND_TO_PORT to a free port"
        ) from error
    return listener


class Server(BaseApplication):
    """Gunicorn with the settings; each worker makes its own application."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        make_app: Callable[[], Flask],
        counts: Counts,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._make_app = make_app
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
            "pre_fork": lambda _, worker: self._counts.add_worker(worker.age),
            # SIGTERM ends a worker that has not loaded its model yet.
            "post_fork": lambda _arbiter, _worker: signal.signal(signal.SIGTERM, signal.SIG_DFL),
            "child_exit": lambda _, worker: self._counts.remove_worker(worker.age),
        }.items():
            self.cfg.set(name, value)

    @override
    def load(self) -> Flask:  # type: ignore[override] # Flask says dict, gunicorn mapping
        try:
            return self._make_app()
        except OrdergapError as error:
            log.error("%s: %s", error.kind, error)  # noqa: TRY400 - a sentence, not a traceback
            sys.exit(Arbiter.APP_LOAD_ERROR)
