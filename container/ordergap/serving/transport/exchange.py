"""One HTTP request and its answer, read and written by h11, without a socket."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes

import h11

MAX_HEAD = 1 << 16
"""Bytes of the request line and the headers together, and of the lines between chunks."""
MAX_TARGET, MAX_FIELD, MAX_FIELDS = 4096, 8192, 100
"""Bytes of the request's target and of one header, and the number of headers."""

_TARGET = re.compile(rb"(?:[a-z][a-z0-9+.-]*://[^/?]*)?([^?]*)\??(.*)", re.IGNORECASE)
"""The path and the query of a target; a proxy may send scheme and host before them."""


class Exchange:
    """A request as far as it has arrived.

    head         its method, target and headers; None until they are whole
    body         as far as it has arrived
    body_length  bytes of the body, as far as they are announced or have arrived
    begun        whether any of it has arrived
    complete     whether all of it has
    """

    def __init__(self) -> None:
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self.head: h11.Request | None = None
        self.body, self.body_length = io.BytesIO(), 0
        self.begun = self.complete = False

    def take(self, data: bytes) -> None:
        """Read what has arrived. Raises h11.RemoteProtocolError where it is malformed."""
        if not self.begun:
            data = data.lstrip(b"\r\n")  # blank lines before a request are ignored: RFC 9112, 2.2
        if data:
            self.begun = True
            self.http.receive_data(data)
        while self.begun and not self.complete:
            event = self.http.next_event()
            if isinstance(event, h11.Request):
                _check(event)
                self.head = event
                self.body_length = int(dict(event.headers).get(b"content-length", 0))
            elif isinstance(event, h11.Data):
                self.body.write(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.complete = True
            else:
                break
        # The chunk that has begun: h11 says its size nowhere else.
        coming = getattr(self.http._reader, "_bytes_in_chunk", 0)  # noqa: SLF001
        self.body_length = max(self.body_length, self.body.tell() + coming)

    def go_on(self) -> bytes:
        """What a client waits for before it sends the body; empty where it waits for nothing."""
        if not self.http.they_are_waiting_for_100_continue:
            return b""
        event = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
        return self.http.send(event) or b""

    def run(self, app: Callable[..., Any], extra: dict[str, Any]) -> tuple[str, list[Any], bytes]:
        """Status, headers and body that a WSGI application answers; `extra` is for its environ."""
        start: list[Any] = []
        body = b"".join(app(extra | self._environ(), lambda *args: start.extend(args)))
        return start[0], start[1], body

    def answer(self, status: str, headers: list[Any], body: bytes, *, close: bool) -> bytes:
        """The bytes of the answer. `close`: say that the connection ends with it."""
        code, _, reason = status.partition(" ")
        headers = [*headers, ("Date", formatdate(usegmt=True)), *[("Connection", "close")] * close]
        head = h11.Response(status_code=int(code), reason=reason, headers=headers)
        events = (head, h11.Data(data=body), h11.EndOfMessage())
        return b"".join(self.http.send(event) or b"" for event in events)

    @property
    def may_follow(self) -> bool:
        """Whether another request may come after the answer."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    def _environ(self) -> dict[str, Any]:
        """What the WSGI environment has of the request: PEP 3333."""
        assert self.head is not None  # noqa: S101 - without a head the application is not asked
        path, query = _TARGET.fullmatch(self.head.target).groups()  # type: ignore[union-attr]
        environ: dict[str, Any] = {}
        for name, value in self.head.headers:
            if b"_" not in name:  # else it would pass for the name with a hyphen
                key = "HTTP_" + name.decode().upper().replace("-", "_")
                text = value.decode("latin-1")
                environ[key] = f"{environ[key]},{text}" if key in environ else text
        length = self.body.tell()
        self.body.seek(0)
        return environ | {
            "REQUEST_METHOD": self.head.method.decode(),
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path or b"/").decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "CONTENT_TYPE": environ.get("HTTP_CONTENT_TYPE", ""),
            "CONTENT_LENGTH": str(length),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "0",
            "SERVER_PROTOCOL": f"HTTP/{self.head.http_version.decode()}",
            "wsgi.url_scheme": "http",
            "wsgi.input": self.body,
        }


def _check(head: h11.Request) -> None:
    """Refuse what is too large, and what a proxy in front may have framed otherwise than h11."""
    names = [name for name, _ in head.headers]
    large = len(names) > MAX_FIELDS or any(len(n) + len(v) > MAX_FIELD for n, v in head.headers)
    old, coded = head.http_version == b"1.0", b"transfer-encoding" in names
    twice = coded and (old or b"content-length" in names)
    for wrong, what, status in (
        (not old and head.http_version != b"1.1", "HTTP is understood as 1.0 and 1.1", 400),
        (twice, "Transfer-Encoding beside Content-Length, or in HTTP/1.0", 400),
        (head.method == b"CONNECT", "CONNECT is for proxies", 400),
        (len(head.target) > MAX_TARGET, f"the target exceeds {MAX_TARGET} bytes", 414),
        (large, f"more than {MAX_FIELDS} headers, or one exceeds {MAX_FIELD} bytes", 431),
    ):
        if wrong:
            raise h11.RemoteProtocolError(what, status)
