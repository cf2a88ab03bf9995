"""The features again, by SQLite's window functions, by plain Python and by pandas."""

import math
import sqlite3
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from ordergap import features
from ordergap.histories import Histories

from benchmarks import pandas_features
from benchmarks.features import made_up

WINDOWS = """
WITH gaps AS (
  SELECT *, day - LAG(day) OVER customers AS gap FROM orders
  WINDOW customers AS (PARTITION BY customer ORDER BY day)
)
SELECT
  COUNT(*) OVER so_far AS order_count,
  day - FIRST_VALUE(day) OVER so_far AS tenure,
  gap AS gap_last,
  LAG(gap, 1) OVER customers AS gap_lag_2,
  LAG(gap, 2) OVER customers AS gap_lag_3,
  AVG(gap) OVER so_far AS RollingAvgGap,
  MIN(gap) OVER so_far AS gap_min,
  MAX(gap) OVER so_far AS gap_max,
  COUNT(*) OVER (customers RANGE 13 PRECEDING) AS orders_14d,
  COUNT(*) OVER (customers RANGE 29 PRECEDING) AS orders_30d,
  COUNT(*) OVER (customers RANGE 59 PRECEDING) AS orders_60d,
  COUNT(*) OVER (customers RANGE 89 PRECEDING) AS orders_90d,
  SUM(amount) OVER so_far AS CumulativeTotalPrice,
  AVG(amount) OVER so_far AS amount_mean,
  AVG(items) OVER so_far AS items_mean,
  amount / NULLIF(items, 0) AS item_price,
  gap AS gap_1,
  LAG(gap, 3) OVER customers AS gap_4,
  amount AS amount_1,
  LAG(amount, 3) OVER customers AS amount_4
FROM gaps
WINDOW
  customers AS (PARTITION BY customer ORDER BY day),
  so_far AS (PARTITION BY customer ORDER BY day ROWS UNBOUNDED PRECEDING)
ORDER BY customer, day
"""


@pytest.fixture(scope="module")
def histories() -> Histories:
    return made_up(3000)


def test_sqlite_finds_the_same_by_window_functions(histories: Histories) -> None:
    h = histories
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE orders (customer, day, amount, items)")
    items = [None if math.isnan(value) else value for value in h.items.tolist()]
    rows = zip(h.customer.tolist(), h.day.tolist(), h.amount.tolist(), items, strict=True)
    database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    cursor = database.execute(WINDOWS)
    names = [column[0] for column in cursor.description]
    theirs = np.array(cursor.fetchall(), float)
    database.close()
    np.testing.assert_allclose(features.compute(h, names), theirs, rtol=1e-6)


def weighted_mean(gaps: list[int]) -> float:
    weights = [0.5 ** (age / 3) for age in reversed(range(len(gaps)))]
    return statistics.fmean(gaps, weights)


@pytest.mark.parametrize(
    ("name", "of_gaps", "least"),
    [
        ("gap_median", statistics.median, 1),
        ("gap_std", statistics.pstdev, 2),
        ("gap_ewm", weighted_mean, 1),
        ("gap_log_mean", lambda gaps: statistics.fmean(map(math.log, gaps)), 1),
    ],
)
def test_plain_python_finds_the_same(
    histories: Histories, name: str, of_gaps: Callable[[list[int]], float], least: int
) -> None:
    theirs = []
    for days in np.split(histories.day, histories.offsets[1:-1]):
        gaps = np.diff(days).tolist()
        theirs += [
            of_gaps(gaps[:known]) if known >= least else math.nan for known in range(len(days))
        ]
    ours = features.compute(histories, [name])[:, 0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_pandas_finds_the_same(histories: Histories) -> None:
    names = list(features.names(calendar=True))
    theirs = pandas_features.features(pandas_features.frame(histories))
    ours = features.compute(histories, names)
    np.testing.assert_allclose(ours, theirs[names].to_numpy(float), rtol=1e-5, atol=1e-5)
    assert set(theirs) == set(names)


def test_pandas_finds_the_same_for_a_customer_with_a_hundred_thousand_orders() -> None:
    n = 100_000
    random = np.random.default_rng(1)
    unknown: NDArray[np.float64] = np.full(n, np.nan)
    day = np.cumsum(random.geometric(0.9, n)).astype(np.int32) - 20_000
    h = Histories(["ana"], np.array([0, n]), day, random.random(n) * 100, unknown, unknown)
    names = list(features.names(calendar=False))
    theirs = pandas_features.features(pandas_features.frame(h))[names].to_numpy(float)
    np.testing.assert_allclose(features.compute(h, names), theirs, rtol=1e-5, atol=1e-4)
