"""The end of a request is found wherever the network cuts it, and where gunicorn finds it."""

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.serving.transport.framing import Framing

HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\n"
bodies = st.binary(max_size=60) | st.sampled_from(
    [b"\r\n\r\n", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)


def plain(body: bytes) -> bytes:
    return HEAD + b"content-LENGTH:  %d \r\n\r\n" % len(body) + body


def chunked(parts: list[bytes], ending: bytes = b"\r\n", extension: bytes = b"") -> bytes:
    chunks = (b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n" + ending


requests = (
    bodies.map(plain)
    | st.lists(bodies, max_size=4).map(chunked)
    | st.lists(bodies, max_size=4).map(lambda parts: chunked(parts, b"A: b\r\n\r\n", b" ;x=1"))
    | st.just(b"GET /ping HTTP/1.1\r\n\r\n")
)


@settings(max_examples=300)
@given(requests, st.binary(max_size=20), st.data())
def test_a_request_ends_at_the_same_byte_however_it_is_cut(
    request: bytes, next_one: bytes, data: st.DataObject
) -> None:
    framing, arrived = Framing(), bytearray()
    whole = request + next_one
    cuts = [*sorted(data.draw(st.sets(st.integers(1, len(whole)), max_size=8))), len(whole)]
    for start, stop in zip([0, *cuts], cuts, strict=False):
        arrived += whole[start:stop]
        over = framing.advance(arrived)
        assert over == (len(arrived) >= len(request))
        if over:
            break
    assert framing.end == len(request)
    assert framing.is_post == request.startswith(b"POST")


@settings(max_examples=200)
@given(requests)
def test_gunicorn_reads_exactly_the_request(request: bytes) -> None:
    framing = Framing()
    assert framing.advance(bytearray(request))
    parser = RequestParser(Config(), iter([request, b"more"]), ("", 0))
    message = next(parser)
    assert message.body
    message.body.read()
    assert parser.unreader.read() in {b"more", b""}
    assert parser.unreader.read() in {b"more", b""}


@pytest.mark.parametrize(
    "nonsense",
    [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfive\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1" + b"0" * 16 + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 9000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 2000,
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
    ],
)
def test_malformed_bytes_count_as_complete(nonsense: bytes) -> None:
    assert Framing().advance(bytearray(nonsense))


def test_expect_100_continue_is_recognised() -> None:
    framing = Framing()
    assert not framing.advance(
        bytearray(HEAD + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
    )
    assert framing.expects_continue
