"""Generated shops whose customers differ in how often they buy, for tests that train."""

from __future__ import annotations

import csv
import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from ordergap.histories import Histories, day_of, iso_dates

OPENING = datetime.date(2024, 1, 1)


def shop(customers: int = 300, days: int = 365, seed: int = 0) -> Histories:
    """Customers who buy regularly, every 4 to 60 days or so, and some of whom stop.

    How often a customer buys shows in the gaps and a little in the amounts. The mean gap is a good
    forecast, and a model that recognises those who stopped is a better one.
    """
    random = np.random.default_rng(seed)
    owner, day, amount = [], [], []
    for customer in range(customers):
        typical = np.exp(random.uniform(np.log(4), np.log(60)))
        today = random.integers(0, days // 2)
        while today < days:
            owner.append(customer)
            day.append(today)
            amount.append(round(float(random.lognormal(4 - typical / 60, 0.5)), 2))
            if random.random() < 0.02:
                break
            today += max(1, round(typical * random.gamma(4, 1 / 4)))
    return _histories(customers, owner, day, amount)


def two_kinds(customers: int = 240, days: int = 500, seed: int = 5) -> Histories:
    """Customers whose amounts are around 20 or around 100, and who order alike."""
    orders = shop(customers, days, seed)
    random = np.random.default_rng(seed)
    level = np.where(np.arange(customers) % 2, 100.0, 20.0)[orders.customer]
    return replace(orders, amount=(level * random.lognormal(0, 0.4, len(orders))).round(2))


def refill_shop(customers: int = 300, days: int = 365, seed: int = 0) -> Histories:
    """Customers who buy for 5 to 60 days, in varying amounts, and return when it is used up.

    The amount predicts the gap, and earlier gaps do not: a model beats the mean gap.
    """
    random = np.random.default_rng(seed)
    owner, day, amount = [], [], []
    for customer in range(customers):
        today = random.integers(0, 60)
        while today < days:
            lasts = np.exp(random.uniform(np.log(5), np.log(60)))
            owner.append(customer)
            day.append(today)
            amount.append(round(2 * float(lasts), 2))
            today += max(1, round(lasts * random.gamma(40, 1 / 40)))
    return _histories(customers, owner, day, amount)


def christmas_shop(customers: int = 400, years: int = 3, seed: int = 0) -> Histories:
    """Customers who buy at random, five times as often from mid-November to Christmas."""
    random = np.random.default_rng(seed)
    dates = [OPENING + datetime.timedelta(days=i) for i in range(365 * years)]
    season = np.array([5.0 if (11, 15) <= (d.month, d.day) <= (12, 24) else 1.0 for d in dates])
    rate = np.exp(random.uniform(np.log(1 / 90), np.log(1 / 25), customers))
    bought = random.random((customers, len(dates))) < rate[:, None] * season
    owner, day = np.nonzero(bought)
    return _histories(customers, owner, day, np.full(len(day), 20.0))


def _histories(customers: int, owner: ArrayLike, day: ArrayLike, amount: ArrayLike) -> Histories:
    """Histories of orders with one item each; `day` counts from the opening."""
    days = np.asarray(day, np.int32) + day_of(OPENING)
    one = np.ones(len(days))
    names = [f"customer-{i:04}" for i in range(customers)]  # not found in digests by chance
    return Histories.from_orders(
        names, np.asarray(owner), days, np.asarray(amount, float), one, one
    )


def without_amounts(histories: Histories) -> Histories:
    """The same orders, of which no more is known than who ordered and when."""
    unknown = np.full(len(histories), np.nan)
    return replace(histories, amount=unknown, items=unknown)


def with_free_orders(histories: Histories) -> Histories:
    """The same orders, every third of them for nothing."""
    free = np.arange(len(histories)) % 3 == 0
    return replace(histories, amount=np.where(free, 0.0, histories.amount))


def write_days(histories: Histories, path: Path) -> Path:
    """Write who ordered and when as a CSV file with the columns id and date, a line an order."""
    owners = np.repeat(histories.customer_ids, histories.order_count).tolist()
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "date"])
        rows.writerows(zip(owners, iso_dates(histories.day), strict=True))
    return path


def write_csv(histories: Histories, path: Path) -> Path:
    """Write the orders as a CSV file with the default columns, a line an order."""
    owners = np.repeat(histories.customer_ids, histories.order_count).tolist()
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
             "CustomerID", "Country"]
        )  # fmt: skip
        for i, (owner, day, amount) in enumerate(
            zip(owners, histories.day, histories.amount, strict=True)
        ):
            date = datetime.date(1970, 1, 1) + datetime.timedelta(days=int(day))
            rows.writerow([f"{i:06}", "A1", "thing", 1, f"{date} 10:00:00", amount, owner, "UK"])
    return path
