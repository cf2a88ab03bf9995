"""Columns of customers with those of leads after them."""

import numpy as np
from ordergap.models.base import Column
from ordergap.models.lead_forecasts import LeadForecast, appended


def test_what_depends_on_orders_is_null_however_deep_a_field_is() -> None:
    columns: dict[str, Column] = {
        "customer_id": ["a", "b"],
        "order_count": [3, 1],
        "expected_value": {"7": [1.5, 0.2]},
        "large_order_probability": {"50": {"7": [0.1, 0.2], "30": [0.3, 0.4]}},
        "interval_level": [0.8, 0.8],
        "stale": [False, False],
        "model_version": ["v", "v"],
    }
    leads = LeadForecast(["l"], np.array([20_000]), {7: np.array([0.1234567])})
    found = appended(
        columns, leads, {"stale": [True]}, {"interval_level": 0.8, "model_version": "v"}
    )
    assert found == {
        "customer_id": ["a", "b", "l"],
        "order_count": [3, 1, 0],
        "expected_value": {"7": [1.5, 0.2, None]},
        "large_order_probability": {"50": {"7": [0.1, 0.2, None], "30": [0.3, 0.4, None]}},
        "interval_level": [0.8, 0.8, 0.8],
        "first_order_probability": {"7": [None, None, 0.123457]},
        "stale": [False, False, True],
        "model_version": ["v", "v", "v"],
    }
    assert list(found)[-3:] == ["first_order_probability", "stale", "model_version"]
