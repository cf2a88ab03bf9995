"""A gunicorn worker whose threads never wait for a client.

One loop reads requests until they are complete and writes answers as fast as clients take them;
threads only compute. So slow or silent clients occupy no thread, and the loop knows how many
requests wait: those beyond a limit are refused at once. Requests other than POST, such as /ping,
have threads of their own and are answered under any load.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from resource import RLIMIT_NOFILE, getrlimit
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.http import Request
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker
from typing_extensions import override

from ordergap.serving.app.counts import Counts
from ordergap.serving.app.request_context import ARRIVED, FULL, LARGE, REFUSAL
from ordergap.serving.app.request_log import COUNTS, raw_error_response
from ordergap.serving.transport.connection import ClientSocket, Connection
from ordergap.serving.transport.framing import MAX_HEAD

IDLE_TIMEOUT = 75.0  # seconds until the next request of a connection begins
REQUEST_TIMEOUT = 10.0  # seconds in which a request arrives, and one more
REQUEST_RATE = 1 << 16  # for each of so many bytes
WRITE_TIMEOUT = 60.0  # seconds in which a client takes some of an answer
LINGER_TIMEOUT = 3.0  # seconds in which a client closes a connection that the server has ended
MAX_CONNECTIONS = 1000  # where the system allows so many open files
MAX_BUFFERED = 4  # requests of the largest size that a worker may buffer together
_SWEEP_INTERVAL = 0.25  # seconds between looks at what has timed out
_ACCEPT_DELAY = 0.01  # seconds in which a worker with fewer connections may accept a new one

Callback = Callable[[Connection], None]


class Worker(ThreadWorker):
    """The loop, the threads that forecast, and two for everything else.

    gunicorn's settings hold the number of threads. The Flask application's `config` holds QUEUE,
    the requests that may wait for them, and MAX_CONTENT_LENGTH.
    """

    @override
    def init_process(self) -> None:
        self.light_pool = ThreadPoolExecutor(2)
        self.connections: set[Connection] = set()
        self.deadlines: dict[Connection, float] = {}  # of those that wait for their clients
        self.buffered_bytes = 0  # of all requests
        self.last_sweep = 0.0
        self.accept_at = 0.0  # when to accept again; 0: now
        self.max_connections = min(MAX_CONNECTIONS, max(16, getrlimit(RLIMIT_NOFILE)[0] - 64))
        super().init_process()

    @override
    def load_wsgi(self) -> None:
        super().load_wsgi()
        app: Any = self.wsgi
        # For requests that are worked on or wait for it.
        self.slots = threading.Semaphore(self.cfg.threads + app.config["QUEUE"])
        self.max_body: int = app.config["MAX_CONTENT_LENGTH"]
        self.counts: Counts = app.extensions[COUNTS]

        def answer(environ: Any, start_response: Any) -> Any:
            client = environ["gunicorn.socket"]
            environ[REFUSAL], environ[ARRIVED] = client.refusal, client.arrived
            return app(environ, start_response)

        self.wsgi = answer

    @override
    def run(self) -> None:
        queue = self.method_queue
        self.poller.register(queue.fileno() or 0, EVENT_READ, queue.run_callbacks)
        self.set_accept_enabled(True)
        self._publish_connections()
        while self.alive and self.is_parent_alive():
            self._run_once()
        self._stop_accepting()
        end = time.monotonic() + self.cfg.graceful_timeout
        while self.connections and time.monotonic() < end:
            self._run_once()
        for pool in (self.tpool, self.light_pool):
            pool.shutdown(wait=False, cancel_futures=True)

    def _run_once(self) -> None:
        self.wait_for_and_dispatch_events(_ACCEPT_DELAY if self.accept_at else _SWEEP_INTERVAL)
        now = time.monotonic()
        if self.alive and 0 < self.accept_at < now:
            self.accept_at = 0.0
            self.set_accept_enabled(True)
            for listener in self.sockets:
                self._accept_from(listener)
        if now - self.last_sweep > _SWEEP_INTERVAL:
            self.last_sweep = now
            self.notify()
            for conn in [each for each, end in self.deadlines.items() if end < now]:
                self._on_timeout(conn)

    def _stop_accepting(self) -> None:
        """Refuse new connections from now on; those the system has accepted are still served."""
        self.set_accept_enabled(False)
        self._publish_connections()
        for listener in self.sockets:
            with contextlib.suppress(OSError):
                while True:
                    self._add_connection(*listener.accept(), listener)
            listener.close()
        latest = time.monotonic() + LINGER_TIMEOUT
        for conn, deadline in self.deadlines.items():
            if conn.started is None and not conn.sock.unsent:
                self.deadlines[conn] = min(deadline, latest)

    @override
    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, but let a worker that has fewer go first."""
        if self.counts.fewest_connections() < len(self.connections):
            self.accept_at = time.monotonic() + _ACCEPT_DELAY
            self.set_accept_enabled(False)
        else:
            self._accept_from(listener)

    def _accept_from(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._close_earliest()
            return
        self._add_connection(client, address, listener)

    def _add_connection(self, client: socket.socket, address: Any, listener: socket.socket) -> None:
        if len(self.connections) >= self.max_connections:
            self._close_earliest()
        conn = Connection(self.cfg, ClientSocket(client), address, listener.getsockname())
        self.connections.add(conn)
        self._publish_connections()
        self._wait(conn, self._on_readable, IDLE_TIMEOUT)

    def _publish_connections(self) -> None:
        self.counts.set_connections(len(self.connections) if self.alive else None)

    def _close_earliest(self) -> None:
        """Close the connection that would time out first."""
        if self.deadlines:
            self._close(min(self.deadlines, key=self.deadlines.__getitem__))

    def _wait(
        self, conn: Connection, callback: Callback, seconds: float, event: int = EVENT_READ
    ) -> None:
        """Call back whenever the client does something, for so many seconds."""
        self.deadlines[conn] = time.monotonic() + seconds
        self.poller.register(conn.sock, event, lambda _: self._try(callback, conn))

    def _try(self, callback: Callback, conn: Connection) -> None:
        try:
            callback(conn)
        except BlockingIOError:
            pass
        except OSError:
            self._close(conn)

    def _stop_waiting(self, conn: Connection) -> None:
        if self.deadlines.pop(conn, None) is not None:
            self.poller.unregister(conn.sock)

    def _on_timeout(self, conn: Connection) -> None:
        if conn.started is None:
            self._close(conn)
        else:
            limit = f"{REQUEST_TIMEOUT:.0f} s and 1 s for each {REQUEST_RATE >> 10} KiB"
            self._refuse(conn, 408, f"the request was not complete within {limit}; send it again")

    def _refuse(self, conn: Connection, status: int, message: str) -> None:
        """Answer what never became a request."""
        self._stop_waiting(conn)
        conn.started = None
        conn.close_after = True
        conn.sock.unsent += raw_error_response(self.counts, status, message)
        self._try(self._on_writable, conn)

    def _close(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        self._set_buffered(conn, 0)
        self.connections.discard(conn)
        self._publish_connections()
        conn.close()

    def _set_buffered(self, conn: Connection, size: int) -> None:
        self.buffered_bytes += size - conn.buffered_bytes
        conn.buffered_bytes = size

    def _on_readable(self, conn: Connection) -> None:
        if conn.sock.receive():
            self._advance(conn)
        else:
            self._close(conn)

    def _advance(self, conn: Connection) -> None:
        """Answer the request if it is complete, or if its rest would not change the answer."""
        framing, data = conn.framing, conn.sock.received
        conn.started = conn.started or time.monotonic()
        self._set_buffered(conn, len(data))
        conn.close_after = not framing.advance(data)
        body_size = framing.head_end and (framing.body_length or len(data) - framing.head_end)
        if not conn.close_after:
            self._answer(conn)
        elif not framing.head_end and len(data) > MAX_HEAD:
            self._refuse(conn, 431, f"the headers exceed {MAX_HEAD} bytes together: send less")
        elif body_size > self.max_body:
            conn.sock.refusal = LARGE
            self._answer(conn)
        elif framing.head_end and self.buffered_bytes > MAX_BUFFERED * self.max_body:
            conn.sock.refusal = FULL
            self._answer(conn)
        else:
            if framing.expects_continue:
                framing.expects_continue = False
                conn.sock.send_100_continue()
            self.deadlines[conn] = conn.started + REQUEST_TIMEOUT + len(data) / REQUEST_RATE

    def _answer(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        conn.started = None
        conn.sock.arrived = time.perf_counter()
        conn.sock.remaining = len(conn.sock.received) if conn.close_after else conn.framing.end
        if conn.framing.is_post and not (conn.close_after or conn.sock.refusal):
            conn.has_slot = self.slots.acquire(blocking=False)
            conn.sock.refusal = "" if conn.has_slot else FULL
        pool = self.tpool if conn.has_slot else self.light_pool
        pool.submit(self.handle, conn).add_done_callback(
            lambda future: self.method_queue.defer(self.finish_request, conn, future)
        )

    @override
    def handle_request(self, req: Request, conn: TConn) -> bool:
        """In a thread: make the answer, and send it where the client takes it at once."""
        assert isinstance(conn, Connection)  # noqa: S101 - as `_add_connection` makes them
        if conn.close_after:
            req.force_close()
        stays = super().handle_request(req, conn)
        self._release_slot(conn)  # before the client can read the answer, and ask again
        conn.sock.flush()
        return stays

    def _release_slot(self, conn: Connection) -> None:
        if conn.has_slot:
            conn.has_slot = False
            self.slots.release()

    @override
    def handle_error(
        self, req: Request | None, client: socket.socket, addr: Any, exc: BaseException
    ) -> None:
        """Answer in JSON where gunicorn cannot parse a request or the application fails."""
        status, message = 500, "internal error: the server's log has the cause under this id"
        if isinstance(exc, ParseException):
            status = {LimitRequestLine: 414, LimitRequestHeaders: 431}.get(type(exc), 400)
            message = f"the HTTP request is malformed: {exc}"
        cause = None if status < 500 else exc
        client.sendall(raw_error_response(self.counts, status, message, cause))

    @override
    def finish_request(self, conn: TConn, fs: Future[bool]) -> None:
        """In the loop: see to it that the answer gets to the client."""
        assert isinstance(conn, Connection)  # noqa: S101 - as `_add_connection` makes them
        self._release_slot(conn)
        self._set_buffered(conn, 0)
        conn.close_after |= fs.cancelled() or fs.exception() is not None or not fs.result()
        self._try(self._on_writable, conn)

    def _on_writable(self, conn: Connection) -> None:
        """Send more of the answer; once all is sent, the next request may come."""
        complete = conn.sock.flush()
        self._stop_waiting(conn)
        if not complete:
            self._wait(conn, self._on_writable, WRITE_TIMEOUT, EVENT_WRITE)
        elif conn.close_after:
            conn.sock.shutdown(socket.SHUT_WR)
            self._wait(conn, self._drain, LINGER_TIMEOUT)
        else:
            conn.reset()
            self._wait(conn, self._on_readable, IDLE_TIMEOUT if self.alive else LINGER_TIMEOUT)
            if conn.sock.received:
                self._advance(conn)

    def _drain(self, conn: Connection) -> None:
        """Read on after the last answer: closed with bytes unread, the client might not see it."""
        if not conn.sock.receive():
            self._close(conn)
        conn.sock.received.clear()
