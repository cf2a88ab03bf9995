"""`follow` of a million customers: CPU seconds and memory, beside reading the orders.

python -m benchmarks.follow

One cohort with four horizons and value, as a night writes it, graded by the orders until 90 days
after it; in a process of its own, for its memory.
"""

from __future__ import annotations

import datetime
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
import polars as pl
from ordergap.contract.orders import Columns
from ordergap.follow.run import follow
from ordergap.histories import date_of
from ordergap.ingest import read
from ordergap.scoring.cohort_records import from_records
from ordergap.scoring.cohorts import About, Cohort

CUSTOMERS, ORDERS = 1_000_000, 3_000_000
RECORDS = 100_000
ALLOWED = 60.0  # seconds, of one processor
AS_OF, FIRST = 15_227, 14_944
WORDS = {"customer_column": "c", "date_column": "d", "amount_column": "a"}


def write(folder: Path) -> None:
    """Orders of all customers over a year and ninety days, and their cohort."""
    random = np.random.default_rng(0)
    owner = np.r_[np.arange(CUSTOMERS), random.integers(0, CUSTOMERS, ORDERS - CUSTOMERS)]
    day = FIRST + random.integers(0, AS_OF + 91 - FIRST, ORDERS)
    day[:CUSTOMERS] = FIRST + random.integers(0, AS_OF - FIRST, CUSTOMERS)
    pl.DataFrame({
        "c": "c" + pl.Series(owner).cast(pl.String), "d": day.astype("datetime64[D]"),
        "a": random.lognormal(3, 1, ORDERS).round(2),
    }).write_parquet(folder / "orders.parquet")  # fmt: skip
    p = random.beta(0.5, 3, CUSTOMERS).round(6)
    wait = np.rint(random.exponential(60, CUSTOMERS)) + 1
    value = random.lognormal(3, 1, CUSTOMERS).round(2)
    Cohort(
        About(AS_OF, "night", "champion", datetime.datetime.fromordinal(1), "m", 0.8),
        [f"c{i}" for i in range(CUSTOMERS)], day[:CUSTOMERS],
        wait, np.rint(wait / 3), 3 * wait,
        {days: 1 - (1 - p) ** (days / 30) for days in (7, 30, 60, 90)},
        {name: {90: value * times} for name, times in
         {"expected_value": 1.0, "value_low": 0.0, "value_high": 3.0}.items()},
        {},
    ).save(folder / "cohorts/night.parquet")  # fmt: skip


def write_records(path: Path) -> None:
    """Predictions with four horizons and value, as a batch transform writes them."""
    day = date_of(AS_OF)
    money = {name: {"90": 12.34} for name in ("expected_value", "value_low", "value_high")}
    record = {
        "as_of": str(day), "last_order_date": str(day), "order_gap_days": 12,
        "next_order_date": str(day), "next_order_date_low": str(day),
        "next_order_date_high": None, "interval_level": 0.8, "model_version": "m", **money,
    }  # fmt: skip
    chances = {str(days): 0.123456 for days in (7, 30, 60, 90)}
    with path.open("wb") as file:
        for i in range(RECORDS):
            line = {**record, "customer_id": f"c{i}", "buy_probability": chances}
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def measure(folder: Path) -> None:
    """Print the CPU seconds of reading the orders, of all, and the peak of memory in MiB."""
    columns = Columns().model_copy(update=WORDS)
    times = [time.process_time()]
    read(folder / "orders.parquet", columns, as_of=date_of(AS_OF + 90))
    times.append(time.process_time())
    found = follow(folder / "cohorts", folder / "orders.parquet", columns=WORDS)
    times.append(time.process_time())
    assert found.cohorts[0].customers == CUSTOMERS  # noqa: S101 - nobody was left out
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(times[1] - times[0], times[2] - times[1], memory)


def rows() -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio): all of it, and memory a customer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        write_records(folder / "records.jsonl")
        begun = time.process_time()
        from_records(folder / "records.jsonl", "night", datetime.datetime.now(datetime.UTC))
        adding = time.process_time() - begun
        size = (folder / "cohorts/night.parquet").stat().st_size
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.follow", name],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    reading, whole, memory = map(float, done.stdout.split()[-3:])
    return [
        (
            f"follow: a cohort of {CUSTOMERS:,}, {ORDERS:,} orders",
            f"{whole:.1f} s of CPU, {memory:,.0f} MiB; reading the orders is {reading:.1f} s of it",
            f"allowed {ALLOWED:.0f} s",
            f"{ALLOWED / whole:.1f} x",
        ),
        (
            f"follow --add: a cohort of {RECORDS:,} records",
            f"{adding:.1f} s of CPU",
            f"allowed {ALLOWED:.0f} s a million",
            f"{ALLOWED / adding * RECORDS / CUSTOMERS:.1f} x",
        ),
        ("follow: a customer of a cohort", f"{size / CUSTOMERS:.1f} bytes", "", ""),
    ]


if __name__ == "__main__":
    measure(Path(sys.argv[1])) if sys.argv[1:] else print(*rows(), sep="\n")
