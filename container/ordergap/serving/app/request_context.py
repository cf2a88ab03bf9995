"""One request and its answer, as the log, the metrics and the answers' ids know them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import cast

from flask import g, request

REFUSAL = "ordergap.refusal"
"""In the WSGI environment of a request: one of the following where it is not to be worked on."""
FULL, LARGE = "too many wait already", "its body is too large, and was not waited for"


ARRIVED = "ordergap.arrived"
"""In the WSGI environment: when the request was there, before it waited for a thread."""


def new_id() -> str:
    """A name for a request in the log."""
    return secrets.token_hex(6)


@dataclass
class Exchange:
    """What is known so far of the request that is being answered.

    id       names it in the log and, where the fault is ours, in the answer
    started  when it was there, by the clock of `time.perf_counter`
    form     media type of the request, as far as it is one of ours
    records  customers asked about; None until they have been read
    status   of the answer; 0 until there is one
    error    the type that the answer names, where it is a refusal or a fault
    """

    id: str = field(default_factory=new_id)
    started: float = 0.0
    form: str | None = None
    records: int | None = None
    status: int = 0
    error: str | None = None


def begin() -> None:
    """Start the exchange of the request that just came in."""
    g.exchange = Exchange(started=request.environ.get(ARRIVED) or time.perf_counter())


def current() -> Exchange:
    """The exchange of the request that this thread answers."""
    return cast("Exchange", g.exchange)
