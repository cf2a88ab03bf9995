"""A server in a process of its own, and requests to it."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

AS_OF = datetime.date(2011, 12, 9)
HEADER = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
LINES = "application/jsonlines"
PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n"
HEAD = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: {LINES}\r\n".encode()
"""What a request for a ping, or for forecasts, begins with; other headers may follow."""


def order_lines(customers: int) -> Iterator[list[Any]]:
    """Rows below `HEADER`, of customers who each have a usual gap."""
    rng = random.Random(3)  # noqa: S311
    for customer in range(1, customers + 1):  # 0 names nobody
        gap = rng.randrange(5, 60)
        day = AS_OF - datetime.timedelta(rng.randrange(250, 400))
        while (day := day + datetime.timedelta(rng.randrange(1, 2 * gap))) <= AS_OF:
            yield [rng.random(), "85123A", rng.randrange(1, 9), day, "1.25", customer]


def scoring_records(customers: int) -> list[dict[str, Any]]:
    """The customers of `order_lines`, as scoring records."""
    records: dict[str, dict[str, Any]] = {}
    for _, _, items, day, price, customer in order_lines(customers):
        record = records.setdefault(
            str(customer), {"customer_id": str(customer), "orders": [], "as_of": str(AS_OF)}
        )
        order = {"date": str(day), "amount": items * float(price), "items": items, "lines": 1}
        record["orders"].append(order)
    return list(records.values())


def lines(records: list[dict[str, Any]]) -> bytes:
    """A record a line."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next answer on a socket."""
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status, dict(response.headers), response.read()


def request(body: bytes, more: bytes = b"") -> bytes:
    """A request for forecasts as bytes, with `more` headers."""
    return HEAD + more + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def command(*words: object, **environment: object) -> dict[str, Any]:
    """How to start `python -m ordergap`, for subprocess."""
    environ = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    environ |= {name: str(value) for name, value in environment.items()}
    return {"args": [sys.executable, "-m", "ordergap", *map(str, words)], "env": environ}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass
class Server:
    """A server process and requests to it.

    log  what it writes: a file, since a pipe that nobody reads is full one day and stops it
    """

    process: subprocess.Popen[str]
    port: int
    log: IO[str]

    @classmethod
    def start(cls, root: Path, opt_ml: Path, **environment: object) -> Server:
        """`serve`, on a free port and with two workers unless the environment says."""
        environ: dict[str, object] = {"SAGEMAKER_MODEL_SERVER_WORKERS": 2}
        environ["ORDERGAP_LOG_LEVEL"] = "warning"
        environ |= {"SAGEMAKER_BIND_TO_PORT": free_port(), **environment}
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `kill`
        process = subprocess.Popen(
            **command("serve", "--opt_ml", opt_ml, **environ),
            cwd=root, stdout=log, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return cls(process, int(str(environ["SAGEMAKER_BIND_TO_PORT"])), log)

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, str, bytes]:
        """Status, Content-Type and body of the answer; header names are given with _."""
        with contextlib.closing(self.connect()) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return response.status, response.headers["Content-Type"], response.read()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def open_socket(self, data: bytes = b"") -> socket.socket:
        """A socket on which `data` has been sent."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        client.sendall(data)
        return client

    def score(self, body: str | bytes, form: str, accept: str = "application/json") -> bytes:
        """The answer of /invocations, which has to be of the form that is accepted."""
        status, content_type, answer = self.ask(
            "POST", "/invocations", body, Content_Type=form, Accept=accept
        )
        assert (status, content_type) == (200, accept), answer
        return answer

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def wait_for_ping(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/ping")[0] == 200:
                    return
            time.sleep(0.02)
        self.process.kill()
        pytest.fail(f"no green /ping: {self.read_log()}")

    def ping(self) -> float:
        """Seconds of one green /ping."""
        start = time.monotonic()
        assert self.ask("GET", "/ping")[::2] == (200, b"")
        return time.monotonic() - start

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def read_log(self) -> str:
        """All that the process wrote, once it has ended."""
        self.process.wait(timeout=30)
        self.log.seek(0)
        return self.log.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()
