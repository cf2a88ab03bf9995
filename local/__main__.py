"""The pipeline on this machine: python -m local run | due | tour | cdnow | leads."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

USAGE = """usage: python -m local COMMAND [options]; COMMAND --help lists its options
  run    the whole AWS pipeline, in an emulated AWS on this machine
  due    lists of customers from the indexes of a table
  tour   train, predict and serve, without AWS
  cdnow  write cdnow.csv, 70,000 real orders to try things on
  leads  write made-up leads, their events and orders, whose probabilities are known"""


def run(arguments: Sequence[str]) -> int:
    """Run the whole pipeline; see `local.run`."""
    # Nothing may reach a real account that this shell is logged in to.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    from local.run import main  # noqa: PLC0415

    return main(arguments)


def due(arguments: Sequence[str]) -> int:
    """Print a list of customers; see `local.due`."""
    from local.due import main  # noqa: PLC0415

    return main(arguments)


def tour(arguments: Sequence[str]) -> int:
    """Train, predict and serve; see `local.tour`."""
    from local.tour import main  # noqa: PLC0415

    main(list(arguments))
    return 0


def cdnow(arguments: Sequence[str]) -> int:
    """Write the CDNOW orders."""
    from local.cdnow import COLUMNS, write  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m local cdnow",
        description="Write 70,000 orders of a record shop as CSV, and print the column options.",
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), help="folder (default: the current one)"
    )
    path = write(parser.parse_args(arguments).folder)
    print(path, *(f"--{name} {column}" for name, column in COLUMNS.items()))
    return 0


def leads(arguments: Sequence[str]) -> int:
    """Write made-up leads."""
    from local.leads import write  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m local leads",
        description="Write leads.csv, events.csv and orders.csv, whose probabilities are known.",
    )
    parser.add_argument("folder", type=Path, help="where they go")
    parser.add_argument("--leads", type=int, default=5000, metavar="N", help="(default 5000)")
    parser.add_argument("--seed", type=int, default=42, metavar="N", help="(default 42)")
    parsed = parser.parse_args(arguments)
    write(parsed.folder, parsed.leads, parsed.seed)
    print(parsed.folder)
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "due": due,
    "tour": tour,
    "cdnow": cdnow,
    "leads": leads,
}


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit code."""
    if arguments and arguments[0] in {"-h", "--help"}:
        print(USAGE)
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
