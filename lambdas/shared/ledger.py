"""What became of one object of predictions: stored/part-….json, written while it is stored."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Ledger(BaseModel):
    """Counts of the lines whose fate is certain; lines = written + superseded + rejected.

    A line is written when the table took it; superseded when the table holds something with
    precedence: a forecast as of a later day, or the same run's forecast from another line of the
    same customer; rejected when it cannot be stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    etag: str
    """Which version of the object it is about."""
    offset: int = 0
    """Where in the object the next line begins, in bytes."""
    lines: int = 0
    written: int = 0
    superseded: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    """How much of the object of rejects belongs to these counts."""
    finished: bool = False
