"""The features by pandas groupby: a baseline of benchmarks, and an oracle of tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ordergap.histories import Histories


def frame(histories: Histories) -> pd.DataFrame:
    """One row an order, sorted by customer and date."""
    return pd.DataFrame(
        {
            "customer": histories.customer,
            "date": histories.day.astype("datetime64[D]").astype("datetime64[s]"),
            "amount": histories.amount,
            "items": histories.items,
            "lines": histories.lines,
        }
    )


def features(orders: pd.DataFrame) -> pd.DataFrame:
    """Every tabular and calendar feature of every row of `frame`'s result."""
    customer = orders["customer"]
    of_customer = orders.groupby(customer, sort=False)
    gap = of_customer["date"].diff().dt.days
    gaps = gap.groupby(customer, sort=False)
    so_far = gaps.expanding()
    spent = of_customer["amount"].cumsum()
    position = of_customer.cumcount()
    date = orders["date"].dt
    columns: dict[str, pd.Series] = {
        "order_count": position + 1,
        "tenure": (orders["date"] - of_customer["date"].transform("first")).dt.days,
        "gap_last": gap,
        "gap_lag_2": gaps.shift(1),
        "gap_lag_3": gaps.shift(2),
        "RollingAvgGap": so_far.mean(),
        "gap_median": so_far.median(),
        "gap_std": gaps.expanding(min_periods=2).std(ddof=0),
        "gap_min": so_far.min(),
        "gap_max": so_far.max(),
        "gap_ewm": gaps.ewm(halflife=3).mean(),
        "gap_log_mean": np.log(gap).groupby(customer, sort=False).expanding().mean(),
        "CumulativeTotalPrice": spent,
        "amount": orders["amount"],
        "amount_mean": spent / (position + 1),
        "items": orders["items"],
        "items_mean": of_customer["items"].expanding().mean(),
        "item_price": orders["amount"] / orders["items"].where(orders["items"] > 0),
        "lines": orders["lines"],
        "weekday": date.day_of_week,
        "day_of_month": date.day,
        "day_of_year": date.day_of_year,
        "week_of_year": orders["date"].dt.isocalendar()["week"],
        "month": date.month,
        "quarter": date.quarter,
    }
    for days in (14, 30, 60, 90):
        window = of_customer.rolling(f"{days}D", on="date")
        columns[f"orders_{days}d"] = window.count()["amount"]
    return pd.DataFrame({name: column.to_numpy() for name, column in columns.items()})
