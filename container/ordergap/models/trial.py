"""Customers that nobody is: what a model forecasts before it is trusted."""

from __future__ import annotations

import numpy as np

from ordergap.errors import AlgorithmError
from ordergap.histories import Histories
from ordergap.models.forecasts import Forecasts

AS_OF = 20_000
"""The day, counted from 1970-01-01, as of which they are forecast."""
HORIZONS = (1, 30, 365)
"""Days ahead for which their value is expected."""
_ORDERS = (
    (0,),  # days since each order
    (400,),
    (95, 2),
    (63, 41, 20),
    (2000, 1980, 1971, 1950, 1946, 1930, 1900),
    (*range(360, 0, -30),),
)


def customers() -> Histories:
    """New and old, frequent and silent ones; the last one's amounts are unknown."""
    owner = np.repeat(np.arange(len(_ORDERS)), [len(days) for days in _ORDERS])
    day = AS_OF - np.concatenate([np.array(days) for days in _ORDERS])
    amount = np.where(owner == len(_ORDERS) - 1, np.nan, 20.0 + np.arange(len(day)))
    return Histories.from_orders(
        [str(i) for i in range(len(_ORDERS))], owner, day.astype(np.int32), amount
    )


def check(forecasts: Forecasts) -> None:
    """AlgorithmError where a task breaks its own promises about these customers."""
    for each in forecasts.tasks.values():
        if broken := each.contradiction():
            raise AlgorithmError(broken)
