"""The web server: gunicorn, embedded, with a model in every worker."""

from __future__ import annotations

import datetime
import gc
import logging
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers.base import Worker as BaseWorker
from typing_extensions import override

from ordergap import forecaster
from ordergap.errors import OrdergapError, PlatformError
from ordergap.manifests import check
from ordergap.serving.app.application import create_app
from ordergap.serving.app.counts import Counts
from ordergap.serving.app.request_log import set_up_log
from ordergap.serving.formats import codecs
from ordergap.serving.transport.worker import Worker
from ordergap.settings import Settings

GRACE = 25
"""Seconds in which requests may end after SIGTERM; the platform kills the container after 30."""

DEATHS = 3
"""So often each worker may die while it loads the model, before the server gives up."""

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
        self._loaded: dict[int, mmap.mmap] = {}  # worker's number -> whether it has loaded
        self._deaths = 0  # in a row, of workers that had not
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
            "pre_fork": self._on_start,
            # SIGTERM ends a worker that has not loaded its model yet.
            "post_fork": lambda _arbiter, _worker: signal.signal(signal.SIGTERM, signal.SIG_DFL),
            "post_worker_init": self._on_load,
            "child_exit": self._on_end,
        }.items():
            self.cfg.set(name, value)

    def _on_start(self, _arbiter: Arbiter, worker: BaseWorker) -> None:
        """In the parent, before the fork."""
        self._counts.add_worker(worker.age)
        self._loaded[worker.age] = mmap.mmap(-1, 1)  # shared with the worker

    def _on_load(self, worker: BaseWorker) -> None:
        self._loaded[worker.age][0] = 1

    def _on_end(self, arbiter: Arbiter, worker: BaseWorker) -> None:
        """In the parent. Raises HaltServer where workers go on dying before they have loaded.

        A worker that says why it cannot load ends the server at once; one that a signal ends, such
        as the kernel's for want of memory, says nothing.
        """
        self._counts.remove_worker(worker.age)
        self._deaths = 0 if self._loaded.pop(worker.age)[0] else self._deaths + 1
        if arbiter.LISTENERS and self._deaths >= DEATHS * self._settings.workers:
            log.error(
                "PlatformError: %d workers in a row died while they loaded the model; give the "
                "container more memory, or lower SAGEMAKER_MODEL_SERVER_WORKERS",
                self._deaths,
            )
            raise HaltServer("no worker loads the model", Arbiter.WORKER_BOOT_ERROR)

    @override
    def load(self) -> Flask:  # type: ignore[override] # Flask says dict, gunicorn mapping
        try:
            return self._make_app()
        except OrdergapError as error:
            log.error("%s: %s", error.kind, error)  # noqa: TRY400 - a sentence, not a traceback
            sys.exit(Arbiter.APP_LOAD_ERROR)
