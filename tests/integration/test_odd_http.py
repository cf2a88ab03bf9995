"""Requests that are odd or sent to harm: each is answered once, and others are served meanwhile."""

import contextlib
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.served import HEAD, LINES, PING, Server, answer, lines, request

Serve = Callable[..., Server]
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def answers(server: Server, sent: bytes) -> list[int]:
    """The statuses of all answers on a connection on which `sent` is all that comes."""
    with contextlib.closing(server.open_socket(sent)) as client:
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(1 << 16), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        # the framing is refused where parsers have disagreed about it
        (HEAD + b"Content-Length: 10000000000000000000\r\n\r\n" + SMUGGLED, [413]),
        (HEAD + b"Content-Length: 18446744073709551621\r\n\r\nhello" + SMUGGLED, [413]),
        (HEAD + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n" + SMUGGLED, [400]),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", [400]),
        (HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", [400]),
        (CHUNKED.replace(b"/1.1", b"/1.0") + b"0\r\n\r\n" + SMUGGLED, [400]),
        (CHUNKED.replace(b"/1.1", b"/9.9") + b"0\r\n\r\n" + SMUGGLED, [400]),
        (HEAD + b"Content-Length: 2, 2\r\n\r\n[]" + PING + b"\r\n", [400, 200]),
        (HEAD + b"Content-Length: +2\r\n\r\n[]", [400]),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, [400]),
        (b"GET /ping HTTP/1.1\r\n\r\n", [400]),
        # chunks
        (CHUNKED + b"000002\r\n{}\r\n0\r\n\r\n" + PING + b"\r\n", [400, 200]),
        (CHUNKED + b"2;a=b\r\n{}\r\n0\r\nTrailer: x\r\n\r\n" + PING + b"\r\n", [400, 200]),
        (CHUNKED + b"2\r\n{}0\r\n\r\n", [400]),
        (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", [400]),
        (CHUNKED + b"F" * 30 + b"\r\n{}\r\n0\r\n\r\n", [400]),
        (CHUNKED + b"0" * 70_000, [431]),
        (CHUNKED + b"ffffffffffffffff\r\n", [413]),  # before any of it
        (CHUNKED + b"2\r\n{}\r\n" + b"2000000\r\n", [413]),
        # what is odd and harmless is answered
        (b"\r\n\r\n" + PING + b"\r\n\r\n" + PING + b"\r\n", [200, 200]),
        (b"GET /ping HTTP/1.1\nHost: x\n\n", [200]),
        (b"GET http://x/ping HTTP/1.1\r\nHost: x\r\n\r\n", [200]),
        (b"GET /ping HTTP/1.0\r\n\r\n", [200]),
        (b"GET /%70ing HTTP/1.1\r\nHost: x\r\n\r\n", [200]),
        (PING + b"SCRIPT_NAME: /ping\r\n\r\n", [200]),
        (PING + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", [200]),
        (PING.replace(b"/1.1", b"/1.0") + b"Expect: 100-continue\r\n\r\n", [200]),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", [404]),
        (b"BREW /ping HTTP/1.1\r\nHost: x\r\n\r\n", [405]),
        (b"HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n" + PING + b"\r\n", [200, 200]),
        # what never becomes a request gets no answer
        (b"", []),
        (b"\r\n", []),
        (PING, []),
        (HEAD + b"Content-Length: 5\r\n\r\n{}", []),
    ],
)
def test_each_request_is_answered_once(server: Server, sent: bytes, statuses: list[int]) -> None:
    assert answers(server, sent) == statuses


def test_a_line_end_alone_waits_for_nothing(server: Server) -> None:
    with contextlib.closing(server.open_socket(b"GET /ping HTTP/1.1\nHost: x\n\n")) as client:
        client.settimeout(5)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


@pytest.fixture(scope="module")
def narrow(serve: Serve, opt_ml: Path) -> Server:
    """A server of one worker with one thread, for which one request may wait."""
    server = serve(
        opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1, ORDERGAP_THREADS=1, ORDERGAP_QUEUE=1,
        ORDERGAP_MAX_BODY_MB=1,
    )  # fmt: skip
    server.wait_for_ping()
    return server


def test_blank_lines_do_not_bypass_the_queue(narrow: Server, records: list[dict[str, Any]]) -> None:
    body = lines(records * 40)
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(contextlib.closing(narrow.open_socket(b"\r\n" + request(body))))
            for _ in range(12)
        ]
        assert {answer(client)[0] for client in clients} == {200, 503}


