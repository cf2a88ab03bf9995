"""Training and predicting as the number of lines grows tenfold: processor time and peak memory.

python -m benchmarks.scale [LINES ...]        100,000 and 1,000,000 lines unless others are given

Each job is a process of its own with one thread; processor seconds count, since a busy machine
stretches the clock. The shop is generated: 4.25 lines an order, 9.6 orders a customer over two
years at gamma distributed rates, half of the customers there from the first day, 2 %
cancellations, 3 % of lines without a customer. Trees have 20 rounds, and no calendar.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

DAYS = 730
LINES = (100_000, 1_000_000)
_ROW = "{:>12} {:>8} {:>10} {:>10} {:>12}"


def shop(lines: int, seed: int = 7) -> pl.DataFrame:
    """About so many order lines."""
    random = np.random.default_rng(seed)
    orders = lines / 4.25
    customers = max(1, int(orders / 9.6))
    born = random.integers(0, DAYS, customers) * (random.random(customers) < 0.5)
    expected = random.gamma(0.9, 1, customers) * (DAYS - born)
    counts = np.maximum(1, random.poisson(expected * orders / expected.sum()))
    owner = np.repeat(np.arange(customers), counts)
    day = born[owner] + (random.random(len(owner)) * (DAYS - born[owner])).astype(int)
    order = np.repeat(np.arange(len(owner)), 1 + random.poisson(3.25, len(owner)))
    size = len(order)
    quantity = random.integers(1, 13, size) * np.where(random.random(size) < 0.02, -1, 1)
    named = pl.Series(random.random(size) >= 0.03)
    return pl.DataFrame(
        {
            "InvoiceNo": (order + 500_000).astype(str),
            "StockCode": random.integers(10_000, 14_000, size).astype(str),
            "Quantity": quantity,
            "InvoiceDate": np.datetime64("2024-01-01") + day[order],
            "UnitPrice": random.gamma(2, 2, size).round(2),
            "CustomerID": (owner[order] + 10_000).astype(str),
        }
    ).with_columns(pl.when(named).then("CustomerID").alias("CustomerID"))


def once(command: str, source: str, model: str) -> dict[str, float]:
    """A job: processor seconds and peak MiB."""
    from ordergap.cli.main import main as run  # noqa: PLC0415
    from ordergap.settings import limit_threads  # noqa: PLC0415

    limit_threads(1)
    words = ["--file_path", source, "--model_dir", model]
    if command == "train":
        words += ["--num_round", "20", "--calendar", "off"]
    else:
        words += ["--output", f"{model}/next.jsonl"]
    begun = time.process_time()
    if run([command, *words]):
        raise SystemExit(f"{command} failed")
    seconds = time.process_time() - begun
    # Not getrusage: its peak includes memory of the parent from before this process started.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return {"seconds": seconds, "peak": int(status.split("VmHWM:")[1].split()[0]) / 1024}


def main(words: list[str]) -> None:
    """Print the table, or measure one job."""
    if words[:1] in (["train"], ["predict"]):
        sys.stderr.write(json.dumps(once(*words)) + "\n")
        return
    print(_ROW.format("lines", "command", "CPU, s", "peak, MiB", "bytes a line"))
    for lines in [int(word.replace(",", "")) for word in words] or LINES:
        with tempfile.TemporaryDirectory() as folder:
            source, model = f"{folder}/lines.parquet", f"{folder}/model"
            shop(lines).write_parquet(source)
            for command in ("train", "predict"):
                job = [sys.executable, "-m", "benchmarks.scale", command, source, model]
                done = subprocess.run(job, check=True, capture_output=True, text=True)
                found = json.loads(done.stderr.splitlines()[-1])
                peak, each = found["peak"], found["peak"] * 2**20 / lines
                cells = (f"{lines:,}", command, f"{found['seconds']:.1f}", f"{peak:,.0f}")
                print(_ROW.format(*cells, f"{each:,.0f}"), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
