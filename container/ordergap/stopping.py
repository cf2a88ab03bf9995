"""How a job that was told to stop ends without a model."""

from __future__ import annotations


class Stopped(Exception):
    """The job was told to stop before there was a model; the message says what is kept."""
