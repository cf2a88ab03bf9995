"""One version of a model takes over from another under load, behind HAProxy, as in Kubernetes.

Kubernetes starts a new pod, lists its address once /ping is green, takes the old one off the list,
waits for the time of the preStop hook, and sends SIGTERM. HAProxy stands for the list.
"""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.served import Server, command, free_port

CONFIG = """
global
  stats socket {socket} level admin
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:{port}
  default_backend servers
backend servers
  balance roundrobin
  server old 127.0.0.1:{old}
  server new 127.0.0.1:{new} disabled
"""
pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is missing")


class Proxy:
    """HAProxy before two servers, of which one may not run yet."""

    def __init__(self, folder: Path, old: int, new: int) -> None:
        self.port, self._socket = free_port(), folder / "haproxy.sock"
        config = CONFIG.format(socket=self._socket, port=self.port, old=old, new=new)
        (folder / "haproxy.cfg").write_text(config)
        words = ["haproxy", "-db", "-q", "-f", str(folder / "haproxy.cfg")]
        self.process = subprocess.Popen(words)

    def set(self, server: str, state: str) -> None:
        """Let a server have new requests (ready), or none (drain)."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._socket))
            client.sendall(f"set server servers/{server} state {state}\n".encode())
            assert not client.recv(100).strip()


class Clients:
    """Threads that ask without a pause, each request over a connection of its own.

    answers  (status, model version) -> how many
    """

    def __init__(self, port: int, bodies: list[bytes]) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self._port, self._stopping = port, threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(body,)) for body in bodies]
        for thread in self._threads:
            thread.start()

    def _run(self, body: bytes) -> None:
        while not self._stopping.is_set():
            self.answers[ask(self._port, body)] += 1

    def wait(self, enough: Callable[[Counter[str]], bool]) -> None:
        """Until the numbers of good answers, by version, are enough."""
        end = time.monotonic() + 120
        while not enough(self.good()):
            assert time.monotonic() < end, self.answers
            time.sleep(0.02)

    def good(self) -> Counter[str]:
        return Counter({v: n for (status, v), n in self.answers.copy().items() if status == 200})

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def ask(port: int, body: bytes) -> tuple[int, str]:
    """The status and the version in an answer; 0 and the error where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()
    good = response.status == 200
    return response.status, json.loads(answer)["predictions"][0]["model_version"] if good else ""


@pytest.fixture
def newer(root: Path, opt_ml: Path, tmp_path: Path) -> Path:
    """/opt/ml with another model of the same data."""
    place = tmp_path / "newer"
    shutil.copytree(opt_ml / "input", place / "input")
    (place / "input/config/hyperparameters.json").write_text('{"trainer": "naive"}')
    job = command("train", "--opt_ml", place)
    subprocess.run(**job, cwd=root, capture_output=True, check=True)
    return place


@pytest.fixture
def clients(records: list[dict[str, Any]]) -> Iterator[Callable[[int], Clients]]:
    started: list[Clients] = []

    def start(port: int) -> Clients:
        small, large = (json.dumps(records * times).encode() for times in (1, 10))
        started.append(Clients(port, [small] * 3 + [large]))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_no_request_fails_while_one_version_takes_over_from_another(
    serve: Callable[..., Server],
    opt_ml: Path,
    newer: Path,
    tmp_path: Path,
    clients: Callable[[int], Clients],
) -> None:
    old = serve(opt_ml)
    old.wait_for_ping()
    port = free_port()
    proxy = Proxy(tmp_path, old.port, port)
    try:
        asking = clients(wait_for_proxy(proxy))
        asking.wait(lambda good: good.total() >= 50)
        (before,) = asking.good()
        new = serve(newer, SAGEMAKER_BIND_TO_PORT=port)
        new.wait_for_ping()
        proxy.set("new", "ready")
        asking.wait(lambda good: len(good) == 2 and min(good.values()) >= 20)
        (after,) = {*asking.good()} - {before}
        proxy.set("old", "drain")
        old.process.send_signal(signal.SIGTERM)
        assert old.process.wait(timeout=60) == 0
        seen = asking.good()[after]
        asking.wait(lambda good: good[after] >= seen + 50)
        asking.stop()
        assert {status for status, _ in asking.answers} == {200}, asking.answers
        # That failures would be seen: without a server there are some.
        assert new.stop() == 0
        assert ask(proxy.port, b"")[0] == 503
    finally:
        proxy.process.kill()
        proxy.process.wait()


def wait_for_proxy(proxy: Proxy) -> int:
    """Its port, once it listens."""
    end = time.monotonic() + 30
    while ask(proxy.port, b"")[0] == 0:
        assert time.monotonic() < end
        time.sleep(0.05)
    return proxy.port
