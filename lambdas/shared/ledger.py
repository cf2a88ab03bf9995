"""The ledger of one object of predictions: stored/part-….json, written while it is stored.

See docs/decisions/pipeline.md#counts-lie-on-s3-and-not-in-the-payload.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Ledger(BaseModel):
    """The counts of the lines stored so far; lines = written + superseded + rejected.

    written     the table accepted the line
    superseded  the table holds a forecast that has precedence: one as of a later day, or the same
                run's forecast from another line of the same customer
    rejected    the line cannot be stored
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    etag: str
    """The version of the object."""
    offset: int = 0
    """Where the next line begins in the object, in bytes."""
    lines: int = 0
    written: int = 0
    superseded: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    """Bytes of the object of rejects that belong to these counts."""
    finished: bool = False
