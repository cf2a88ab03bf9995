"""Who comes first by the value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from ordergap.errors import InvalidRequest
from ordergap.models.base import Column, Snapshot, TaskForecast
from ordergap.models.forecasts import Forecasts
from ordergap.scoring.options import Options
from ordergap.scoring.selection import Selection
from typing_extensions import override


@dataclass(frozen=True)
class Known(TaskForecast):
    """Values of the shortest of the days, which others contradict."""

    value: list[float | None]
    chance: list[float]

    @override
    def columns(self) -> dict[str, Column]:
        return {
            "buy_probability": {"7": self.chance, "30": [1.0] * len(self.chance)},
            "status": ["due"] * (len(self.chance) - 1) + ["lapsed"],
            "expected_value": {"30": self.value[::-1], "7": self.value},
        }


def forecasts(value: list[float | None], chance: list[float]) -> Forecasts:
    count = len(value)
    days = np.full(count, 15_000)
    amounts = np.full(count, 5.0)
    names = [f"customer {i}" for i in range(count)]
    snapshot = Snapshot(names, days, days, np.ones(count, np.int64), amounts)
    return Forecasts(snapshot, {"value": Known(value, chance)}, "v", 15_000, 365)


def test_unknown_values_come_last_and_by_the_probability() -> None:
    told = forecasts([None, 3.0, None, 0.0, 8.5], [0.1, 0.2, 0.9, 0.3, 0.4])
    by_value = Selection(by="value")
    assert by_value.chosen(by_value.score(told)).tolist() == [4, 1, 3, 2, 0]
    two = Selection(frozenset({"due"}), 2, "value")
    assert two.chosen(two.score(told)).tolist() == [1, 3]


def test_no_more_is_forecast_than_ranks() -> None:
    asked = Options(15_000, (7, 30), 0.5, 3, (20, 90), (60.0,))
    assert Selection(by="value").needed(asked) == Options(15_000, (7, 30), 0.5, None, (20,), ())
    assert Selection(top=3).needed(asked) == Options(15_000, (7, 30), 0.5, None, (), ())
    with pytest.raises(InvalidRequest, match="no value is asked"):
        Selection(by="value").needed(Options(value_horizons=()))
