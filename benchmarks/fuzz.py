"""Malformed and odd requests by the ten thousand: no 500, no dead worker, no growth of memory.

python -m benchmarks.fuzz [--requests 50000 | --minutes 5] [--seed 0]

Nine in ten go to the application in this process, where each has a bound of time and memory, the
others through the socket of a server with two workers, damaged as HTTP too.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import logging
import random
import re
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from ordergap.forecaster import load
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings, limit_threads

from benchmarks.odd_requests import PIECES, Request, requests
from benchmarks.predict import train
from benchmarks.serving import memory, running

ALLOWED = {200, 400, 404, 405, 406, 408, 413, 414, 415, 417, 431}
VARIANTS = 10  # requests of each that is drawn
MOST_SECONDS, MOST_BYTES = 2.0, 64 << 20
"""What a request may take of a processor and add to the peak of memory, and so much more for each
MiB of its body and answer; the first request of a form imports what reads it."""
GROWTH = 16.0  # MiB that count as no growth: caches fill and the allocator settles


def wrong(status: int, form: str, body: bytes) -> str | None:
    """What is wrong with an answer, if anything is."""
    if status not in ALLOWED:
        return f"status {status}"
    if b"Traceback" in body or b'File "' in body:
        return "a traceback"
    if status >= 400 and body:
        if form != "application/json":
            return f"a refusal in {form}"
        if not json.loads(body)["error"]["message"]:
            return "a refusal without a message"
    if status == 200 and form == "application/json" and re.search(rb"[:,\[](NaN|-?Infinity)", body):
        return "NaN in JSON"
    return None


def fuzz(
    count: int,
    strategy: st.SearchStrategy[Request],
    send: Callable[[Request], int],
    start: int = 0,
    sample: list[Request] | None = None,
) -> Counter[int]:
    """Send so many requests, the same for the same `start`; how many had each status.

    `send` raises where an answer is wrong. Some of the requests are added to `sample`.
    """
    statuses: Counter[int] = Counter()

    @seed(start)
    @settings(
        max_examples=-(-count // VARIANTS), database=None, deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy, st.integers(0, 2**32))
    def each(request: Request, start: int) -> None:
        for variant in variants(request, start):
            statuses[send(variant)] += 1
        if sample is not None:
            sample.append(variant)

    each()
    return statuses


def variants(request: Request, start: int) -> Iterator[Request]:
    """The request, and the same with more and more damage to its body."""
    yield request
    rng = random.Random(start)  # noqa: S311
    body = request.body
    for _ in range(VARIANTS - 1):
        at, length = rng.randrange(len(body) + 1), rng.choice([0, 0, 1, 1, 2, 9])
        put = rng.choice(
            [*PIECES, body[rng.randrange(len(body) + 1) :][:40], b"%c" % rng.randrange(256)]
        )
        body = body[:at] + put * rng.choice([1, 1, 1, 1000]) + body[at + length :]
        yield dataclasses.replace(request, body=body)


def to_application(client: FlaskClient) -> Callable[[Request], int]:
    """Sends to an application in this process."""

    def send(request: Request) -> int:
        headers = {"Content-Type": request.form}
        if request.accept is not None:
            headers["Accept"] = request.accept
        path = {"PATH_INFO": unquote(request.path.partition("?")[0], "latin-1")}
        seconds, peak = time.thread_time(), peak_memory()
        answer = client.open(
            "/", environ_overrides=path, method=request.method, headers=headers, data=request.body
        )
        weight = 1 + (len(request.body) + len(answer.data)) / 2**20
        complaint = wrong(answer.status_code, answer.headers.get("Content-Type", ""), answer.data)
        if (taken := time.thread_time() - seconds) > MOST_SECONDS * weight:
            complaint = f"{taken:.1f} s for {len(request.body):,} bytes"
        elif (added := peak_memory() - peak) > MOST_BYTES * weight:
            complaint = f"{added >> 20} MiB for {len(request.body):,} bytes"
        if complaint:
            raise AssertionError(f"{complaint}: {answer.data[:300]!r}")
        return answer.status_code

    return send


def to_socket(port: int) -> Callable[[Request], int]:
    """Sends to a server on this machine, now and then as something that is hardly HTTP."""
    sent = Counter[str]()

    def send(request: Request) -> int:
        sent["all"] += 1
        answer = b"".join(_exchange(port, _written(request, sent["all"])))
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
        if not set(statuses) <= ALLOWED | {100} or b"Traceback" in answer or b"<html" in answer:
            raise AssertionError(f"{request}: {answer[:500]!r}")
        return statuses[0] if statuses else 0

    return send


def _written(request: Request, n: int) -> bytes:
    """The request as bytes; every third is damaged in its head or its length."""
    accept = f"Accept: {request.accept}\r\n" if request.accept else ""
    length = len(request.body) + (n % 9 == 0) * (n % 7 - 3)
    head = (
        f"{request.method} {request.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {request.form}\r\n"
        f"{accept}Content-Length: {length}\r\n\r\n"
    ).encode()
    if n % 6 == 1:
        at = n * 7919 % len(head)
        head = head[:at] + PIECES[n % len(PIECES)] + head[at + n % 3 :]
    elif n % 6 == 4:
        head = head.replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\nX: ")
        size = len(request.body) + (n % 5 == 0)
        return head + b"%x\r\n%s\r\n0\r\n\r\n" % (size, request.body)
    return head + request.body


def _exchange(port: int, data: bytes) -> list[bytes]:
    """What the server says to that and nothing more."""
    parts = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(1 << 16):
                parts.append(part)
        except ConnectionError:
            pass
    return parts


def peak_memory() -> int:
    """Bytes that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def resident() -> float:
    """MiB of this process."""
    gc.collect()
    text = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024


