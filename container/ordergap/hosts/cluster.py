"""Several hosts, connected: what they say to one another, and how one learns that another is lost.

The first of the hosts' sorted names is in the middle: every other host holds two lines to it. On
one go the things that the job gives to the others, each after its length; on the other a line feed
every few seconds, which says that the host lives, or one line of JSON, which says why it does not.
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
from ordergap.hosts.rendezvous import Met, meet
from ordergap.stopping import Stopped

log = logging.getLogger("ordergap")

SILENCE = 60.0  # seconds without a sign of life, after which a host is lost
_BEAT = 1.0
_REASON = 5.0  # seconds in which the reason for a line's end may still come
_CHUNK = 1 << 20
_LENGTH = struct.Struct("!Q")
_KINDS = {error.kind: error for error in (UserError, AlgorithmError, PlatformError)}


class Cluster(Hosts):
    """Several hosts, once they are connected. It is used by one thread.

    Every call raises PlatformError where a host is lost, and that host's own error where it failed.
    """

    def __init__(self, names: Sequence[str], me: str, met: Met) -> None:
        self.names, self.rank, self.address = tuple(names), names.index(me), met.address
        self._lines, self._watched = met.things, met.life
        self._error: OrdergapError | None = None
        self._failed, self._over = threading.Event(), threading.Event()
        self._telling = threading.Lock()
        for line in met.things.values():
            line.settimeout(_BEAT)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch = threading.Thread(target=self._listen, daemon=True)
        self._watch.start()

    @override
    def gather(self, content: bytes) -> list[bytes]:
        if self.rank:
            self._send(self.names[0], content)
            return [self._receive(self.names[0]) for _ in self.names]
        contents = [content, *(self._receive(name) for name in self._lines)]
        for name in self._lines:
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
        for name in self._lines:
            received = self._receive(name)
            np.add(total, np.frombuffer(received, numbers.dtype).reshape(numbers.shape), out=total)
        for name in self._lines:
            self._send(name, total.tobytes())
        return total

    @override
    def failure(self, error: Exception) -> OrdergapError:
        self._failed.wait(_REASON)
        return self._error or super().failure(error)

    def finish(self) -> None:
        """Wait until the first host has done all, which only goes by itself."""
        if self.rank:
            self._receive(self.names[0])
            return
        for name in self._lines:
            try:
                self._send(name, b"")
            except OrdergapError as error:
                log.warning("Too late to matter: %s", error)

    def give_up(self, error: BaseException) -> None:
        """Tell the others why this host ends."""
        if error is self._error:
            return
        kind = error.kind if isinstance(error, OrdergapError) else "PlatformError"
        what = str(error) if isinstance(error, OrdergapError) else f"{type(error).__name__} {error}"
        self._tell(kind, f"host {self.names[self.rank]} failed: {what}")

    def close(self) -> None:
        """Hang up."""
        self._over.set()
        self._watch.join()
        for line in (*self._lines.values(), *self._watched.values()):
            line.close()

    def _send(self, name: str, content: bytes) -> None:
        line = self._lines[name]
        for each in (_LENGTH.pack(len(content)), content):
            view = memoryview(each)
            while view:
                sent = self._moved(name, partial(line.send, view[:_CHUNK]))
                view = view[sent:]

    def _receive(self, name: str) -> bytes:
        (length,) = _LENGTH.unpack(self._exactly(name, _LENGTH.size))
        return bytes(self._exactly(name, length))

    def _exactly(self, name: str, length: int) -> bytearray:
        line, content = self._lines[name], bytearray(length)
        view = memoryview(content)
        while view:
            count = self._moved(name, partial(line.recv_into, view[:_CHUNK]))
            view = view[count:]
        return content

    def _moved(self, name: str, move: Callable[[], int]) -> int:
        """Bytes that came or went over a line."""
        while True:
            try:
                if count := move():
                    return count
            except TimeoutError:
                if not self._error:
                    continue
            except OSError:
                pass
            break
        if not self._failed.wait(_REASON):
            self._lose(name, "its line to this host ended")
        raise self._error or AlgorithmError("a failure without an error")

    def _listen(self) -> None:
        """Say every second that this host lives, and hear of the others."""
        heard = dict.fromkeys(self._watched, monotonic())
        told = dict.fromkeys(self._watched, b"")
        for line in self._watched.values():
            line.setblocking(False)
        while not (self._over.wait(_BEAT) or self._failed.is_set()):
            for name, line in self._watched.items():
                try:
                    line.send(b"\n")
                    while came := line.recv(_CHUNK):
                        heard[name], told[name] = monotonic(), told[name] + came
                    told[name] = self._hear(told[name])
                    self._lose(name, "it ended without a word")
                except BlockingIOError:
                    told[name] = self._hear(told[name])
                    if monotonic() > heard[name] + SILENCE:
                        self._lose(name, f"nothing was heard of it for {SILENCE:g} seconds")
                except OSError:
                    told[name] = self._hear(told[name])
                    self._lose(name, "it ended without a word")

    def _hear(self, told: bytes) -> bytes:
        """Heed the whole lines that came; the beginning of the next."""
        *lines, rest = told.split(b"\n")
        for line in filter(None, lines):
            self._tell(**json.loads(line))
        return rest

    def _lose(self, name: str, how: str) -> None:
        self._tell("PlatformError", f"host {name} was lost: {how}; run the job again")

    def _tell(self, kind: str, reason: str) -> None:
        """Take note of the first reason to fail, and pass it on."""
        with self._telling:
            if self._failed.is_set() or self._over.is_set():
                return
            self._error = _KINDS.get(kind, PlatformError)(reason)
            for line in self._watched.values():
                with suppress(OSError):
                    line.send(json.dumps({"kind": kind, "reason": reason}).encode() + b"\n")
            self._failed.set()


@contextmanager
def together(
    names: Sequence[str],
    me: str,
    port: int,
    patience: float,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Hosts]:
    """The hosts of `names`, of which this is `me`, connected for as long as the context lasts.

    As `meet` has it. A host that fails tells the others why.
    """
    names = sorted(names)
    if len(names) < 2:
        yield ALONE
        return
    if me not in names:
        raise UserError(f"this host, {me or 'without a name'}, is none of {', '.join(names)}")
    cluster = Cluster(names, me, meet(names, me, port, patience, stopping))
    try:
        yield cluster
        cluster.finish()
    except Stopped:
        raise  # as all hosts do
    except BaseException as error:
        cluster.give_up(error)
        raise
    finally:
        cluster.close()
