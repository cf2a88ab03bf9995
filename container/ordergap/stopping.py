"""How a job learns that it is to stop, and how it ends where there is no model yet."""

from __future__ import annotations

from collections.abc import Callable

Stopping = Callable[[], bool]
"""Whether the job is to stop; asked between two steps."""


class Stopped(Exception):
    """The job was stopped before there was a model; the message says what is kept."""


def never() -> bool:
    """For what nobody stops."""
    return False