def growth(
    sample: Sequence[Request], send: Callable[[Request], int], used: Callable[[], float]
) -> float:
    """MiB by which three rounds of the same requests make memory grow after a first one.

    What draws requests remembers them, and what is imported when it is first needed stays: neither
    is a leak.
    """
    with ThreadPoolExecutor(8) as clients:
        Counter(clients.map(send, sample))
        before = used()
        for _ in range(3):
            Counter(clients.map(send, sample))
    return used() - before


def main() -> None:
    """Fuzz both ways and say what came of it; exit code 1 where something is amiss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--minutes", type=float, help="go on for so long, in place of a number")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    limit_threads(1)
    logging.getLogger("ordergap").setLevel(logging.CRITICAL)
    grown = {}
    with tempfile.TemporaryDirectory() as name:
        folder = train(Path(name))
        model = load(folder)
        strategy = requests(len(model.manifest.csv_columns))
        application = create_app(model, Settings(), lambda: model.manifest.as_of)

        def run(
            way: str, send: Callable[[Request], int], count: int, used: Callable[[], float]
        ) -> None:
            start, sample = time.monotonic(), list[Request]()
            statuses = fuzz(count, strategy, send, options.seed, sample)
            while time.monotonic() < start + 30 * (options.minutes or 0):
                seed = options.seed + statuses.total()  # other requests than before
                statuses += fuzz(count, strategy, send, seed)
            grown[way] = growth(sample, send, used)
            counts = ", ".join(f"{n} x {code or 'closed'}" for code, n in sorted(statuses.items()))
            print(
                f"{statuses.total()} requests {way}: {counts}; three rounds of {len(sample)} of "
                f"them again: {grown[way]:+.1f} MiB; {time.monotonic() - start:.0f} s", flush=True,
            )  # fmt: skip

        if options.minutes:  # half of the time for each way, in rounds
            options.requests = 2000
        through_socket = options.requests // 10
        inside = to_application(application.test_client())
        run("in this process", inside, options.requests - through_socket, resident)
        with running("-m", "ordergap", "serve", "--model_dir", str(folder)) as server:
            while len(workers := server.workers()) < 2:
                time.sleep(0.1)
            run("through a socket", to_socket(server.port), through_socket, lambda: memory(server))
            died = server.workers() != workers
    amiss = [f"memory grew {way}" for way, by in grown.items() if by > GROWTH]
    amiss += ["a worker died"] * died
    print("; ".join(amiss) or "no 500, no dead worker, no growth of memory")
    sys.exit(len(amiss) > 0)


if __name__ == "__main__":
    main()
