"""Free TCP ports of this machine."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A free TCP port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
