"""What the pipeline costs on AWS, estimated.

    python3 -m infra.costs [--customers N]

See docs/decisions/infrastructure.md#costs-are-a-short-table. It needs the standard library alone.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

REGION = "us-east-1"
YEARS = "2025, of networks 2026"
HOURS = 730  # of a month
DAYS = 30


class Figure(NamedTuple):
    """A number that costs follow from."""

    value: float
    meaning: str
    source: str = ""


PRICES = {
    "lambda": Figure(0.0000166667, "Lambda, a GiB and second"),
    "instance": Figure(0.23, "ml.m5.xlarge for training, batch transform and processing, an hour"),
    "endpoint": Figure(0.115, "ml.m5.large of a real-time endpoint, an hour"),
    "write": Figure(0.625e-6, "DynamoDB, a write unit on demand"),
    "table": Figure(0.25, "DynamoDB, a GB and month"),
    "recovery": Figure(0.20, "DynamoDB's point-in-time recovery, a GB and month"),
    "bucket": Figure(0.023, "S3, a GB and month"),
    "transition": Figure(25e-6, "Step Functions, a transition"),
    "fixed": Figure(4, "key, secret, alarms, image and logs, a month"),
    "nat": Figure(0.045, "NAT gateway, an hour, and each GB through it"),
    "interface": Figure(0.01, "interface endpoint in one zone, an hour"),
}
"""In US dollars, in `REGION`."""

ASSUMED = {
    "orders": Figure(10, "orders of a customer", "choice"),
    "lines": Figure(4, "lines of an order", "choice"),
    "read": Figure(40_000, "lines a second that are extracted", "`python -m benchmarks.extract`"),
    "longest": Figure(840, "seconds of an extraction at most", "a Lambda ends at 900"),
    "extract": Figure(2.94, "GiB of `extract_orders`", "template"),
    "store": Figure(1.73, "GiB of `store_predictions`", "template"),
    "concurrent": Figure(4, "invocations of `store_predictions` at once", "template"),
    "learnt": Figure(12_400, "orders a second of training", "guess: half of a laptop's core, × 4"),
    "scored": Figure(16_000, "customers a second of scoring", "guess: ⅛ of the benchmark, × 4"),
    "graded": Figure(12_000, "customers a second of grading", "`python -m benchmarks follow`"),
    "week": Figure(7, "runs from one grading to the next", "state machine"),
    "start": Figure(120, "seconds of a job that are billed before it works", "guess"),
    "stored": Figure(1_000, "customers a second stored", "DynamoDB, a partition of an index"),
    "units": Figure(4.4, "write units of a forecast", "1; 1.2, 1, 0.2, 1 of the indexes; examples"),
    "states": Figure(27, "transitions of a market", "state machine"),
    "of_file": Figure(3, "transitions of a file of forecasts", "state machine"),
    "in_file": Figure(8_300, "customers of a file of forecasts", "examples"),
    "files": Figure(2_080, "bytes of a customer in S3, a run", "examples"),
    "item": Figure(1_000, "bytes of a customer in the table", "examples"),
    "indexed": Figure(1.9, "size of the indexes, of the table's", "examples"),
    "runs": Figure(30, "runs whose files are kept, and runs of a month", "template (`RunDays`)"),
    "retrain": Figure(28, "days from a training to the next", "template (`RetrainDays`)"),
}  # fmt: skip


def of_run(customers: int, orders: int | None = None, lines: int | None = None) -> dict[str, float]:
    """Dollars of each part of a run that trains; orders and lines by `ASSUMED` if not known."""
    a, p = _values(ASSUMED), _values(PRICES)
    orders = math.ceil(customers * a["orders"]) if orders is None else orders
    lines = math.ceil(orders * a["lines"]) if lines is None else lines
    markets = max(1, math.ceil(lines / (a["read"] * a["longest"])))
    files = max(markets, math.ceil(customers / a["in_file"]))
    storing = customers / a["stored"] * a["concurrent"] * a["store"] * p["lambda"]
    return {
        "ExtractOrders": lines / a["read"] * a["extract"] * p["lambda"],
        "Train": (markets * a["start"] + orders / a["learnt"]) * p["instance"] / 3600,
        "ScoreCustomers": (markets * a["start"] + customers / a["scored"]) * p["instance"] / 3600,
        "FollowForecasts": (markets * a["start"] + customers / a["graded"])
        * p["instance"]
        / 3600
        / a["week"],
        "StorePredictions": customers * a["units"] * p["write"] + storing,
        "transitions": (markets * a["states"] + files * a["of_file"]) * p["transition"],
    }


def of_storage(customers: int) -> float:
    """Dollars a month for the files of runs and the table: what stays when the stack is deleted."""
    a, p = _values(ASSUMED), _values(PRICES)
    files, item = (customers * a[key] / 1e9 for key in ("files", "item"))
    table = item * (1 + a["indexed"]) * p["table"] + item * p["recovery"]
    return files * a["runs"] * p["bucket"] + table


def of_networks() -> dict[str, float]:
    """Dollars a month of what a database in a private network may need, without its traffic."""
    p = _values(PRICES)
    return {
        "gateway endpoint for S3": 0,
        "interface endpoint for Secrets Manager, each zone": p["interface"] * HOURS,
        "or a NAT gateway, each zone": p["nat"] * HOURS,
    }


def of_month(customers: int) -> float:
    """Dollars of a month with a run every night, without networks and endpoints.

    A run trains when the champion is old; one that is rejected or drift train more often.
    """
    parts = of_run(customers)
    runs = ASSUMED["runs"].value * scored(parts) + DAYS / ASSUMED["retrain"].value * parts["Train"]
    return runs + of_storage(customers) + PRICES["fixed"].value


def scored(parts: Mapping[str, float]) -> float:
    """Dollars of a run that forecasts with the champion, of the parts of one that trains."""
    return sum(dollars for name, dollars in parts.items() if name != "Train")


def money(dollars: float) -> str:
    """An amount for people.

    >>> [money(each) for each in (0, 0.0004, 0.016, 77.634, 7310.2)]
    ['$0', 'under $0.01', '$0.02', '$77.63', '$7,310']
    """
    if 0 < dollars < 0.01:
        return "under $0.01"
    return f"${dollars:,.0f}" if dollars == 0 or dollars >= 100 else f"${dollars:.2f}"


def text(
    customers: int | None, orders: int | None = None, lines: int | None = None, region: str = REGION
) -> str:
    """What a run and a month cost, in a few lines: for some customers, or for three sizes."""
    if customers is None:
        shown = [
            f"{size:,} customers: {money(scored(of_run(size)))} a run, "
            f"{money(of_month(size))} a month of {DAYS} runs"
            for size in (1_000, 100_000, 1_000_000)
        ]
    else:
        parts = of_run(customers, orders, lines)
        shown = [f"{name}: {money(dollars)}" for name, dollars in parts.items()]
        shown.append(f"a run of {customers:,} customers: {money(scored(parts))}")
        shown.append(f"one that trains: {money(sum(parts.values()))}")
        shown.append(f"what is kept of {DAYS} runs, a month: {money(of_storage(customers))}")
    differ = "" if region == REGION else f"; those of {region} differ"
    lowest, highest = list(of_networks().values())[1:]
    shown.append(
        f"the stack without a run, a month: {money(PRICES['fixed'].value)}; a database in a "
        f"private network adds {money(lowest)} to {money(highest)} for each zone"
    )
    head = f"Estimated costs on AWS, by list prices of {REGION} ({YEARS}){differ}:"
    return "\n  ".join([head, *shown])


def main(arguments: Sequence[str]) -> int:
    """Print the estimate."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.costs", description="Estimate what a run costs on AWS."
    )
    parser.add_argument("--customers", type=int, help="(default: several sizes)")
    parser.add_argument("--lines", type=int, help="order lines (default: 40 a customer)")
    parser.add_argument("--region", default=REGION, help="(default %(default)s)")
    options = parser.parse_args(arguments)
    if options.lines is not None and options.customers is None:
        parser.error("--lines needs --customers")
    print(text(options.customers, lines=options.lines, region=options.region))
    return 0


def _values(figures: Mapping[str, Figure]) -> dict[str, float]:
    return {name: figure.value for name, figure in figures.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
