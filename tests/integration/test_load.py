"""Many, slow and malformed clients: all others are answered, and /ping always."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.served import HEAD, LINES, PING, Server, answer, lines, request

Serve = Callable[..., Server]


@pytest.fixture(scope="module")
def large(records: list[dict[str, Any]]) -> bytes:
    """A request that takes a worker a while."""
    return lines(records * 75)


@pytest.fixture(scope="module")
def alone(serve: Serve, opt_ml: Any) -> Server:
    """A server of one worker, with one thread, for which nobody may wait."""
    server = serve(
        opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1, ORDERGAP_THREADS=1, ORDERGAP_QUEUE=0,
        ORDERGAP_MAX_BODY_MB=6,
    )  # fmt: skip
    server.wait_for_ping()
    return server


@contextlib.contextmanager
def busy(server: Server, body: bytes, clients: int) -> Iterator[None]:
    """So many clients who ask again and again."""
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            assert server.ask("POST", "/invocations", body, Content_Type=LINES)[0] in {200, 503}

    with ThreadPoolExecutor(clients) as pool:
        floods = [pool.submit(flood) for _ in range(clients)]
        time.sleep(0.5)
        try:
            yield
        finally:
            over.set()
        for each in floods:
            each.result()


@pytest.mark.point(47, 50)
def test_ping_is_quick_while_every_thread_works(server: Server, large: bytes) -> None:
    with busy(server, large, 12):
        for _ in range(8):
            start = time.monotonic()
            server.open_socket().close()
            assert time.monotonic() - start < 0.25
            assert server.ping() < 2
            time.sleep(0.1)


@pytest.mark.point(57)
def test_a_full_queue_refuses_at_once(alone: Server, large: bytes) -> None:
    def works() -> bool:
        return b"ordergap_requests_in_flight 1" in alone.ask("GET", "/metrics")[2]

    assert not works()
    with contextlib.closing(alone.open_socket(request(large * 2))) as first:
        start = time.monotonic()
        while not works():
            assert time.monotonic() - start < 30
        start = time.monotonic()
        with contextlib.closing(alone.open_socket(request(b"{}"))) as second:
            status, headers, body = answer(second)
        assert (status, headers.get("Retry-After"), time.monotonic() - start < 1) == (
            503,
            "1",
            True,
        )
        assert json.loads(body)["error"]["type"] == "Overloaded"
        assert alone.ping() < 1
        assert answer(first)[0] == 200
    assert alone.ask("POST", "/invocations", "[]", Content_Type="application/json")[0] == 200


@pytest.mark.point(47)
def test_slow_clients_delay_no_other_and_time_out(
    alone: Server, records: list[dict[str, Any]]
) -> None:
    body = lines(records)
    start = time.monotonic()
    slow = [alone.open_socket(HEAD[: i % 60]) for i in range(150)]
    slow += [alone.open_socket(request(body)[: -1 - i]) for i in range(150)]
    for _ in range(5):
        assert alone.ping() < 1
        alone.score(body, LINES, "text/csv")
    status, headers, body = answer(slow[-1])
    assert (status, headers["Connection"], 9 < time.monotonic() - start < 20) == (
        408,
        "close",
        True,
    )
    assert json.loads(body)["error"]["type"] == "RequestTimeout"
    for client in slow:
        client.close()


def test_beyond_the_limit_of_connections_waiting_ones_are_closed(alone: Server) -> None:
    idle = [alone.open_socket(b"GET /pi") for _ in range(1100)]
    assert alone.ping() < 1
    assert idle[0].recv(1) == b""
    for client in idle:
        client.close()


def test_a_client_that_reads_no_answer_occupies_no_thread(alone: Server, large: bytes) -> None:
    clients = []
    for _ in range(4):  # as many threads as there are, and more
        clients.append(alone.open_socket())
        clients[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        clients[-1].sendall(request(large))
        time.sleep(0.3)
    assert alone.ping() < 1
    for _ in range(100):
        if alone.ask("POST", "/invocations", "[]", Content_Type="application/json")[0] == 200:
            break
        time.sleep(0.1)
    else:
        pytest.fail("no thread was free")
    assert answer(clients[0])[0] == 200
    for client in clients:
        client.close()


@pytest.mark.point(59)
@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_is_too_large_is_refused_before_it_is_sent(alone: Server, more: bytes) -> None:
    with contextlib.closing(
        alone.open_socket(HEAD + more + b"Content-Length: 6291457\r\n\r\n")
    ) as client:
        status, _, body = answer(client)
        error = json.loads(body)["error"]
        assert (status, error["type"], "ORDERGAP_MAX_BODY_MB" in error["hint"]) == (
            413,
            "TooLarge",
            True,
        )
        assert client.recv(1) == b""


@pytest.mark.point(59, 60)
def test_chunks_that_become_too_many_are_refused(alone: Server) -> None:
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with contextlib.closing(
        alone.open_socket(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    ) as client:
        with contextlib.suppress(OSError):
            for _ in range(12):
                client.sendall(chunk)
        assert answer(client)[0] == 413


def test_expect_100_continue_is_answered(alone: Server, records: list[dict[str, Any]]) -> None:
    whole = request(lines(records), b"Expect: 100-continue\r\n")
    head = whole.index(b"\r\n\r\n") + 4
    with contextlib.closing(alone.open_socket(whole[:head])) as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(whole[head:])
        assert answer(client)[0] == 200


def test_requests_sent_in_one_go_are_answered_one_by_one(
    alone: Server, records: list[dict[str, Any]]
) -> None:
    body = lines(records)
    end = time.monotonic() + 60
    while alone.ask("POST", "/invocations", body, Content_Type=LINES)[0] != 200:
        assert time.monotonic() < end  # what a test before this one asked is done by then
        time.sleep(0.1)
    pings = PING + b"\r\n" + PING + b"Connection: close\r\n\r\n"
    with contextlib.closing(alone.open_socket(request(body) + pings)) as client:
        answers = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200"] * 3


@pytest.mark.point(57)
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /ping HTTP/9.9\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nA B: c\r\n\r\n", 400),
        (b"GET /" + b"p" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (PING + b"A: " + b"b" * 9000 + b"\r\n\r\n", 431),
        (PING + b"A: " + b"b" * 70_000, 431),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
        (HEAD + b"Content-Length: -5\r\n\r\nhello!", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
        (HEAD + b"\r\n", 400),
    ],
)
def test_what_is_not_http_is_refused_in_json(alone: Server, sent: bytes, status: int) -> None:
    with contextlib.closing(alone.open_socket(sent)) as client:
        received, headers, body = answer(client)
    assert (received, headers["Content-Type"]) == (status, "application/json")
    assert json.loads(body)["error"]["message"]


@pytest.mark.point(49, 53)
def test_a_killed_worker_takes_only_its_own_requests_with_it(
    serve: Serve, opt_ml: Any, records: list[dict[str, Any]]
) -> None:
    server = serve(opt_ml)
    server.wait_for_ping()
    whole = request(lines(records))
    clients: list[socket.socket] = []
    mine: set[int] = set()
    while not mine or len(mine) == len(clients):  # until both workers have connections
        assert len(clients) < 500
        clients.append(server.open_socket(whole[:-1]))
        server.ping()
        if len(workers := server.workers()) == 2:
            victim, other = workers
            mine = connections(other, server.port)
    os.kill(victim, signal.SIGKILL)
    for _ in range(30):
        assert server.ping() < 2
    for client in clients:
        alive = client.getsockname()[1] in mine
        with contextlib.suppress(ConnectionError):
            client.sendall(whole[-1:])
            if alive:
                assert answer(client)[0] == 200
        client.close()
    assert server.stop() == 0


def test_workers_share_out_the_connections(serve: Serve, opt_ml: Any) -> None:
    server = serve(opt_ml)
    server.wait_for_ping()

    def shares(clients: int) -> list[int]:
        with contextlib.ExitStack() as stack:
            for _ in range(clients):
                stack.enter_context(server.open_socket())
            server.ping()  # whose connection is the last: the others have been taken
            return [len(connections(pid, server.port)) for pid in server.workers()]

    end = time.monotonic() + 30
    while len(numbers := shares(4)) < 2 or not min(numbers):  # until both workers are up
        assert time.monotonic() < end
    time.sleep(0.5)  # until they have seen that the clients are gone
    assert min(shares(16)) >= 5
    frozen, _ = server.workers()
    os.kill(frozen, signal.SIGSTOP)
    try:
        assert max(server.ping() for _ in range(20)) < 1
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert server.stop() == 0


def connections(pid: int, port: int) -> set[int]:
    """The clients' ports of the connections that a process has."""
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(link.readlink()))
    inodes = {inode for link in links for inode in re.findall(r"socket:\[(\d+)\]", link)}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[2].split(":")[1], 16)
        for row in rows
        if row[9] in inodes and row[1].endswith(f":{port:04X}") and row[3] == "01"
    }
