"""How many customers order in the next days, and for how much: the end of a run and of the tour."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from ordergap.models.population import Population, expected

from local.lists import Row, chance, horizons


def weekly_error(manifest: bytes) -> float:
    """By how much the sums of weeks erred on the validation, from a model's manifest.json."""
    section = json.loads(manifest)["tasks"]["next_order"]
    return Population.parse(section["parameters"]["population"]).weekly_error


def sentence(rows: Sequence[Row], error: float) -> str:
    """The customers expected within the shortest horizon, and their orders' amount where known.

    rows   the forecasts of all customers, one or more, as of one day
    error  the `weekly_error` of the model
    """
    days, level = horizons(rows[0])[0], rows[0]["interval_level"]
    probability = np.array([[chance(row, days) for row in rows]])
    [orders] = expected(probability, level, error)
    amount = [row.get("usual_amount") for row in rows]
    value = ""
    if None not in amount:
        total = float(probability[0] @ np.array(amount))
        value = f", for about {total:,.0f} at the usual order of each"
    return (
        f"In the {days} days after {rows[0]['as_of']}, {orders.mean:,.0f} customers are expected "
        f"to order ({level:.0%} interval: {orders.low:,.0f} to {orders.high:,.0f}){value}."
    )
