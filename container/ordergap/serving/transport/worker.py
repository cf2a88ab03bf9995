"""A gunicorn worker whose threads never wait for a client.

One loop reads requests until they are complete and writes answers as fast as clients take them;
threads only compute. So slow or silent clients occupy no thread, and the loop knows how many
requests wait: those beyond a limit are refused at once. Requests other than POST have threads of
their own, and the loop answers /ping itself, under any load.
"""

from __future__ import annotations

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any

from gunicorn.http.wsgi import base_environ
from gunicorn.workers.base import Worker as BaseWorker
from typing_extensions import override

from ordergap.serving.app.counts import Counts
from ordergap.serving.app.request_log import COUNTS
from ordergap.serving.transport.connection import COMPUTING, LINGER_TIMEOUT, WAITING, Connection

MAX_CONNECTIONS = 1000  # where the system allows so many open files
_TICK = 0.25  # seconds between heartbeats, after one of which a signal to stop is seen
_ACCEPT_DELAY = 0.01  # seconds in which a worker with fewer connections may accept a new one
_GRACE = 0.1  # seconds in which a new connection is not closed for another
_ACCEPTS = 64  # connections accepted at once


class Worker(BaseWorker):
    """The loop, the threads that forecast, and two for everything else.

    gunicorn's settings hold the number of threads. The Flask application's `config` holds QUEUE,
    the requests that may wait for them, and MAX_CONTENT_LENGTH.

    free         requests that may come in, beside those that are worked on or wait for it
    held         bytes of bodies and answers in memory
    connections  whose clients have not gone, in the order in which they began to wait
    environ      what the WSGI environments of all requests have
    """

    @override
    def run(self) -> None:
        app: Any = self.wsgi
        self.counts: Counts = app.extensions[COUNTS]
        self.max_body: int = app.config["MAX_CONTENT_LENGTH"]
        self.free: int = self.cfg.threads + app.config["QUEUE"]
        self.environ: dict[str, Any] = {**base_environ(self.cfg), "wsgi.multithread": True}
        self.pool, self.light_pool = ThreadPoolExecutor(self.cfg.threads), ThreadPoolExecutor(2)
        self.connections, self.held = dict[Connection, None](), 0
        self.max_connections = min(MAX_CONNECTIONS, max(16, getrlimit(RLIMIT_NOFILE)[0] - 64))
        asyncio.run(self._serve())
        for pool in (self.pool, self.light_pool):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._publish()
        for listener in self.sockets:
            self.loop.add_reader(listener, self._accept, listener)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            await asyncio.sleep(_TICK)
        self.alive = False
        self._publish()
        for listener in self.sockets:  # what the system has accepted is still served
            self.loop.remove_reader(listener)
            while self._add(listener):
                pass
            listener.close()
        begun = self.loop.time()
        while self.connections and (took := self.loop.time() - begun) < self.cfg.graceful_timeout:
            for conn in self.connections if took > LINGER_TIMEOUT else ():
                if conn.stage == WAITING and not conn.exchange.begun:
                    conn.task.cancel()
            await asyncio.sleep(_TICK)
            self.notify()

    def _accept(self, listener: socket.socket, *, waited: bool = False) -> None:
        """Accept what waits, but let a worker with fewer connections go first, once."""
        for _ in range(_ACCEPTS):
            busier = not waited and self.counts.fewest_connections() < len(self.connections)
            full = len(self.connections) >= self.max_connections
            if busier or (full and not self._make_room()):
                self.loop.remove_reader(listener)
                self.loop.call_later(_ACCEPT_DELAY, self._resume, listener)
                return
            waited = False
            if not self._add(listener):
                return

    def _resume(self, listener: socket.socket) -> None:
        if self.alive:
            self.loop.add_reader(listener, self._accept, listener)
            self._accept(listener, waited=True)

    def _add(self, listener: socket.socket) -> bool:
        """Accept a connection; False where none waits, or too many files are open."""
        try:
            client, _ = listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self._make_room()
            return False
        client.setblocking(False)
        conn = Connection(self, client)
        self.connections[conn] = None
        self._publish()
        conn.task.add_done_callback(lambda _: self._on_end(conn))
        return True

    def _make_room(self) -> bool:
        """Close the connection that loses least: of those at one stage the one waiting longest.

        False where it has only just come, and has had no time to send anything, and where threads
        are at work for all.
        """
        stages = range(COMPUTING)
        losses = (conn for stage in stages for conn in self.connections if conn.stage == stage)
        least = next(losses, None)
        if least is None or self.loop.time() - least.accepted < _GRACE:
            return False
        least.task.cancel()
        del self.connections[least]
        return True

    def _on_end(self, conn: Connection) -> None:
        self.connections.pop(conn, None)
        self._publish()
        conn.close()  # not earlier: the loop knows the socket by its number, which is used anew

    def _publish(self) -> None:
        self.counts.set_connections(len(self.connections) if self.alive else None)
