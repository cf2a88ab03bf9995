"""The pipeline on a laptop: python -m local run | due | tour | cdnow."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

USAGE = """usage: python -m local {run,due,tour,cdnow} [options]; COMMAND --help says more
  run    the whole AWS pipeline, in an AWS that runs on this machine
  due    who is due in a week, out of the index of a table
  tour   train, predict and serve, without any AWS
  cdnow  write real orders to try things on, as cdnow.csv"""


def run(words: Sequence[str]) -> int:
    """The whole pipeline; see `local.run`."""
    # Nothing here may reach a real account, whatever this shell is logged in to.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    from local.run import main  # noqa: PLC0415

    return main(words)


def due(words: Sequence[str]) -> int:
    """Print who is due in a week."""
    import boto3  # noqa: PLC0415

    from local import due as index  # noqa: PLC0415
    from local import show  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m local due",
        description="Who is expected to order in a week and has not lapsed, the earliest first.",
    )
    parser.add_argument("week", help="an ISO week such as 2011-W50")
    parser.add_argument("--table", required=True, help="the table of the forecasts")
    parser.add_argument("--market", default="default", help="(default %(default)s)")
    parser.add_argument("--buckets", type=int, default=index.BUCKETS, help="(default %(default)s)")
    parser.add_argument("--endpoint-url", help="of the AWS that `run --keep` leaves up")
    options = parser.parse_args(words)
    dynamodb = boto3.client("dynamodb", endpoint_url=options.endpoint_url)
    found = index.due(dynamodb, options.table, options.market, options.week, options.buckets)
    console = show.console()
    console.print(show.customers(found))
    console.print(f"{len(found):,} customers of {options.market} are due in {options.week}.")
    return 0


def tour(words: Sequence[str]) -> int:
    """Train, predict and serve; see `local.tour`."""
    from local.tour import main  # noqa: PLC0415

    main(list(words))
    return 0


def cdnow(words: Sequence[str]) -> int:
    """Write the CDNOW orders."""
    from local.cdnow import COLUMNS, write  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m local cdnow",
        description="Write 70,000 orders of a record shop as CSV, and what to say for its columns.",
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), help="where to (default: here)"
    )
    path = write(parser.parse_args(words).folder)
    print(path, *(f"--{name} {column}" for name, column in COLUMNS.items()))
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "due": due,
    "tour": tour,
    "cdnow": cdnow,
}


def main(words: Sequence[str]) -> int:
    """Run a command; its exit code."""
    if words and words[0] in {"-h", "--help"}:
        print(USAGE)
        return 0
    if not words or words[0] not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    return COMMANDS[words[0]](words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
