"""The command `due`: lists of customers, from the indexes of the table."""

from __future__ import annotations

import argparse
import heapq
import itertools
from collections.abc import Iterator, Sequence

import boto3
from ordergap.cli.options import date

from local import show
from local.lists import (
    BUCKETS,
    BY_PROBABILITY,
    BY_RISK,
    BY_VALUE,
    LARGEST_PAGE,
    Forecasts,
    Row,
    chance,
    contact_first,
    due,
    horizons,
    worth_most,
)

LISTS = {
    "most-likely": "who has not lapsed, by the probability of an order",
    "contact-first": "who is due, by that probability times the usual amount",
    "value": "who has not lapsed, by the value of the shortest horizon: worth most next week",
    "win-back": "overdue customers with two orders or more and known amounts, by yearly revenue at "
    "risk",
    "dates": "who has not lapsed and whose date is in --week; the next order is as likely before "
    "as after it",
}


def main(arguments: Sequence[str]) -> int:
    """Print a list; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local due",
        description="Lists of customers, from the indexes of the table.",
        epilog="Lists: " + "; ".join(f"{name}: {meaning}" for name, meaning in LISTS.items()),
    )
    parser.add_argument(
        "--list", choices=LISTS, default="most-likely", help="(default %(default)s)"
    )
    parser.add_argument("--top", type=_positive, default=20, help="rows (default %(default)s)")
    parser.add_argument(
        "--within", type=int, metavar="DAYS",
        help="horizon of the probability (default: the shortest; --list win-back: the longest); "
        "to sort by another than the shortest, the whole market is read",
    )  # fmt: skip
    parser.add_argument("--week", help="an ISO week such as 2011-W50, for --list dates")
    parser.add_argument(
        "--since", type=date, metavar="DAY",
        help="leave out forecasts of an earlier day that were not renewed",
    )  # fmt: skip
    parser.add_argument("--table", required=True, help="table of the forecasts")
    parser.add_argument("--market", default="default", help="(default %(default)s)")
    parser.add_argument("--buckets", type=int, default=BUCKETS, help="(default %(default)s)")
    parser.add_argument("--endpoint-url", help="of the AWS that `run --keep` started")
    options = parser.parse_args(arguments)
    if (options.list == "dates") != (options.week is not None):
        parser.error("--list dates and --week, such as 2011-W50, go together")
    dynamodb = boto3.client("dynamodb", endpoint_url=options.endpoint_url)
    forecasts = Forecasts(dynamodb, options.table, options.market, options.since)
    rows: Iterator[Row]
    if options.list == "dates":
        rows = iter(forecasts.dated(options.week, options.buckets))
    else:
        whole = options.list == "contact-first" or (
            options.list in {"most-likely", "value"} and options.within is not None
        )
        index = {"value": BY_VALUE, "win-back": BY_RISK}.get(options.list, BY_PROBABILITY)
        rows = forecasts.ranked(index, LARGEST_PAGE if whole else options.top)
    if options.list == "contact-first":
        rows = due(rows)
    console = show.console()
    first = next(rows, None)
    if first is None:
        console.print(f"No customer of {options.market} is in this list.", markup=False)
        return 0
    ahead = horizons(first)
    usual = ahead[-1 if options.list == "win-back" else 0]
    days = usual if options.within is None else options.within
    if days not in ahead:
        parser.error(f"--within must be one of {', '.join(map(str, ahead))}, the horizons forecast")
    rows = itertools.chain([first], rows)
    if options.list == "contact-first":
        chosen = contact_first(rows, days, options.top)
    elif options.list == "most-likely" and days != ahead[0]:
        chosen = heapq.nlargest(options.top, rows, key=lambda row: chance(row, days))
    elif options.list == "value" and days != ahead[0]:
        chosen = worth_most(rows, days, options.top)
    else:
        chosen = list(itertools.islice(rows, options.top))
    console.print(show.customers(chosen, options.list, days))
    console.print(f"{len(chosen):,} customers of {options.market}.", markup=False)
    newest = max(row["as_of"] for row in chosen)
    if older := sum(row["as_of"] < newest for row in chosen):
        console.print(
            f"{older:,} of them are forecasts of an earlier day that were not renewed; "
            f"--since {newest} leaves them out."
        )
    return 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return int(text)
