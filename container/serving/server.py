"""The web server: gunicorn, embedded, with a model in every worker."""

from __future__ import annotations

import datetime
import gc
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker
from typing_extensions import override

from container.artifacts import Bundle, check
from container.errors import OrdergapError
from container.serving.app import create_app
from container.settings import Settings

GRACE = 25
"""Seconds that requests have to end after SIGTERM; the platform kills after 30."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - for gunicorn's unnamed heartbeat files

log = logging.getLogger("ordergap")


def serve(model_dir: Path, settings: Settings, today: Callable[[], datetime.date]) -> None:
    """Answer until SIGTERM, then finish what has begun and exit with 0.

    Raises ModelNotFound or ModelMismatch before anything listens. The model itself is loaded in
    each worker, after the fork: threads that a library has started do not survive one. The
    library itself is imported before it, by `check`, so that the workers share its memory.
    """
    manifest = check(model_dir)
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
    Server(settings, lambda: create_app(Bundle.load(model_dir), settings, today)).run()


class Server(BaseApplication):
    """Gunicorn, as the settings say, around an application that each worker makes for itself."""

    def __init__(self, settings: Settings, make: Callable[[], Flask]) -> None:
        self._settings = settings
        self._make = make
        super().__init__()

    @override
    def load_config(self) -> None:
        for name, value in {
            "bind": f"0.0.0.0:{self._settings.port}",
            "workers": self._settings.workers,
            "worker_class": Worker,
            "threads": self._settings.threads,
            "timeout": 120,
            "graceful_timeout": GRACE,
            "keepalive": 75,
            "worker_tmp_dir": str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None,
            "control_socket_disable": True,
            "loglevel": "warning",
        }.items():
            self.cfg.set(name, value)

    @override
    def load(self) -> Flask:  # type: ignore[override] # Flask says dict, gunicorn mapping
        try:
            return self._make()
        except OrdergapError as error:
            log.error("%s: %s", error.kind, error)  # noqa: TRY400 - a sentence, not a traceback
            sys.exit(Arbiter.APP_LOAD_ERROR)


class Worker(ThreadWorker):
    """A worker that, once it stops, refuses new connections instead of leaving them waiting."""

    @override
    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()
