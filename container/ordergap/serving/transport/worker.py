"""A gunicorn worker whose threads never wait for a client.

One loop reads requests until they are whole and writes answers as fast as clients take them; the
threads only compute. So neither slow nor silent clients hold a thread, and the loop knows how much
work waits: beyond a limit it is turned away at once. What is no POST, such as /ping, has threads of
its own and is answered however much work there is.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.http import Request
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker
from typing_extensions import override

from ordergap.serving.app.counts import Counts
from ordergap.serving.app.observing import COUNTS, answer_unread
from ordergap.serving.app.request_context import ARRIVED, FULL, LARGE, REFUSAL
from ordergap.serving.transport.framing import LARGEST_HEAD
from ordergap.serving.transport.wire import Line, Wire

IDLE = 75.0  # seconds that a connection may wait for its next request
ARRIVAL = 10.0  # seconds in which a request arrives, and one more
ARRIVAL_RATE = 1 << 16  # for each of so many bytes
TAKING = 60.0  # seconds in which a client takes some of an answer
LINGER = 3.0  # seconds in which a client takes notice that a connection ends
LINES = 1000  # connections at once, where the system allows so many open files
HELD = 4  # requests of the largest size that a worker may hold together
_SWEEP = 0.25  # seconds between looks at what is overdue
_COURTESY = 0.01  # seconds in which a worker with fewer connections may take a new one

Then = Callable[[Line], None]


class Worker(ThreadWorker):
    """The loop, the threads that work, and two for everything else.

    gunicorn's settings tell the number of threads; the Flask application's `config` tells QUEUE,
    the requests that may wait for them, and MAX_CONTENT_LENGTH.
    """

    @override
    def init_process(self) -> None:
        self.light = ThreadPoolExecutor(2)
        self.lines: set[Line] = set()
        self.waiting: dict[Line, float] = {}  # for their clients, until when
        self.held = 0  # bytes of requests
        self.swept = 0.0
        self.courtesy = 0.0  # until when a new connection is another worker's, if not 0
        self.most_lines = min(LINES, max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 64))
        super().init_process()

    @override
    def load_wsgi(self) -> None:
        super().load_wsgi()
        app: Any = self.wsgi
        # Places for requests that are worked on or wait for it.
        self.places = threading.Semaphore(self.cfg.threads + app.config["QUEUE"])
        self.max_body: int = app.config["MAX_CONTENT_LENGTH"]
        self.counts: Counts = app.extensions[COUNTS]

        def answer(environ: Any, start_response: Any) -> Any:
            wire = environ["gunicorn.socket"]
            environ[REFUSAL], environ[ARRIVED] = wire.refusal, wire.arrived
            return app(environ, start_response)

        self.wsgi = answer

    @override
    def run(self) -> None:
        queue = self.method_queue
        self.poller.register(queue.fileno() or 0, EVENT_READ, queue.run_callbacks)
        self.set_accept_enabled(True)
        self._tell_open()
        while self.alive and self.is_parent_alive():
            self._turn()
        self._refuse_connections()
        end = time.monotonic() + self.cfg.graceful_timeout
        while self.lines and time.monotonic() < end:
            self._turn()
        for pool in (self.tpool, self.light):
            pool.shutdown(wait=False, cancel_futures=True)

    def _turn(self) -> None:
        self.wait_for_and_dispatch_events(_COURTESY if self.courtesy else _SWEEP)
        now = time.monotonic()
        if self.alive and 0 < self.courtesy < now:
            self.courtesy = 0.0
            self.set_accept_enabled(True)
            for listener in self.sockets:
                self._take(listener)
        if now - self.swept > _SWEEP:
            self.swept = now
            self.notify()
            for line in [line for line, until in self.waiting.items() if until < now]:
                self._give_up(line)

    def _refuse_connections(self) -> None:
        """The system refuses further ones from now on; those it has taken already are served."""
        self.set_accept_enabled(False)
        self._tell_open()
        for listener in self.sockets:
            with contextlib.suppress(OSError):
                while True:
                    self._open(*listener.accept(), listener)
            listener.close()
        soon = time.monotonic() + LINGER
        for line, until in self.waiting.items():
            if line.began is None and not line.sock.outbox:
                self.waiting[line] = min(until, soon)

    @override
    def accept(self, listener: socket.socket) -> None:
        """Take a connection, but let a worker that has fewer go first."""
        if self.counts.fewest_open() < len(self.lines):
            self.courtesy = time.monotonic() + _COURTESY
            self.set_accept_enabled(False)
        else:
            self._take(listener)

    def _take(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._make_room()
            return
        self._open(client, address, listener)

    def _open(self, client: socket.socket, address: Any, listener: socket.socket) -> None:
        if len(self.lines) >= self.most_lines:
            self._make_room()
        line = Line(self.cfg, Wire(client), address, listener.getsockname())
        self.lines.add(line)
        self._tell_open()
        self._wait(line, self._arrive, IDLE)

    def _tell_open(self) -> None:
        self.counts.open(len(self.lines) if self.alive else None)

    def _make_room(self) -> None:
        """Close the connection that would be given up first."""
        if self.waiting:
            self._close(min(self.waiting, key=self.waiting.__getitem__))

    def _wait(self, line: Line, then: Then, seconds: float, event: int = EVENT_READ) -> None:
        """Do `then` whenever the client does something, for so many seconds."""
        self.waiting[line] = time.monotonic() + seconds
        self.poller.register(line.sock, event, lambda _: self._try(then, line))

    def _try(self, then: Then, line: Line) -> None:
        try:
            then(line)
        except BlockingIOError:
            pass
        except OSError:
            self._close(line)

    def _wait_no_more(self, line: Line) -> None:
        if self.waiting.pop(line, None) is not None:
            self.poller.unregister(line.sock)

    def _give_up(self, line: Line) -> None:
        if line.began is None:
            self._close(line)
            return
        self._refuse(line, 408, "the request did not arrive in time; send it again")

    def _refuse(self, line: Line, status: int, message: str) -> None:
        """Answer what never became a request."""
        self._wait_no_more(line)
        line.began = None
        line.cut = True
        line.sock.outbox += answer_unread(self.counts, status, message)
        self._try(self._send, line)

    def _close(self, line: Line) -> None:
        self._wait_no_more(line)
        self._hold(line, 0)
        self.lines.discard(line)
        self._tell_open()
        line.close()

    def _hold(self, line: Line, held: int) -> None:
        self.held += held - line.held
        line.held = held

    def _arrive(self, line: Line) -> None:
        """More of a request is there."""
        if line.sock.receive():
            self._follow(line)
        else:
            self._close(line)

    def _follow(self, line: Line) -> None:
        """Answer the request if it is there, or if the rest of it would not change the answer."""
        framing, data = line.framing, line.sock.inbox
        line.began = line.began or time.monotonic()
        self._hold(line, len(data))
        line.cut = not framing.follow(data)
        if not line.cut:
            self._answer(line)
        elif not framing.head and len(data) > LARGEST_HEAD:
            self._refuse(line, 431, f"the headers are over {LARGEST_HEAD} bytes together")
        elif framing.head and (framing.length or len(data) - framing.head) > self.max_body:
            line.sock.refusal = LARGE
            self._answer(line)
        elif framing.head and self.held > HELD * self.max_body:
            line.sock.refusal = FULL
            self._answer(line)
        else:
            if framing.expects:
                framing.expects = False
                line.sock.urge()
            self.waiting[line] = line.began + ARRIVAL + len(data) / ARRIVAL_RATE

    def _answer(self, line: Line) -> None:
        self._wait_no_more(line)
        line.began = None
        line.sock.arrived = time.perf_counter()
        line.sock.due = len(line.sock.inbox) if line.cut else line.framing.end
        if line.framing.work and not (line.cut or line.sock.refusal):
            line.at_work = self.places.acquire(blocking=False)
            line.sock.refusal = "" if line.at_work else FULL
        future = (self.tpool if line.at_work else self.light).submit(self.handle, line)
        future.add_done_callback(
            lambda future: self.method_queue.defer(self.finish_request, line, future)
        )

    @override
    def handle_request(self, req: Request, conn: TConn) -> bool:
        """In a thread: the answer waits in the wire, and goes out in one piece where it can."""
        if isinstance(conn, Line) and conn.cut:
            req.force_close()
        stays = super().handle_request(req, conn)
        if isinstance(conn, Line):
            self._leave_place(conn)  # before the client can have its answer, and ask again
            conn.sock.deliver()
        return stays

    def _leave_place(self, line: Line) -> None:
        if line.at_work:
            line.at_work = False
            self.places.release()

    @override
    def handle_error(
        self, req: Request | None, client: socket.socket, addr: Any, exc: BaseException
    ) -> None:
        """What gunicorn cannot make a request of, or an answer of ours, answered in JSON."""
        status, message = 500, "the server failed; its log says why"
        if isinstance(exc, ParseException):
            status = {LimitRequestLine: 414, LimitRequestHeaders: 431}.get(type(exc), 400)
            message = f"this is not HTTP: {exc}"
        client.sendall(answer_unread(self.counts, status, message, None if status < 500 else exc))

    @override
    def finish_request(self, conn: TConn, fs: Future[bool]) -> None:
        """In the loop: see to it that the answer gets to the client."""
        assert isinstance(conn, Line)  # noqa: S101 - as `_open` makes them
        self._leave_place(conn)
        self._hold(conn, 0)
        conn.cut |= fs.cancelled() or fs.exception() is not None or not fs.result()
        self._try(self._send, conn)

    def _send(self, line: Line) -> None:
        """The client takes more of the answer; once it has all, the next request may come."""
        whole = line.sock.deliver()
        self._wait_no_more(line)
        if not whole:
            self._wait(line, self._send, TAKING, EVENT_WRITE)
            return
        if line.cut:
            line.sock.shutdown(socket.SHUT_WR)
            self._wait(line, self._drop, LINGER)
            return
        line.renew()
        self._wait(line, self._arrive, IDLE if self.alive else LINGER)
        if line.sock.inbox:
            self._follow(line)

    def _drop(self, line: Line) -> None:
        """Read on after the last answer: closed with bytes unread, the client might not see it."""
        if not line.sock.receive():
            self._close(line)
        line.sock.inbox.clear()
