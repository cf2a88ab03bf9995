"""A client's connection, of which the thread that answers sees only the current request."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from gunicorn.workers.gthread import TConn
from typing_extensions import override

from ordergap.serving.transport.framing import Framing

_CHUNK = 1 << 18  # bytes read or written at once


class ClientSocket(socket.socket):
    """A socket that never blocks.

    A read takes bytes from `received` until the end of the request, `remaining` bytes from here,
    and then finds the end of the stream. A write adds to `unsent`.

    refusal  why the request must be refused; empty where it need not be
    arrived  when the request was complete, by the clock of `time.perf_counter`
    """

    def __init__(self, client: socket.socket) -> None:
        super().__init__(fileno=client.detach())
        super().setblocking(False)
        self.received = bytearray()
        self.unsent = bytearray()
        self.remaining = 0
        self.refusal = ""
        self.arrived = 0.0

    @override
    def setblocking(self, flag: bool, /) -> None:
        """Ignored: the socket never blocks."""

    @override
    def settimeout(self, value: float | None, /) -> None:
        """Ignored: the socket never blocks."""

    @override
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        size = min(bufsize, self.remaining)
        with memoryview(self.received) as view:
            part = bytes(view[:size])
        del self.received[:size]
        self.remaining -= len(part)
        return part

    @override
    def send(self, data: Any, flags: int = 0, /) -> int:
        """Drop gunicorn's `100 Continue`: it is late, `send_100_continue` has sent it."""
        return len(data)

    @override
    def sendall(self, data: Any, flags: int = 0, /) -> None:
        self.unsent += data

    def receive(self) -> bool:
        """Read what has arrived; False at the end of the stream. Raises OSError."""
        part = super().recv(_CHUNK)
        self.received += part
        return bool(part)

    def flush(self) -> bool:
        """Send as much as the client takes; whether that was all. Raises OSError."""
        with contextlib.suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: super().send(self.unsent[:_CHUNK])]
        return not self.unsent

    def send_100_continue(self) -> None:
        """Let a client that waits for it send the body. Raises OSError."""
        super().send(b"HTTP/1.1 100 Continue\r\n\r\n")


class Connection(TConn):
    """A connection and its state.

    framing         of the request that is arriving or being answered
    started         when the first byte of the request arrived; None while none is arriving
    close_after     whether the connection ends with the answer to this request
    has_slot        whether the request takes one of the worker's slots
    buffered_bytes  of the request, as counted by the worker
    """

    sock: ClientSocket

    def __init__(self, cfg: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.data_ready = True
        self.reset()

    def reset(self) -> None:
        """Be ready for the next request."""
        self.framing = Framing()
        self.started: float | None = None
        self.sock.refusal = ""
        self.close_after = self.has_slot = False
        self.buffered_bytes = 0
