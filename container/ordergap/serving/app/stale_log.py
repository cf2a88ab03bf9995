"""A warning in the log where forecasts are stale."""

from __future__ import annotations

import logging

from ordergap.histories import date_of
from ordergap.models.forecasts import Forecasts

log = logging.getLogger("ordergap")


class StaleLog:
    """Warns once a day; a worker has one for all its threads.

    See docs/decisions/serving.md#every-forecast-says-how-old-its-model-is.
    """

    def __init__(self) -> None:
        self._warned_on: int | None = None

    def look_at(self, forecasts: Forecasts, today: int) -> None:
        """Warn where one of them is stale, unless that was done `today`, in days since 1970."""
        if self._warned_on == today or not forecasts.stale.any():
            return
        self._warned_on = today  # two threads may both come here, and warn twice
        log.warning(
            "the model is stale: forecasts are asked for as of %s, %s days after the last day of "
            "its data, %s, and the limit is %s; train it again on newer orders, or raise "
            "ORDERGAP_STALE_AFTER_DAYS",
            date_of(int(forecasts.as_of.max())),
            f"{int(forecasts.model_age_days.max()):,}",
            date_of(forecasts.known_until),
            f"{forecasts.stale_after_days:,}",
        )
