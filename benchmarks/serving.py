"""The server beside two others, in one run: one that does nothing, and one out of a textbook.

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ordergap.histories import Histories, date_of

from benchmarks.features import made_up
from benchmarks.load import Flood, installed
from benchmarks.predict import TREES, train

STARTS, SINGLE, BATCH = 3, 2000, 20  # how many of each are timed
TURN = 20  # requests of a server before the next one's turn
FLOOD = 16  # large requests at once
LOAD = 5  # seconds of each load


@dataclass(frozen=True)
class Running:
    """A server process, its port, and the seconds until its first green ping."""

    process: subprocess.Popen[bytes]
    port: int
    green: float

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in children.split()]


@contextlib.contextmanager
def running(*words: str) -> Iterator[Running]:
    """`python WORDS` with two workers on a free port of this machine, stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], env={**os.environ, **environ}, stdout=subprocess.DEVNULL
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
    customers = []
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
        customers.append(json.dumps({"customer_id": str(i), "orders": orders}).encode())
    return customers


def rows() -> list[tuple[str, str, str, str]]:
    """(what, ours, baselines, ratio to the no-op) for each figure."""
    customers = records(made_up(400_000))[:1000]
    batch = b"\n".join(customers)
    with tempfile.TemporaryDirectory() as name:
        model = str(train(Path(name)))
        commands = {
            "ours": ("-m", "ordergap", "serve", "--model_dir", model),
            "no-op": ("-m", "benchmarks.noop"),
            "textbook": ("-m", "benchmarks.textbook", model),
        }
        starts = [[_start(*words) for words in commands.values()] for _ in range(STARTS)]
        table = [_row("first green ping", *zip(*starts, strict=True))]
        with (
            running(*commands["ours"]) as ours,
            running(*commands["no-op"]) as noop,
            running(*commands["textbook"]) as textbook,
        ):
            servers = (ours, noop, textbook)
            ports = [server.port for server in servers]
            one = _in_turn(ports, customers, SINGLE, "application/json")
            table.append(_row(f"one customer, {TREES} trees, p50", *one))
            table.append(_row("the same, p99", *one, quantile=0.99))
            used = [memory(server) for server in servers]
            many = _in_turn(ports, [batch], BATCH, "application/jsonlines")
            table.append(_row("1,000 customers in JSON Lines, p50", *many))
            if installed():
                for connections in (1, 16):
                    table += _loads(ports, customers, connections)
            ping = f"{_ping_in_flood(ours.port, batch) * 1e3:.0f} ms"
    table.append((f"slowest /ping beside {FLOOD} such requests", ping, "", ""))
    others = f"no-op {used[1]:.0f} MiB, textbook {used[2]:.0f} MiB"
    sizes = (f"{used[0]:.0f} MiB", others, f"{used[0] / used[1]:.1f} x")
    table.append(("two workers that have answered, memory (PSS)", *sizes))
    return table


def _start(*words: str) -> float:
    with running(*words) as server:
        return server.green


def _row(
    what: str,
    ours: Sequence[float],
    noop: Sequence[float],
    textbook: Sequence[float],
    *,
    quantile: float = 0.5,
) -> tuple[str, str, str, str]:
    one, other, third = (
        float(np.quantile(seconds, quantile)) * 1e3 for seconds in (ours, noop, textbook)
    )
    others = f"no-op {other:.2f} ms, textbook {third:.1f} ms"
    return what, f"{one:.2f} ms", others, f"{one / other:.1f} x, {one - other:+.2f} ms"


def _loads(
    ports: Sequence[int], customers: list[bytes], connections: int
) -> Iterator[tuple[str, str, str, str]]:
    """Single customers from so many connections, each of which asks again once it is answered."""
    loads = [
        Flood(port, customers, "application/json", connections, LOAD).result() for port in ports
    ]
    what = f"one customer, {connections} connection{'s' * (connections > 1)}"
    yield _row(f"{what}, p50", *([load.p50] for load in loads))
    yield _row(f"{what}, p99", *([load.p99] for load in loads))
    ours, noop, textbook = (load.rate for load in loads)
    others = f"no-op {noop:.0f}, textbook {textbook:.0f}"
    yield f"{what}, requests/s", f"{ours:.0f}", others, f"{ours / noop:.2f} x"


def _in_turn(ports: Sequence[int], bodies: list[bytes], times: int, form: str) -> list[list[float]]:
    """Seconds of requests to each port, which take turns, so that a busy machine slows all.

    A turn is some requests one after another: a server that is asked so finds its own work still in
    the processor's caches. Those of the first turn are not counted.
    """
    seconds: list[list[float]] = [[] for _ in ports]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(connect(port))) for port in ports]
        for first in range(0, times + TURN, TURN):
            for connection, taken in zip(connections, seconds, strict=True):
                taken += [
                    ask(connection, bodies[i % len(bodies)], form)
                    for i in range(first, first + TURN)
                ]
    return [taken[TURN:] for taken in seconds]


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


def memory(server: Running) -> float:
    """MiB of all workers, what they share counted once."""
    kilobytes = 0
    for worker in server.workers():
        text = Path(f"/proc/{worker}/smaps_rollup").read_text()
        kilobytes += sum(map(int, re.findall(r"^Pss: +(\d+) kB", text, re.MULTILINE)))
    return kilobytes / 1024


def main() -> None:
    """Print the figures."""
    for row in rows():
        print(*row, sep="  |  ")


if __name__ == "__main__":
    main()
