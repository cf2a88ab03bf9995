"""Interval levels: which level of its own makes a curve hold as often as it is asked to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.models.base import Days


def parse_levels(content: JsonValue) -> dict[str, dict[str, float]]:
    """The interval levels of a manifest; ValueError where they are none."""
    levels = cast("dict[str, dict[str, float]]", content)
    for least, own in levels.items():
        pairs = [(float(nominal), each) for nominal, each in own.items()]
        if int(least) < 0 or not all(0 <= each <= 1 for pair in pairs for each in pair):
            raise ValueError("interval_levels are not of orders and of levels from 0 to 1")
    return levels


def uncalibrated_level(
    levels: Mapping[str, Mapping[str, float]], nominal: float, order_count: Days
) -> NDArray[np.float64]:
    """(n,) the curves' own level that goes with a nominal one, for customers with so many orders.

    levels  least orders of a group -> nominal level -> own; those between are interpolated, and
            where there is none the nominal level stands

    >>> levels = {"1": {"0.8": 0.6}, "5": {"0.8": 0.7}}
    >>> uncalibrated_level(levels, 0.9, np.array([1, 4, 9])).tolist()
    [0.8, 0.8, 0.85]
    """
    groups = sorted((int(least), own) for least, own in levels.items()) or [(1, {})]
    of_groups = []
    for _, own in groups:
        pairs = sorted([(0.0, 0.0), (1.0, 1.0), *((float(n), each) for n, each in own.items())])
        x, y = np.array(pairs).T
        of_groups.append(round(float(np.interp(nominal, x, y)), 4))
    group = np.searchsorted([least for least, _ in groups], order_count, side="right") - 1
    return np.array(of_groups)[np.maximum(group, 0)]
