"""A client's connection, of which the thread that answers sees only the request that is there."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from gunicorn.workers.gthread import TConn
from typing_extensions import override

from ordergap.serving.transport.framing import Framing

_AT_ONCE = 1 << 18  # bytes


class Wire(socket.socket):
    """A socket that never makes anybody wait.

    Whoever reads gets what is in `inbox` until the request's end, `due` bytes from here, and then
    the end of the stream. What is written waits in `outbox`.

    refusal  why the request is not to be worked on, where it is not
    arrived  when the request was there, by the clock of `time.perf_counter`
    """

    def __init__(self, client: socket.socket) -> None:
        super().__init__(fileno=client.detach())
        super().setblocking(False)
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.due = 0
        self.refusal = ""
        self.arrived = 0.0

    @override
    def setblocking(self, flag: bool, /) -> None:
        """Stays as it is."""

    @override
    def settimeout(self, value: float | None, /) -> None:
        """Stays as it is."""

    @override
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        size = min(bufsize, self.due)
        with memoryview(self.inbox) as view:
            part = bytes(view[:size])
        del self.inbox[:size]
        self.due -= len(part)
        return part

    @override
    def send(self, data: Any, flags: int = 0, /) -> int:
        """For gunicorn's `100 Continue`, which is too late: `urge` has done it."""
        return len(data)

    @override
    def sendall(self, data: Any, flags: int = 0, /) -> None:
        self.outbox += data

    def receive(self) -> bool:
        """Take what has arrived; False where nothing will any more. Raises OSError."""
        part = super().recv(_AT_ONCE)
        self.inbox += part
        return bool(part)

    def deliver(self) -> bool:
        """Send as much as the client takes; whether that was all. Raises OSError."""
        with contextlib.suppress(BlockingIOError):
            while self.outbox:
                del self.outbox[: super().send(self.outbox[:_AT_ONCE])]
        return not self.outbox

    def urge(self) -> None:
        """Tell a client who asked that the body is wanted. Raises OSError."""
        super().send(b"HTTP/1.1 100 Continue\r\n\r\n")


class Line(TConn):
    """A connection and where it stands.

    framing  of the request that is arriving or being answered
    began    when its first byte was there; None while none is arriving
    cut      not all of it was read, or the answer is the last: the connection ends with it
    at_work  it counts as work
    held     bytes of it that count as held
    """

    sock: Wire

    def __init__(self, cfg: Any, sock: Wire, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.data_ready = True
        self.renew()

    def renew(self) -> None:
        """Be ready for the next request."""
        self.framing = Framing()
        self.began: float | None = None
        self.sock.refusal = ""
        self.cut = self.at_work = False
        self.held = 0
