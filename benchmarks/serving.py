"""The server beside a Flask application that does nothing under the same gunicorn, in one run.

python -m benchmarks.serving
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flask import Flask, request
from gunicorn.app.base import BaseApplication
from typing_extensions import override

from benchmarks.features import made_up
from benchmarks.predict import TREES, train
from container.histories import Histories, date_of

SINGLE, BATCH = 400, 15  # requests of each kind
FLOOD = 16  # large requests at once


@dataclass(frozen=True)
class Running:
    """A server process, its port, and the seconds until its first green ping."""

    process: subprocess.Popen[bytes]
    port: int
    green: float

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        told = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in told.split()]


@contextlib.contextmanager
def running(*words: str) -> Iterator[Running]:
    """`python WORDS` with two workers on a free port of this machine, stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], env={**os.environ, **told}, stdout=subprocess.DEVNULL
    )
    try:
        while time.perf_counter() - start < 60 and process.poll() is None:
            with contextlib.suppress(OSError), contextlib.closing(connect(port)) as connection:
                connection.request("GET", "/ping")
                if connection.getresponse().status == 200:
                    yield Running(process, port, time.perf_counter() - start)
                    return
            time.sleep(0.005)
        raise RuntimeError(f"no green ping from {' '.join(words)}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def connect(port: int) -> http.client.HTTPConnection:
    """A connection to a server on this machine, which stays open."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def ask(connection: http.client.HTTPConnection, body: bytes, form: str) -> float:
    """The seconds of one request to /invocations."""
    start = time.perf_counter()
    connection.request("POST", "/invocations", body, {"Content-Type": form})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise RuntimeError(f"the server answered {response.status}")
    return time.perf_counter() - start


def records(histories: Histories) -> list[bytes]:
    """The customers with exactly ten orders as scoring records."""
    found = []
    for i in np.flatnonzero(histories.order_count == 10).tolist():
        part = slice(histories.offsets[i], histories.offsets[i + 1])
        orders = [
            {"date": str(date_of(day)), "amount": amount, "items": items, "lines": 1}
            for day, amount, items in zip(
                histories.day[part].tolist(),
                histories.amount[part].tolist(),
                np.nan_to_num(histories.items[part], nan=1.0).tolist(),
                strict=True,
            )
        ]
        found.append(json.dumps({"customer_id": str(i), "orders": orders}).encode())
    return found


def rows() -> list[tuple[str, str, str, str]]:
    """(what, ours, baseline, ratio) for each figure."""
    customers = records(made_up(400_000))[:1000]
    batch = b"\n".join(customers)
    with tempfile.TemporaryDirectory() as name:
        model = train(Path(name))
        with (
            running("-m", "container", "serve", "--model_dir", str(model)) as ours,
            running("-m", "benchmarks.serving", "noop") as noop,
        ):
            table = [_row("first green ping", [ours.green], [noop.green])]
            for what, bodies, times, form in (
                (f"one customer, {TREES} trees", customers, SINGLE, "application/json"),
                ("1,000 customers in JSON Lines", [batch], BATCH, "application/jsonlines"),
            ):
                table.append(
                    _row(f"{what}, p50", *_pairs(ours.port, noop.port, bodies, times, form))
                )
            ping = _ping_in_flood(ours.port, batch)
            table.append(
                (f"slowest /ping beside {FLOOD} such requests", f"{ping * 1e3:.0f} ms", "", "")
            )
            memory = sum(map(_proportional_memory, ours.workers())) / 2**20
            alone = sum(map(_proportional_memory, noop.workers())) / 2**20
            table.append(
                (
                    "two workers, memory (PSS)",
                    f"{memory:.0f} MiB",
                    f"no-op {alone:.0f} MiB",
                    f"{memory / alone:.1f}",
                )
            )
    return table


def _row(what: str, ours: list[float], noop: list[float]) -> tuple[str, str, str, str]:
    one, other = float(np.median(ours)) * 1e3, float(np.median(noop)) * 1e3
    return what, f"{one:.2f} ms", f"no-op {other:.2f} ms", f"+ {one - other:.2f} ms"


def _pairs(
    port: int, noop: int, bodies: list[bytes], times: int, form: str
) -> tuple[list[float], list[float]]:
    """Seconds of requests that take turns, so that a busy machine slows both."""
    with contextlib.closing(connect(port)) as one, contextlib.closing(connect(noop)) as other:
        pairs = [
            (ask(one, bodies[i % len(bodies)], form), ask(other, bodies[i % len(bodies)], form))
            for i in range(times + 5)
        ]
    return [a for a, _ in pairs[5:]], [b for _, b in pairs[5:]]


def _ping_in_flood(port: int, batch: bytes) -> float:
    """The slowest of some pings while large requests keep every thread busy."""
    over = threading.Event()

    def flood() -> None:
        with contextlib.closing(connect(port)) as connection:
            while not over.is_set():
                ask(connection, batch, "application/jsonlines")

    floods = [threading.Thread(target=flood) for _ in range(FLOOD)]
    for thread in floods:
        thread.start()
    taken = []
    for _ in range(20):
        time.sleep(0.1)
        with contextlib.closing(connect(port)) as connection:
            start = time.perf_counter()
            connection.request("GET", "/ping")
            connection.getresponse().read()
            taken.append(time.perf_counter() - start)
    over.set()
    for thread in floods:
        thread.join()
    return max(taken)


def _proportional_memory(process: int) -> int:
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Pss: +(\d+) kB", text, re.MULTILINE)) * 1024


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


def main(words: list[str]) -> None:
    """Print the figures, or be the server that they are compared with."""
    if words == ["noop"]:
        Noop().run()
        return
    for row in rows():
        print(*row, sep="  |  ")


if __name__ == "__main__":
    main(sys.argv[1:])
