"""Where requests begin and end: as llhttp, the parser of Node.js, finds it, or they are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import h11
import pytest
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from ordergap.serving.transport.exchange import Exchange

Requests = list[tuple[bytes, bytes, bytes]]
"""Method, target and body of each request."""


def read(data: bytes, cuts: list[int]) -> tuple[Requests, str]:
    """What the server answers of `data`, which arrives in pieces, and how that ends."""
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    found: Requests = []
    exchange = Exchange()
    try:
        for piece in pieces:
            exchange.take(piece)
            while exchange.complete:
                assert exchange.head is not None
                found.append((exchange.head.method, exchange.head.target, exchange.body.getvalue()))
                exchange.answer("404 Not Found", [("Content-Length", "0")], b"", close=False)
                if not exchange.may_follow:
                    return found, "closed"
                early = exchange.http.trailing_data[0]
                exchange = Exchange()
                exchange.take(early)
    except h11.RemoteProtocolError:
        return found, "refused"
    return found, "waits" if exchange.begun else "idle"


@dataclass
class Oracle:
    """llhttp's view of the same bytes."""

    found: Requests = field(default_factory=list)
    url: bytes = b""
    body: bytes = b""
    whole: bool = True

    def on_message_begin(self) -> None:
        self.url, self.body, self.whole = b"", b"", False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole = True
        self.found.append((self.parser.get_method(), self.url, self.body))

    def read(self, data: bytes) -> tuple[Requests, str]:
        self.parser = HttpRequestParser(self)
        try:
            self.parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            return self.found, "refused"
        return self.found, "idle" if self.whole else "waits"


HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\n"
bodies = st.binary(max_size=40) | st.sampled_from(
    [b"\r\n\r\n", b"0\r\n\r\n", b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"]
)


def plain(body: bytes) -> bytes:
    return HEAD + b"content-LENGTH:  %d \r\n\r\n" % len(body) + body


def chunked(parts: list[bytes], ending: bytes = b"\r\n", size: bytes = b"%x") -> bytes:
    chunks = (size % len(part) + b"\r\n" + part + b"\r\n" for part in parts if part)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n" + ending


good = (
    bodies.map(plain)
    | st.builds(chunked, st.lists(bodies, max_size=4))
    | st.builds(
        chunked,
        st.lists(bodies, max_size=4),
        st.just(b"A: b\r\n\r\n"),
        st.sampled_from([b"%x;x=1", b"%X", b"%06x"]),
    )
    | st.sampled_from(
        [
            b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET http://x/ping?a=b HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
    )
)
lengths = st.integers(0, 60).map(lambda n: b"%d" % n) | st.sampled_from(
    [b"5, 5", b"5,6", b"+5", b"-5", b"0x5", b"5 5", b"", b"5\x00", b"0" * 30 + b"5", b"9" * 19,
     b"10000000000000000000", b"18446744073709551621", b"1" * 400, b"\xb25"]
)  # fmt: skip
codings = st.sampled_from(
    [b"chunked", b"Chunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"identity",
     b"\x0bchunked", b"chunked\x00", b"xchunked", b'"chunked"', b"chunked;x=1", b""]
)  # fmt: skip
names = st.sampled_from([b"%s: ", b"%s:", b"%s : ", b" %s: ", b"%s:\r\n ", b"%s\t:", b"%s\x00: "])
fields = (
    st.builds(lambda name, n: name % b"Content-Length" + n, names, lengths)
    | st.builds(lambda name, coding: name % b"Transfer-Encoding" + coding, names, codings)
    | st.sampled_from(
        [b"Connection: close", b"Connection: keep-alive", b"Expect: 100-continue", b"A: b",
         b"Content_Length: 5", b"SCRIPT_NAME: /x", b"Host: y", b"A b: c", b": d", b"no colon",
         b"A: \xff", b"A: b\rc", b"Upgrade: h2c"]
    )
)  # fmt: skip
odd = st.builds(
    lambda start, host, lines, eol, body: (
        eol.join([start, *host, *lines]) + eol + eol + body
    ),
    st.sampled_from(
        [b"POST /invocations HTTP/1.1", b"POST /invocations HTTP/1.0", b"GET /ping HTTP/1.1",
         b"POST /invocations HTTP/9.9", b"POST  /invocations HTTP/1.1", b"POST /in vo HTTP/1.1",
         b"post /invocations http/1.1", b"HEAD /ping HTTP/1.1", b"GET /ping",
         b"CONNECT x:1 HTTP/1.1", b"\r\nGET /ping HTTP/1.1", b"\nGET /ping HTTP/1.1",
         b"GET /ping HTTP/1.1 ", b"GET  HTTP/1.1"]
    ),
    st.sampled_from([[b"Host: x"], [b"Host: x"], []]),
    st.lists(fields, max_size=3),
    st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r"]),
    bodies | st.lists(bodies, max_size=2).map(lambda them: chunked(them)[len(chunked([])) - 5 :]),
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(good, min_size=1, max_size=3), st.data())
def test_sound_requests_are_read_as_by_another_parser_however_they_are_cut(
    requests: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8)))
    found, end = read(whole, cuts)
    assert (found, end) == Oracle().read(whole) == (found, "idle")
    assert len(found) == len(requests)


