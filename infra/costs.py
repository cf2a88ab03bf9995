"""What a run costs in time and money: ``python -m infra.costs [NAME=VALUE …]`` prints COSTS.md.

Any assumption can be given another value. No free tier, no retries, no taxes, no data transfer
between regions, no cost of the shop's own database.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

SIZES = (1_000_000, 10_000_000, 100_000_000)
LAMBDA_SECONDS = 840  # of the 900 that a Lambda may run, less a start and an end


def _given(value: float, meaning: str, source: str) -> float:
    """A field: its default, what it means and where the number comes from."""
    made: float = field(default=value, metadata={"meaning": meaning, "source": source})
    return made


CHOICE, GUESS, PRICE = "choice", "guess", "list price, us-east-1, 2025"
TEMPLATE = "default of the template"


@dataclass(frozen=True)
class Assumptions:
    """Every number that the page rests on."""

    orders: float = _given(10, "orders of a customer", CHOICE)
    lines: float = _given(4, "lines of an order in the database", CHOICE)
    runs: float = _given(30, "runs a month", CHOICE)
    kept_runs: float = _given(30, "runs of which the files are kept (RunDays)", TEMPLATE)
    line_bytes: float = _given(
        12, "bytes of an order line, as Parquet", "at most, in `python -m benchmarks.extract`"
    )
    score_bytes: float = _given(
        600, "bytes of a customer to be scored, as JSON", "README's form, ten orders"
    )
    forecast_bytes: float = _given(500, "bytes of a forecast, as JSON", "README's example")
    item_bytes: float = _given(
        700, "bytes of an item; up to 1,024 are one write unit", "README's example and the keys"
    )
    dated: float = _given(0.8, "share of customers with a date, so in the index", GUESS)
    moved: float = _given(0.5, "share of those whose date moves from one run to the next", GUESS)
    extract_rate: float = _given(
        40_000,
        "lines a second that extract_orders reads",
        "`python -m benchmarks.extract`, on a busy machine",
    )
    extract_gb: float = _given(2.94, "memory of extract_orders, GiB", TEMPLATE)
    train_rate: float = _given(
        3_100,
        "orders a second that a vCPU trains on",
        "guess: half of what a core does on a laptop",
    )
    train_bytes: float = _given(1_000, "bytes of memory that an order needs in training", GUESS)
    train_vcpus: float = _given(8, "vCPUs of the training instance, ml.m5.2xlarge", CHOICE)
    train_gb: float = _given(32, "memory of the training instance, GiB", CHOICE)
    score_rate: float = _given(
        32_000, "customers a second that a core scores", "`python -m benchmarks.predict`"
    )
    score_share: float = _given(
        0.25, "of that, what a vCPU of a transform job reaches, over HTTP", GUESS
    )
    score_vcpus: float = _given(4, "vCPUs of the transform instance, ml.m5.xlarge", TEMPLATE)
    score_machines: float = _given(1, "transform instances of a market", TEMPLATE)
    machine_start: float = _given(
        240, "seconds until a job's container runs; half of them are paid", GUESS
    )
    store_rate: float = _given(
        900,
        "writes a second of one store_predictions",
        "`python -m benchmarks.store`, 5 ms a write",
    )
    store_gb: float = _given(1.73, "memory of store_predictions, GiB", TEMPLATE)
    store_concurrency: float = _given(4, "store_predictions of a market at once", TEMPLATE)
    market_concurrency: float = _given(20, "markets at once; the template's default is 2", CHOICE)
    table_units: float = _given(
        40_000, "write units a second of a table or an index", "quota of a new account"
    )
    file_bytes: float = _given(5e6, "bytes of a file of customers to be scored", "extract_orders")
    states: float = _given(
        25, "state transitions of a market, without storing", "the state machine"
    )
    file_states: float = _given(3, "state transitions of storing a file", "the state machine")
    gb_second: float = _given(0.0000166667, "Lambda, $ a GiB and second", PRICE)
    train_hour: float = _given(0.461, "ml.m5.2xlarge for training, $ an hour", PRICE)
    score_hour: float = _given(0.23, "ml.m5.xlarge for batch transform, $ an hour", PRICE)
    write_million: float = _given(0.625, "DynamoDB, $ a million write units on demand", PRICE)
    import_gb: float = _given(0.15, "DynamoDB, $ a GB imported from S3", PRICE)
    table_gb: float = _given(0.25, "DynamoDB, $ a GB and month", PRICE)
    recovery_gb: float = _given(0.20, "DynamoDB, $ a GB and month of point-in-time recovery", PRICE)
    s3_gb: float = _given(0.023, "S3, $ a GB and month", PRICE)
    state_million: float = _given(25, "Step Functions, $ a million transitions", PRICE)
    fixed_month: float = _given(4, "key, secret, alarms, image and logs, $ a month", PRICE)


class Phase(NamedTuple):
    """One step of a market: how long it takes, in seconds, and what it costs, in $."""

    seconds: float
    dollars: float


class Plan(NamedTuple):
    """A run over all customers."""

    customers: int
    markets: int
    phases: dict[str, Phase]
    """Seconds of one market; dollars of all."""
    seconds: float
    run: float
    storage_month: float
    month: float
    imported: float
    """What DynamoDB's import from S3 would cost instead of the writes."""
    memory_gb: float
    """What training one market needs."""


def most_customers(given: Assumptions) -> int:
    """How many customers a market can have: extract_orders must be through in one go."""
    return int(given.extract_rate * LAMBDA_SECONDS / (given.orders * given.lines))