def test_clients_who_left_leave_their_places(narrow: Server, records: list[dict[str, Any]]) -> None:
    body = lines(records * 20)
    for _ in range(200):
        narrow.open_socket(request(body)).close()
    end = time.monotonic() + 60
    while narrow.ask("POST", "/invocations", b"[]", Content_Type="application/json")[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_idle_connections_do_not_push_out_uploads(narrow: Server) -> None:
    body = b" " * 1000
    uploads = [narrow.open_socket(request(body)[:-1]) for _ in range(20)]
    narrow.ping()  # they have all been accepted
    idle = [narrow.open_socket() for _ in range(1100)]
    assert narrow.ping() < 1
    for client in uploads:
        client.sendall(body[-1:])
        assert answer(client)[0] in {400, 503}
    for client in [*uploads, *idle]:
        client.close()


def test_answers_that_nobody_takes_count_as_memory(
    narrow: Server, records: list[dict[str, Any]]
) -> None:
    """Four times the largest body may lie there, then requests are refused until clients read."""
    body = json.dumps({"instances": records * 25, "horizons": [*range(1, 366)]}).encode()
    large = request(body).replace(LINES.encode(), b"application/json")
    clients: list[socket.socket] = []
    status = b""
    while status != b"HTTP/1.1 503":
        assert len(clients) < 20
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect(("127.0.0.1", narrow.port))
        client.sendall(large)
        clients.append(client)
        status = client.recv(12)  # and no more
    assert len(clients) > 2
    assert narrow.ping() < 1
    for client in clients:
        client.close()
    end = time.monotonic() + 60
    while narrow.ask("POST", "/invocations", body, Content_Type="application/json")[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_body_is_not_asked_for_where_it_is_too_large(narrow: Server) -> None:
    head = HEAD + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
    assert answers(narrow, head) == [413]


def test_a_client_is_told_that_the_server_stops(
    serve: Serve, opt_ml: Path, records: list[dict[str, Any]]
) -> None:
    server = serve(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1)
    server.wait_for_ping()
    whole = request(lines(records))
    with contextlib.closing(server.open_socket(whole[:-1])) as client:
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        client.sendall(whole[-1:])
        status, headers, _ = answer(client)
        assert (status, headers["Connection"]) == (200, "close")
    assert server.process.wait(timeout=10) == 0


def test_one_byte_chunks_keep_nobody_waiting(narrow: Server) -> None:
    chunks = b"1\r\n \r\n" * 170_000  # as many as the largest body takes
    with contextlib.closing(narrow.open_socket(CHUNKED)) as client:
        client.sendall(chunks)
        assert narrow.ping() < 1
        client.sendall(b"0\r\n\r\n")
        status, _, body = answer(client)
        assert status == 400
        assert "empty" in json.loads(body)["error"]["message"]


def test_pings_one_upon_another_keep_nobody_waiting(narrow: Server) -> None:
    """They take the server seconds, in which there are always more to be read."""

    def send(client: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the test is over
            client.sendall(40_000 * (PING + b"\r\n"))

    def take(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while client.recv(1 << 16):
                pass

    with contextlib.closing(narrow.open_socket()) as client:
        threads = [threading.Thread(target=each, args=(client,)) for each in (send, take)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        assert narrow.ping() < 1
        client.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def test_a_stop_beside_hundreds_of_idle_clients_answers_what_had_begun(
    serve: Serve, opt_ml: Path, records: list[dict[str, Any]]
) -> None:
    """Some of the clients leave just as the server looks at them all."""
    server = serve(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1)
    server.wait_for_ping()
    whole = request(lines(records))
    idle = [server.open_socket() for _ in range(600)]
    with contextlib.closing(server.open_socket(whole[:-1])) as client:
        server.ping()
        server.process.send_signal(signal.SIGTERM)
        for each in idle:
            each.close()
        time.sleep(0.5)
        client.sendall(whole[-1:])
        assert answer(client)[0] == 200
    assert server.process.wait(timeout=10) == 0


def test_a_method_in_lower_case_takes_a_place_in_the_queue(
    narrow: Server, records: list[dict[str, Any]]
) -> None:
    body = request(lines(records * 40)).replace(b"POST", b"post", 1)
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(contextlib.closing(narrow.open_socket(body))) for _ in range(12)
        ]
        assert narrow.ping() < 1
        assert 503 in {answer(client)[0] for client in clients}


def test_a_request_in_work_is_not_cut_for_new_connections(
    narrow: Server, records: list[dict[str, Any]]
) -> None:
    head = HEAD + b"Content-Length: 9\r\n\r\n"
    with contextlib.closing(narrow.open_socket(request(lines(records * 40)))) as client:
        while b"ordergap_requests_in_flight 1" not in narrow.ask("GET", "/metrics")[2]:
            time.sleep(0.01)
        others = [narrow.open_socket(head) for _ in range(1100)]
        assert answer(client)[0] == 200
        for each in others:
            each.close()
