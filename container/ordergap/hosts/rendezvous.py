"""How several hosts find one another: the others knock at the first until all are there."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep

from ordergap.errors import PlatformError
from ordergap.stopping import Stopped

log = logging.getLogger("ordergap")

_ALL_HERE = b"!"
_CHUNK = 1 << 16
_WAYS = ("things", "life")

Lines = dict[str, socket.socket]


@dataclass(frozen=True)
class Met:
    """Connected hosts.

    address  of the first host, as an IP address
    things   host -> the line on which the job's things go; from the first host one to each of the
             others, in their sequence, from these one to the first
    life     host -> the line on which it is heard that it lives
    """

    address: str
    things: Lines
    life: Lines


def meet(
    names: Sequence[str], me: str, port: int, patience: float, stopping: Callable[[], bool]
) -> Met:
    """Connect the hosts of the sorted `names`, of which this is `me`.

    The first listens on `port`; the others try for `patience` seconds to find its name and port.
    Raises PlatformError, naming the hosts that did not come, and Stopped.
    """
    log.info("One of %d hosts, %s: waiting for the others ...", len(names), me)
    wait = _Wait(patience, stopping)
    address = _address(names[0], wait)
    if me == names[0]:
        lines = _welcome(names, address, port, wait)
    else:
        lines = _reach(names[0], me, address, port, wait)
    log.info("All %d hosts are here.", len(names))
    return Met(address, *lines)


class _Wait:
    """Patience that ends, or that is ended."""

    def __init__(self, seconds: float, stopping: Callable[[], bool]) -> None:
        self.seconds, self._stopping = seconds, stopping
        self._end, self._pause = monotonic() + seconds, 0.05

    def over(self, pause: bool = True) -> bool:
        """Whether there is none left; else some time has passed. Raises Stopped."""
        if self._stopping():
            raise Stopped("Stopped while waiting for the other hosts. Nothing of this run is kept.")
        if pause:
            sleep(self._pause)
            self._pause = min(2 * self._pause, 2.0)
        return monotonic() > self._end


def _address(name: str, wait: _Wait) -> str:
    """The IP address of a host, whose name may not be known yet."""
    while True:
        try:
            return str(socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            if wait.over():
                raise PlatformError(
                    f"the name of host {name} was not found within {wait.seconds:g} seconds: "
                    f"{error}; look whether that host has started and whether the hosts may "
                    "speak to one another"
                ) from error


def _welcome(names: Sequence[str], address: str, port: int, wait: _Wait) -> tuple[Lines, Lines]:
    """The lines of every other host, once both of each are there."""
    came: dict[tuple[str, str], socket.socket] = {}
    try:
        listener = socket.create_server((address, port), backlog=2 * len(names))
    except OSError as error:
        raise PlatformError(
            f"host {names[0]} cannot listen on {address}:{port}: {error.strerror}; set "
            "ORDERGAP_HOSTS_PORT to a port that is free on it, on every host"
        ) from error
    with listener:
        listener.settimeout(1)
        while missing := [n for n in names[1:] if not all((way, n) in came for way in _WAYS)]:
            if wait.over(pause=False):
                reason = (
                    f"{', '.join(missing)} of {len(names)} hosts did not come within "
                    f"{wait.seconds:g} seconds; look at what those hosts say, and whether the "
                    "hosts may speak to one another"
                )
                _say(came.values(), reason.encode())
                raise PlatformError(reason)
            with suppress(TimeoutError):
                line, _ = listener.accept()
                if not (who := _introduced(line, names)):
                    line.close()
                    continue
                if who in came:
                    came[who].close()  # it tries anew
                came[who] = line
    things, life = ({name: came[way, name] for name in names[1:]} for way in _WAYS)
    _say(things.values(), _ALL_HERE)
    return things, life


def _introduced(line: socket.socket, names: Sequence[str]) -> tuple[str, str] | None:
    """For what a line is and whose; None where a stranger called."""
    line.settimeout(5)
    try:
        way, name = json.loads(line.recv(_CHUNK))
    except (OSError, ValueError, TypeError):
        return None
    return (way, name) if way in _WAYS and name in names[1:] else None


def _reach(first: str, me: str, address: str, port: int, wait: _Wait) -> tuple[Lines, Lines]:
    """Both lines to the first host, once all are there."""
    while True:
        lines: list[socket.socket] = []
        try:
            for way in _WAYS:
                lines.append(socket.create_connection((address, port), timeout=5))
                lines[-1].sendall(json.dumps([way, me]).encode())
            lines[0].settimeout(1)
            while not (came := _answer(lines[0])):
                if came == b"":
                    raise ConnectionResetError("it hung up")
                if wait.over(pause=False):
                    raise TimeoutError("not all hosts came")
            if came != _ALL_HERE:
                raise PlatformError((came + lines[0].recv(_CHUNK)).decode())
            return {first: lines[0]}, {first: lines[1]}
        except OSError as error:
            for line in lines:
                line.close()
            if wait.over():
                raise PlatformError(
                    f"host {first} ({address}:{port}) did not answer within {wait.seconds:g} "
                    f"seconds: {error}; look at what that host says, and whether the hosts may "
                    "speak to one another"
                ) from error


def _say(lines: Iterable[socket.socket], what: bytes) -> None:
    """Answer those who wait; whoever is gone is missed soon enough."""
    for line in lines:
        with suppress(OSError):
            line.sendall(what)


def _answer(line: socket.socket) -> bytes | None:
    """The first byte; nothing where the line ended, None where neither came in a second."""
    try:
        return line.recv(1)
    except TimeoutError:
        return None
