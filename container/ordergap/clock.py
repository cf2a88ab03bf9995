"""The day on which a job runs."""

from __future__ import annotations

import datetime


def today() -> datetime.date:
    """The date in the time zone where it is latest: no order has a later one."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=14)).date()
