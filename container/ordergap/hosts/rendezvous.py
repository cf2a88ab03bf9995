"""Rendezvous: every other host connects to the first, until all hosts are connected."""

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

_READY = b"!"
_CHUNK = 1 << 16
_PURPOSES = ("data", "heartbeat")
_CHECK = "check the logs of those hosts, and that the network lets the hosts connect to each other"

Sockets = dict[str, socket.socket]


@dataclass(frozen=True)
class Connections:
    """The connections of this host, two to each peer.

    The first host has all others as peers, in the order of their names; these have the first.

    address    of the first host, as an IP address
    data       peer -> socket for what the job exchanges
    heartbeat  peer -> socket for heartbeats, and for the reason where a host fails
    """

    address: str
    data: Sockets
    heartbeat: Sockets


def connect(
    names: Sequence[str], me: str, port: int, timeout: float, stopping: Callable[[], bool]
) -> Connections:
    """Connect the hosts of the sorted `names`, of which this is `me`, within `timeout` seconds.

    The first host listens on `port`; the others try to resolve its name and to connect to it until
    they succeed. Raises PlatformError, which names the missing hosts, and Stopped.
    """
    log.info("One of %d hosts, %s: waiting for the others ...", len(names), me)
    deadline = _Deadline(timeout, stopping)
    address = _resolve(names[0], deadline)
    if me == names[0]:
        sockets = _accept_all(names, address, port, deadline)
    else:
        sockets = _connect_to_first(names[0], me, address, port, deadline)
    log.info("All %d hosts are connected.", len(names))
    return Connections(address, *sockets)


class _Deadline:
    """The time until which to try, or until the job is stopped."""

    def __init__(self, seconds: float, stopping: Callable[[], bool]) -> None:
        self.text = f"within {seconds:g} seconds (ORDERGAP_HOSTS_SECONDS)"
        self._stopping = stopping
        self._end, self._pause = monotonic() + seconds, 0.05

    def passed(self) -> bool:
        """Whether it has passed. Raises Stopped."""
        if self._stopping():
            raise Stopped("Stopped while waiting for the other hosts. Nothing of this run is kept.")
        return monotonic() > self._end

    def passed_after_pause(self) -> bool:
        """As `passed`, after a pause that gets longer each time."""
        sleep(self._pause)
        self._pause = min(2 * self._pause, 2.0)
        return self.passed()


def _resolve(name: str, deadline: _Deadline) -> str:
    """The IP address of a host, whose name may not resolve at first."""
    while True:
        try:
            return str(socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            if deadline.passed_after_pause():
                raise PlatformError(
                    f"the name of host {name} could not be resolved {deadline.text}: {error}; "
                    "check that the host has started"
                ) from error


def _accept_all(
    names: Sequence[str], address: str, port: int, deadline: _Deadline
) -> tuple[Sockets, Sockets]:
    """The sockets to every other host, once each has made both of its connections."""
    accepted: dict[tuple[str, str], socket.socket] = {}
    try:
        listener = socket.create_server((address, port), backlog=2 * len(names))
    except OSError as error:
        raise PlatformError(
            f"host {names[0]} cannot listen on {address}:{port}: {error.strerror}; set "
            "ORDERGAP_HOSTS_PORT, on every host, to a port that is free on this one"
        ) from error
    with listener:
        listener.settimeout(1)
        while missing := [n for n in names[1:] if not all((p, n) in accepted for p in _PURPOSES)]:
            if deadline.passed():
                reason = (
                    f"{', '.join(missing)} of {len(names)} hosts did not connect "
                    f"{deadline.text}; {_CHECK}"
                )
                _send(accepted.values(), reason.encode())
                raise PlatformError(reason)
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                if not (key := _handshake(connection, names)):
                    connection.close()
                    continue
                if key in accepted:
                    accepted[key].close()  # the host has connected anew
                accepted[key] = connection
    data, heartbeat = ({name: accepted[each, name] for name in names[1:]} for each in _PURPOSES)
    _send(data.values(), _READY)
    return data, heartbeat


def _handshake(connection: socket.socket, names: Sequence[str]) -> tuple[str, str] | None:
    """Purpose and host of a connection; None where it is not one of the hosts'."""
    connection.settimeout(5)
    try:
        purpose, name = json.loads(connection.recv(_CHUNK))
    except (OSError, ValueError, TypeError):
        return None
    return (purpose, name) if purpose in _PURPOSES and name in names[1:] else None


def _connect_to_first(
    first: str, me: str, address: str, port: int, deadline: _Deadline
) -> tuple[Sockets, Sockets]:
    """Both sockets to the first host, once all hosts are connected to it."""
    while True:
        sockets: list[socket.socket] = []
        try:
            for purpose in _PURPOSES:
                sockets.append(socket.create_connection((address, port), timeout=5))
                sockets[-1].sendall(json.dumps([purpose, me]).encode())
            sockets[0].settimeout(1)
            reply = _first_byte(sockets[0], deadline)
            if reply != _READY:
                raise PlatformError((reply + sockets[0].recv(_CHUNK)).decode())
            return {first: sockets[0]}, {first: sockets[1]}
        except OSError as error:
            for each in sockets:
                each.close()
            if deadline.passed_after_pause():
                raise PlatformError(
                    f"host {first} ({address}:{port}) did not answer {deadline.text}: {error}; "
                    f"{_CHECK}"
                ) from error


def _first_byte(connection: socket.socket, deadline: _Deadline) -> bytes:
    """The first byte of the reply; OSError where the connection ends or time runs out."""
    while not deadline.passed():
        with suppress(TimeoutError):
            if reply := connection.recv(1):
                return reply
            raise ConnectionResetError("it closed the connection")
    raise TimeoutError("it is waiting for other hosts")


def _send(sockets: Iterable[socket.socket], content: bytes) -> None:
    """Send to all; a host that is gone is noticed by its missing heartbeat."""
    for each in sockets:
        with suppress(OSError):
            each.sendall(content)