@settings(max_examples=600)
@given(st.lists(odd | good, min_size=1, max_size=3), st.data())
@example([HEAD + b"Content-Length: 10000000000000000000\r\n\r\n", HEAD + b"\r\n"], None)
def test_what_two_parsers_would_frame_differently_is_refused(
    requests: list[bytes], data: st.DataObject | None
) -> None:
    """One that sees fewer requests has refused the next: it never waits while the other answers."""
    whole = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=4))) if data else []
    found, end = read(whole, cuts)
    assert (found, end) == read(whole, [])
    others, other_end = Oracle().read(whole)
    both = min(len(found), len(others))
    assert found[:both] == others[:both]
    if len(found) < len(others):
        assert end in {"refused", "closed"}
    if len(others) < len(found):
        assert other_end == "refused"
    event(f"{end}, {other_end}")
    assert len(found) <= whole.count(b"HTTP/1.")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked, chunked\r\n", 501),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"A: " + b"b" * 9000 + b"\r\n", 431),
        (b"A: b\r\n" * 200, 431),
    ],
)
def test_a_head_that_may_be_read_in_two_ways_or_is_too_large_is_refused(
    sent: bytes, status: int
) -> None:
    with pytest.raises(h11.RemoteProtocolError) as error:
        Exchange().take(HEAD + sent + b"\r\n")
    assert error.value.error_status_hint == status


def consume(exchange: Exchange, pieces: list[bytes]) -> None:
    for piece in pieces:
        exchange.take(piece)


@pytest.mark.parametrize("endless", [b"A: b\r\n", b"0"])
def test_lines_between_chunks_are_bounded(endless: bytes) -> None:
    exchange = Exchange()
    exchange.take(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"0\r\n" if b":" in endless else b"")
    )
    with pytest.raises(h11.RemoteProtocolError):
        consume(exchange, [endless] * (1 << 17))


def environ(sent: bytes) -> dict[str, Any]:
    """What the application sees of a request."""
    seen: dict[str, Any] = {}

    def app(given: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(given)
        start_response("200 OK", [])
        return []

    exchange = Exchange()
    exchange.take(sent)
    assert exchange.complete
    exchange.run(app, {})
    return seen


def test_the_environment_is_of_the_request_alone() -> None:
    seen = environ(
        b"POST http://host/a%20b?c=%20d HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /a\r\nContent-Length: 2"
        b"\r\nContent-Type: text/csv\r\nContent_Type: no\r\nA: 1\r\nA: 2\r\n\r\nhi"
    )
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["SCRIPT_NAME"]) == ("/a b", "c=%20d", "")
    assert (seen["CONTENT_TYPE"], seen["CONTENT_LENGTH"]) == ("text/csv", "2")
    assert (seen["HTTP_A"], seen["wsgi.input"].read()) == ("1,2", b"hi")
    assert "HTTP_SCRIPT_NAME" not in seen