def plan(customers: int, given: Assumptions) -> Plan:
    """A run over `customers`, in as many equal markets as it takes."""
    markets = math.ceil(customers / most_customers(given))
    each = customers / markets
    waves = math.ceil(markets / given.market_concurrency)
    at_once = min(markets, given.market_concurrency)
    files = math.ceil(each * given.score_bytes / given.file_bytes)

    extract = each * given.orders * given.lines / given.extract_rate
    train = each * given.orders / (given.train_rate * given.train_vcpus)
    machine = given.score_rate * given.score_share * given.score_vcpus
    score = each / (machine * given.score_machines)
    index_units = given.dated * (1 + given.moved)
    allowed = given.table_units / max(1, index_units) / at_once
    store = each / min(given.store_rate * min(given.store_concurrency, files), allowed)
    units = customers * (1 + index_units)
    paid_start = given.machine_start / 2
    phases = {
        "ExtractOrders": Phase(extract, markets * extract * given.extract_gb * given.gb_second),
        "Train": Phase(
            given.machine_start + train, markets * (paid_start + train) / 3600 * given.train_hour
        ),
        "ScoreCustomers": Phase(
            given.machine_start + score,
            markets * (paid_start + score) / 3600 * given.score_hour * given.score_machines,
        ),
        "StorePredictions": Phase(
            store,
            units / 1e6 * given.write_million
            + customers / given.store_rate * given.store_gb * given.gb_second,
        ),
        "States": Phase(
            0, markets * (given.states + files * given.file_states) / 1e6 * given.state_million
        ),
    }
    run = sum(phase.dollars for phase in phases.values())
    run_bytes = (
        given.orders * given.lines * given.line_bytes + given.score_bytes + given.forecast_bytes
    )
    table = customers * given.item_bytes / 1e9
    storage = (
        customers * run_bytes / 1e9 * given.kept_runs * given.s3_gb
        + table * (1 + given.dated) * given.table_gb
        + table * given.recovery_gb
    )
    return Plan(
        customers=customers,
        markets=markets,
        phases=phases,
        seconds=waves * sum(phase.seconds for phase in phases.values()),
        run=run,
        storage_month=storage,
        month=given.runs * run + storage + given.fixed_month,
        imported=table * given.import_gb,
        memory_gb=each * given.orders * given.train_bytes / 2**30,
    )


INTRODUCTION = """\
# What it costs

Computed by `python -m infra.costs`; `python -m infra.costs orders=20 store_rate=1500` prints it
with other assumptions. Nothing here was measured on AWS: the last column of the assumptions says
which rates come from benchmarks in this repository and which are guesses.

A market can have {most:,} customers, because `extract_orders` must be through in 15 minutes. More
customers are more markets: split them by country, or by a column of your own in each market's
`query`. {at_once:g} markets run at once.
"""

DYNAMODB = """
Writing to DynamoDB is most of it: a forecast is a write to the table, and one or two to the index.
DynamoDB's import from S3 would cost {imports} instead. But it fills new
tables only: every run would make one, and all readers would have to be switched over, which the
pipeline does not do. Fewer runs save in proportion.

## Assumptions

| name | value | meaning | source |
| --- | ---: | --- | --- |
"""


def page(given: Assumptions) -> str:
    """The page, as Markdown."""
    plans = [plan(customers, given) for customers in SIZES]
    steps = list(plans[0].phases)
    timed = [name for name in steps if plans[0].phases[name].seconds]
    rows = [
        ("", [f"{each.customers:,} customers" for each in plans]),
        ("---", ["---:"] * len(plans)),
        ("markets", [str(each.markets) for each in plans]),
        ("**a run takes**", [f"**{_time(each.seconds)}**" for each in plans]),
        *(
            (f"{name}, a market", [_time(each.phases[name].seconds) for each in plans])
            for name in timed
        ),
        ("memory that training needs", [f"{each.memory_gb:.0f} GiB" for each in plans]),
        ("**a run costs**", [f"**{_money(each.run)}**" for each in plans]),
        *(
            (f"{name}, all markets", [_money(each.phases[name].dollars) for each in plans])
            for name in steps
        ),
        ("storage a month", [_money(each.storage_month) for each in plans]),
        (f"**a month, {given.runs:g} runs**", [f"**{_money(each.month)}**" for each in plans]),
        ("a customer and year", [_money(12 * each.month / each.customers) for each in plans]),
    ]
    first, *others = [_money(each.imported) for each in plans]
    assumed = [
        (f"`{each.name}`", _number(getattr(given, each.name)), *each.metadata.values())
        for each in fields(given)
    ]
    return "".join(
        (
            INTRODUCTION.format(most=most_customers(given), at_once=given.market_concurrency),
            "\n",
            *(f"| {name} | {' | '.join(cells)} |\n" for name, cells in rows),
            DYNAMODB.format(imports=" and ".join((", ".join((first, *others[:-1])), others[-1]))),
            *(f"| {' | '.join(cells)} |\n" for cells in assumed),
        )
    )


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _money(dollars: float) -> str:
    if dollars < 0.1:
        return f"${dollars:.5f}" if dollars < 0.001 else f"${dollars:.3f}"
    return f"${dollars:,.0f}" if dollars >= 100 else f"${dollars:,.2f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.10f}".rstrip("0").rstrip(".")


def main(arguments: Sequence[str]) -> None:
    """Print the page, with the assumptions that the arguments change."""
    known = {each.name for each in fields(Assumptions)}
    changed: dict[str, float] = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name not in known:
            raise SystemExit(f"{name!r} is no assumption; there are {', '.join(sorted(known))}")
        try:
            changed[name] = float(value)
        except ValueError:
            raise SystemExit(f"{argument!r}: give a number, as in {name}=10") from None
    print(page(replace(Assumptions(), **changed)), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
