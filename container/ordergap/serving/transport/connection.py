"""A client's connection, on which one request is answered after the other."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import h11

from ordergap.serving.app.request_context import ARRIVED, FULL, LARGE, REFUSAL
from ordergap.serving.app.request_log import raw_error_response
from ordergap.serving.transport.exchange import Exchange

if TYPE_CHECKING:
    from ordergap.serving.transport.worker import Worker

IDLE_TIMEOUT = 75.0  # seconds until the next request of a connection begins
REQUEST_TIMEOUT = 10.0  # seconds in which a request arrives, and one more
ANSWER_TIMEOUT = 60.0  # seconds in which a client takes its answer, and one more
RATE = 1 << 16  # for each of so many bytes
MAX_HELD = 4  # requests of the largest size that bodies and answers of all may take together
LINGER_TIMEOUT = 3.0  # seconds in which a client closes a connection that the server has ended
WAITING, READING, SENDING, COMPUTING = range(4)
"""What a connection is at: the later, the more would be lost with it."""
_READ = 1 << 13  # bytes read at once; so many bytes of one-byte chunks keep the loop for 12 ms


class Connection:
    """A client.

    exchange  the request that is arriving or being answered
    stage     WAITING until a head is whole, and after the last answer
    accepted  when it was accepted, by the loop's clock
    """

    def __init__(self, worker: Worker, client: socket.socket) -> None:
        self.worker, self._client = worker, client
        self.exchange, self.stage = Exchange(), WAITING
        self.accepted = worker.loop.time()
        self._held = 0  # bytes of body and answer, as counted in the worker's
        self.task = worker.loop.create_task(self._serve())

    async def _serve(self) -> None:
        """Answer until one side ends the connection."""
        early: bytes | None = b""
        with suppress(OSError):  # the client has gone, or is too late
            while early is not None:
                early = await self._answer_next(early)
            self._client.shutdown(socket.SHUT_WR)
            # Closed with bytes unread, the connection is reset: the client may miss the answer.
            async with asyncio.timeout(LINGER_TIMEOUT):
                while await self._receive():
                    pass

    def close(self) -> None:
        """Let go of what it holds, once the task has ended."""
        self._hold(0)
        self._client.close()

    async def _receive(self) -> bytes:
        return await self.worker.loop.sock_recv(self._client, _READ)

    async def _answer_next(self, early: bytes) -> bytes | None:
        """Answer a request that begins with `early`, bytes that have arrived already.

        Returns what has arrived after it, or None where no other may follow. Raises OSError.
        """
        exchange = self.exchange = Exchange()
        try:
            refusal = await self._read(early)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint if error.error_status_hint in {414, 431} else 400
            what = re.sub(r"bytearray\((b['\"].*['\"])\)", r"\1", str(error))
            answer = self._raw(status, f"the HTTP request is malformed: {what}")
        except TimeoutError:
            if not exchange.begun:
                raise
            limit = f"{REQUEST_TIMEOUT:.0f} s and 1 s for each {RATE >> 10} KiB"
            answer = self._raw(408, f"the request was not complete within {limit}; send it again")
        else:
            answer = await self._compute(refusal)
        exchange.body.close()
        self.stage = SENDING
        self._hold(len(answer))
        async with asyncio.timeout(ANSWER_TIMEOUT + len(answer) / RATE):
            await self.worker.loop.sock_sendall(self._client, answer)
        self._hold(0)
        self.stage = WAITING
        self.worker.connections[self] = self.worker.connections.pop(self)  # the last to wait
        return exchange.http.trailing_data[0] if exchange.may_follow else None

    async def _read(self, data: bytes) -> str:
        """Read until the request is complete, or its rest would not change the answer.

        Returns why it must be refused; empty where it need not be. Raises OSError where no more
        comes, and RemoteProtocolError.
        """
        exchange, worker = self.exchange, self.worker
        started = worker.loop.time()
        async with asyncio.timeout(IDLE_TIMEOUT) as timeout:
            while True:
                exchange.take(data)
                if exchange.head:
                    self.stage = READING
                    self._hold(exchange.body.tell())
                    if exchange.body_length > worker.max_body:
                        return LARGE
                    if worker.held > MAX_HELD * worker.max_body:
                        return FULL
                    if exchange.complete:
                        return ""
                if exchange.begun:
                    timeout.reschedule(started + REQUEST_TIMEOUT + exchange.body.tell() / RATE)
                    if go_on := exchange.go_on():
                        await worker.loop.sock_sendall(self._client, go_on)
                    await asyncio.sleep(0)  # others first: there may be more to read at once
                if not (data := await self._receive()):
                    raise ConnectionResetError
                if not exchange.begun:
                    started = worker.loop.time()

    async def _compute(self, refusal: str) -> bytes:
        """The answer: of /ping at once, of everything else by a thread."""
        exchange, worker = self.exchange, self.worker
        assert exchange.head is not None  # noqa: S101 - `_read` returns once it is whole
        # Only POST requests ask for forecasts; the application takes `post` for one, too.
        is_post = exchange.head.method.upper() == b"POST"
        if is_post and not worker.free:
            refusal = refusal or FULL
        has_slot = is_post and not refusal
        extra = worker.environ | {REFUSAL: refusal, ARRIVED: time.perf_counter()}

        def compute() -> bytes:
            answer = exchange.run(worker.wsgi, extra)
            return exchange.answer(*answer, close=not (exchange.complete and worker.alive))

        worker.free -= has_slot
        self.stage = COMPUTING
        try:
            if exchange.head.target == b"/ping" and not is_post:
                await asyncio.sleep(0)  # others first: a client may send one upon another
                return compute()
            pool = worker.pool if has_slot else worker.light_pool
            return await worker.loop.run_in_executor(pool, compute)
        except Exception as error:  # noqa: BLE001 - whatever the application lets through
            message = "internal error: the server's log has the cause under this id"
            return self._raw(500, message, error)
        finally:
            worker.free += has_slot

    def _raw(self, status: int, message: str, cause: Exception | None = None) -> bytes:
        return raw_error_response(self.worker.counts, status, message, cause)

    def _hold(self, size: int) -> None:
        self.worker.held += size - self._held
        self._held = size
