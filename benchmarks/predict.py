"""`predict` over a generated file: customers a second of one core, and where the time goes.

python -m benchmarks.predict
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from ordergap import features, ingest
from ordergap.artifacts import Bundle
from ordergap.histories import Histories, date_of
from ordergap.scoring import encoders, files
from ordergap.scoring.answer import Answer
from ordergap.scoring.options import Options

from benchmarks.features import made_up

P = ParamSpec("P")
T = TypeVar("T")

ORDERS = 300_000
TREES = 300


def write_orders(histories: Histories, path: Path) -> None:
    """The orders as a transactions file with the default columns."""
    owners = np.repeat(histories.customer_ids, histories.order_count).tolist()
    items = np.nan_to_num(histories.items, nan=1.0)
    with path.open("w", encoding="utf-8") as file:
        file.write("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n")
        file.writelines(
            f"{n},A1,{count:.0f},{date_of(day)},{amount / count:.4f},{owner}\n"
            for n, (owner, day, amount, count) in enumerate(
                zip(owners, histories.day, histories.amount, items, strict=True)
            )
        )


def train(folder: Path, orders_made: int = 20_000) -> Path:
    """A hazard model of `TREES` trees, trained by the command line on so many generated orders."""
    orders, model = folder / "train.csv", folder / "model"
    write_orders(made_up(orders_made, seed=1), orders)
    arguments = ["train", "--file_path", orders, "--model_dir", model, "--num_round", TREES]
    subprocess.run(
        [sys.executable, "-m", "ordergap", *map(str, arguments), "--early_stopping_rounds", "0"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return model


def rows() -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio) for each figure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = Bundle.load(train(folder))
        source = folder / "orders.csv"
        write_orders(made_up(ORDERS), source)
        columns = bundle.manifest.hyperparameters.columns
        reading, cleaned = _cpu(ingest.read, source, columns)
        histories = cleaned.histories
        as_of = int(histories.day.max())
        whole, _ = _cpu(files.predict_file, bundle, source, folder / "out.csv", Options(as_of))
    n = len(histories.customer_ids)
    names = bundle.manifest.feature_names
    vectors, matrix = _cpu(features.compute, histories, names, histories.last_row)
    head = cast("Any", bundle.heads["next_order"])
    trees, _ = _cpu(head.model.survival, matrix)
    scoring, forecasts = _cpu(bundle.forecast, histories, as_of)
    writing, _ = _cpu(encoders.csv, Answer(forecasts))
    steps = {
        "reading and cleaning": reading,
        "features": vectors,
        "trees": trees,
        "curves to dates": scoring - vectors - trees,
        "writing CSV": writing,
    }
    alone = f"trees alone {n / trees:,.0f}/s"
    size = f"{n:,} customers, {len(histories):,} orders, {TREES} trees"
    return [
        (
            f"`Bundle.forecast`, {size}",
            f"{n / scoring:,.0f} customers/s/core",
            alone,
            f"{trees / scoring:.2f}",
        ),
        (
            "`predict`, file to file",
            f"{n / whole:,.0f} customers/s/core",
            alone,
            f"{trees / whole:.2f}",
        ),
        *(
            (
                f"`predict`: {step}",
                f"{taken / n * 1e6:.1f} µs a customer",
                "",
                f"{taken / whole:.0%}",
            )
            for step, taken in steps.items()
        ),
    ]


def _cpu(run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    """Processor seconds, the least of three runs, and the result."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        result = run(*args, **kwargs)
        taken.append(time.process_time() - start)
    return min(taken), result


def main() -> None:
    """Print the figures."""
    for row in rows():
        print(*row, sep="  |  ")


if __name__ == "__main__":
    main()
