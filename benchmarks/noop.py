"""A Flask application that does nothing, under gunicorn as our server has it: the baseline.

SAGEMAKER_BIND_TO_PORT=8081 python -m benchmarks.noop
"""

from __future__ import annotations

import os

from flask import Flask, request
from gunicorn.app.base import BaseApplication
from typing_extensions import override


class Noop(BaseApplication):
    """Reads a request and answers with nothing in it, under gunicorn as our server has it."""

    @override
    def load_config(self) -> None:
        for name, value in {
            "bind": f"127.0.0.1:{os.environ['SAGEMAKER_BIND_TO_PORT']}",
            "workers": int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"]),
            "worker_class": "gthread",
            "threads": 8,
            "keepalive": 75,
            "graceful_timeout": 5,
            "control_socket_disable": True,
            "loglevel": "warning",
        }.items():
            self.cfg.set(name, value)

    @override
    def load(self) -> Flask:  # type: ignore[override] # Flask says dict, gunicorn mapping
        app = Flask("noop", static_folder=None)
        app.add_url_rule("/ping", "ping", lambda: b"")
        app.add_url_rule(
            "/invocations", "invocations", lambda: request.get_data()[:0] + b"{}", methods=["POST"]
        )
        return app


if __name__ == "__main__":
    Noop().run()
