"""Whether the inputs of a training have drifted."""

from __future__ import annotations

import logging

from ordergap.contract.metrics import Inputs
from ordergap.evaluation.drift import drift
from ordergap.evaluation.inputs import summary
from ordergap.histories import Histories

log = logging.getLogger("ordergap")


def latest_inputs(orders: Histories, as_of: int) -> Inputs:
    """The latest orders until day `as_of` beside those before, in a line of the log too."""
    latest = summary(drift(orders, as_of))
    log.log(logging.WARNING if latest.drifted else logging.INFO, "Inputs: %s", latest.sentence)
    return latest
