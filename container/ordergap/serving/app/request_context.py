"""One request and its answer, as the log, the metrics and the response headers need them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import cast

from flask import g, request

REFUSAL = "ordergap.refusal"
"""WSGI environment key: FULL or LARGE where the request must be refused, else empty."""
FULL, LARGE = "queue full", "body too large"

ARRIVED = "ordergap.arrived"
"""WSGI environment key: when the request was complete, before it waited for a thread."""


def new_id() -> str:
    """An identifier of a request in the log."""
    return secrets.token_hex(6)


@dataclass
class RequestContext:
    """What the log says of the request in work.

    id       identifies the request in the log, in X-Request-Id and in internal errors
    started  when the request was complete, by the clock of `time.perf_counter`
    form     media type of the request; None where it is not supported
    records  number of customers; None until the body is decoded
    error    type of the error in the answer, if any
    """

    id: str = field(default_factory=new_id)
    started: float = 0.0
    form: str | None = None
    records: int | None = None
    error: str | None = None


def begin() -> None:
    """Make the context of the request that just came in."""
    started = request.environ.get(ARRIVED) or time.perf_counter()
    g.request_context = RequestContext(started=started)


def current() -> RequestContext:
    """The context of the request that this thread answers."""
    return cast("RequestContext", g.request_context)
