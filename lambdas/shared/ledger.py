"""The ledger of one object of predictions: stored/part-….json, written while it is stored.

See docs/decisions/pipeline.md#counts-lie-on-s3-and-not-in-the-payload.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lambdas.shared.digests import NOBODY


class Ledger(BaseModel):
    """The counts of the lines stored so far; lines = written + superseded + rejected.

    written     the table accepted the line
    superseded  the table holds a forecast that has precedence: one as of a later day, one of the
                same day by a run that started later, or the same run's from another line
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
    customers: str = NOBODY
    """The digest of the customers of the lines that are not rejected."""
    stale: int = 0
    """How many of these lines are forecasts of a model that is too old for them."""
    rejects_bytes: int = 0
    """Bytes of the object of rejects that belong to these counts."""
    finished: bool = False
