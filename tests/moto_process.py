"""Moto's server in a process of its own: within this one, all AWS share their content."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from local.ports import free_port

START_SECONDS = 60


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """The endpoint of an empty AWS, while the context lasts."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        else:
            raise OSError("moto's server did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
