"""Several connected hosts: how they exchange data, and how one notices that another is lost.

The topology is a star. Every other host holds two TCP connections to the first of the sorted names.
One carries data, each message after its length. The other carries heartbeats (an empty line every
second), or a line of JSON with the reason when a host fails.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap.errors import AlgorithmError, OrdergapError, PlatformError, UserError
from ordergap.hosts import ALONE, Hosts, Number
from ordergap.hosts.rendezvous import Connections, connect
from ordergap.stopping import Stopped

log = logging.getLogger("ordergap")

HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat, after which a host is lost
_HEARTBEAT_INTERVAL = 1.0
_REASON_TIMEOUT = 5.0  # seconds in which the reason for a closed connection may still arrive
_STEP_TIMEOUT = 20.0  # seconds in which the step that a lost host interrupts comes to an end
_CHUNK = 1 << 20
_LENGTH = struct.Struct("!Q")
_KINDS = {error.kind: error for error in (UserError, AlgorithmError, PlatformError)}


class Cluster(Hosts):
    """Several connected hosts, for use by one thread.

    Every method raises PlatformError where a host is lost, and the error of a host that failed.
    """

    def __init__(
        self,
        names: Sequence[str],
        me: str,
        connections: Connections,
        give_up: Callable[[OrdergapError], object],
    ) -> None:
        self.names, self.rank = tuple(names), names.index(me)
        self._give_up = give_up
        self.address = connections.address
        self._data, self._heartbeats = connections.data, connections.heartbeat
        self._error: OrdergapError | None = None
        self._failed, self._closing = threading.Event(), threading.Event()
        self._fail_lock = threading.Lock()
        for each in self._data.values():
            each.settimeout(_HEARTBEAT_INTERVAL)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._monitor = threading.Thread(target=self._exchange_heartbeats, daemon=True)
        self._monitor.start()

    @override
    def gather(self, content: bytes) -> list[bytes]:
        if self.rank:
            self._send(self.names[0], content)
            return [self._receive(self.names[0]) for _ in self.names]
        contents = [content, *(self._receive(name) for name in self._data)]
        for name in self._data:
            for each in contents:
                self._send(name, each)
        return contents

    @override
    def sum(self, numbers: NDArray[Number]) -> NDArray[Number]:
        if self.rank:
            self._send(self.names[0], numbers.tobytes())
            received = self._receive(self.names[0])
            return np.frombuffer(received, numbers.dtype).reshape(numbers.shape).copy()
        total = numbers.copy()
        for name in self._data:
            received = self._receive(name)
            np.add(total, np.frombuffer(received, numbers.dtype).reshape(numbers.shape), out=total)
        for name in self._data:
            self._send(name, total.tobytes())
        return total

    @override
    def failure(self, error: Exception) -> OrdergapError:
        self._failed.wait(_REASON_TIMEOUT)
        return self._error or super().failure(error)

    def finish(self) -> None:
        """Wait until the first host has done everything, which only it does alone."""
        if self.rank:
            self._receive(self.names[0])
            return
        for name in self._data:
            try:
                self._send(name, b"")
            except OrdergapError as error:
                log.warning("The job is complete, but %s", error)

    def abort(self, error: BaseException) -> None:
        """Send the other hosts the reason why this one fails."""
        if error is self._error:
            return
        kind = error.kind if isinstance(error, OrdergapError) else "PlatformError"
        text = str(error) if isinstance(error, OrdergapError) else f"{type(error).__name__} {error}"
        self._fail(kind, f"host {self.names[self.rank]} failed: {text}")

    def close(self) -> None:
        """Close all connections."""
        self._closing.set()
        self._monitor.join()
        for each in (*self._data.values(), *self._heartbeats.values()):
            each.close()

    def _send(self, name: str, content: bytes) -> None:
        for part in (_LENGTH.pack(len(content)), content):
            view = memoryview(part)
            while view:
                count = self._transfer(name, partial(self._data[name].send, view[:_CHUNK]))
                view = view[count:]

    def _receive(self, name: str) -> bytes:
        (length,) = _LENGTH.unpack(self._receive_exactly(name, _LENGTH.size))
        return bytes(self._receive_exactly(name, length))

    def _receive_exactly(self, name: str, length: int) -> bytearray:
        content = bytearray(length)
        view = memoryview(content)
        while view:
            count = self._transfer(name, partial(self._data[name].recv_into, view[:_CHUNK]))
            view = view[count:]
        return content

    def _transfer(self, name: str, transfer: Callable[[], int]) -> int:
        """The number of bytes that were sent or received."""
        while True:
            try:
                if count := transfer():
                    return count
            except TimeoutError:
                if not self._error:
                    continue
            except OSError:
                pass
            break
        if not self._failed.wait(_REASON_TIMEOUT):
            self._lose(name, "its data connection was closed")
        raise self._error or AlgorithmError("a failure without an error")

    def _exchange_heartbeats(self) -> None:
        """Send a heartbeat every second, and read those of the others."""
        last = dict.fromkeys(self._heartbeats, monotonic())
        pending = dict.fromkeys(self._heartbeats, b"")
        for connection in self._heartbeats.values():
            connection.setblocking(False)
        while not (self._closing.wait(_HEARTBEAT_INTERVAL) or self._failed.is_set()):
            for name, connection in self._heartbeats.items():
                try:
                    connection.send(b"\n")
                    while received := connection.recv(_CHUNK):
                        last[name], pending[name] = monotonic(), pending[name] + received
                    pending[name] = self._read_reasons(pending[name])
                    self._lose(name, "it closed its connection without a reason")
                except BlockingIOError:
                    pending[name] = self._read_reasons(pending[name])
                    if monotonic() > last[name] + HEARTBEAT_TIMEOUT:
                        self._lose(name, f"no heartbeat for {HEARTBEAT_TIMEOUT:g} seconds")
                except OSError:
                    pending[name] = self._read_reasons(pending[name])
                    self._lose(name, "it closed its connection without a reason")

    def _read_reasons(self, received: bytes) -> bytes:
        """Fail by the first reason among the complete lines; returns the incomplete one."""
        *lines, rest = received.split(b"\n")
        for line in filter(None, lines):
            self._fail(**json.loads(line))
        return rest

    def _lose(self, name: str, how: str) -> None:
        self._fail("PlatformError", f"host {name} was lost: {how}; run the job again")

    def _fail(self, kind: str, reason: str) -> None:
        """Keep the first reason to fail, and pass it on to the other hosts."""
        with self._fail_lock:
            if self._failed.is_set() or self._closing.is_set():
                return
            self._error = _KINDS.get(kind, PlatformError)(reason)
            for connection in self._heartbeats.values():
                with suppress(OSError):
                    connection.send(json.dumps({"kind": kind, "reason": reason}).encode() + b"\n")
            self._failed.set()
        # XGBoost waits for minutes for a host that is lost at the wrong moment.
        timer = threading.Timer(_STEP_TIMEOUT, self._give_up_unless_closed)
        timer.daemon = True
        timer.start()

    def _give_up_unless_closed(self) -> None:
        if self._error and not self._closing.is_set():
            self._give_up(self._error)


@contextmanager
def connected(
    names: Sequence[str],
    me: str,
    port: int,
    timeout: float,
    stopping: Callable[[], bool] = lambda: False,
    give_up: Callable[[OrdergapError], object] = lambda _: None,
) -> Iterator[Hosts]:
    """The hosts of `names`, of which this is `me`, connected while the context lasts.

    `port`, `timeout` and `stopping` as `connect` has them. A host that fails sends the others the
    reason. `give_up` is called with it, in a thread, where this host's step goes on long after.
    """
    names = sorted(names)
    if len(names) < 2:
        yield ALONE
        return
    if me not in names:
        raise UserError(
            f"this host, {me or 'without a name'}, is none of {', '.join(names)}; correct "
            "current_host in resourceconfig.json"
        )
    cluster = Cluster(names, me, connect(names, me, port, timeout, stopping), give_up)
    try:
        yield cluster
        cluster.finish()
    except Stopped:
        raise  # as all hosts do
    except BaseException as error:
        cluster.abort(error)
        raise
    finally:
        cluster.close()
