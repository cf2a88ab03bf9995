"""Features compared with pandas: orders a second, and memory beyond the result.

python -m benchmarks.features [--large]     (--large: ten million orders too, without pandas)
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from typing import ParamSpec

import numpy as np
from ordergap import features
from ordergap.histories import Histories

from benchmarks import pandas_features

P = ParamSpec("P")


def made_up(orders: int, seed: int = 42) -> Histories:
    """About `orders` orders of customers with ten on average, geometrically distributed."""
    random = np.random.default_rng(seed)
    counts = random.geometric(0.1, max(orders // 10, 1))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    n = int(offsets[-1])
    day = np.cumsum(random.geometric(1 / 30, n))
    day += np.repeat(random.integers(14_000, 14_700, len(counts)) - day[offsets[:-1]], counts)
    items = random.integers(1, 50, n).astype(np.float64)
    return Histories(
        [str(customer) for customer in range(len(counts))],
        offsets,
        day.astype(np.int32),
        np.round(random.gamma(2, 20, n) + 0.01, 2),
        np.where(random.random(n) < 0.1, np.nan, items),
        random.integers(1, 9, n).astype(np.float64),
    )


def rows(large: bool = False) -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio) for each figure."""
    names = features.names(calendar=True)
    table = []
    for orders in (10**5, 10**6, 10**7) if large else (10**5, 10**6):
        histories = made_up(orders)
        n = len(histories)
        label = f"{len(names)} features of {orders:,} orders"
        rate = n / _seconds(5, features.compute, histories, names)
        baseline = ratio = ""
        if orders <= 10**6:
            pandas = n / _seconds(1, pandas_features.features, pandas_features.frame(histories))
            baseline, ratio = f"pandas {pandas:,.0f} orders/s", f"{rate / pandas:.0f} x"
        table.append((label, f"{rate:,.0f} orders/s", baseline, ratio))
        memory = _bytes_beyond_result(histories, names) / n
        table.append((f"{label}: beyond the result", f"{memory:.0f} bytes a row", "", ""))
    one = made_up(10**3)
    one = one.of(np.arange(len(one.customer_ids)) == np.argmax(one.order_count == 10))
    once = _seconds(2000, features.compute, one, names)
    table.append(("the same of one customer with ten orders", f"{once * 1e3:.2f} ms", "", ""))
    return table


def _seconds(times: int, run: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    """The median time of some runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run(*args, **kwargs)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _bytes_beyond_result(histories: Histories, names: tuple[str, ...]) -> int:
    tracemalloc.start()
    try:
        result = features.compute(histories, names)
        return tracemalloc.get_traced_memory()[1] - result.nbytes
    finally:
        tracemalloc.stop()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="ten million orders too")
    for row in rows(parser.parse_args().large):
        print(*row, sep="  |  ")


if __name__ == "__main__":
    main()
