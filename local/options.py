"""The options of `python -m local run`, and the execution's input that they make."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

from ordergap.contract.orders import Columns

from local import cdnow, source


def columns(options: argparse.Namespace) -> Columns:
    """What the source's columns are called."""
    given = {
        name: value for name in Columns.model_fields if (value := getattr(options, name, None))
    }
    return Columns(**{**({} if options.data or options.source_url else cdnow.COLUMNS), **given})


def parser() -> argparse.ArgumentParser:
    """What understands the words after `run`."""
    made = argparse.ArgumentParser(
        prog="python -m local run",
        description="Run the whole AWS pipeline on this machine: the shipped template, state "
        "machine and Lambda zips in an embedded AWS, the container for training and scoring.",
        allow_abbrev=False,
    )
    where = made.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, help="order lines: a file or a folder (default CDNOW)")
    where.add_argument("--source-url", help="a database of yours, as SQLAlchemy writes it")
    made.add_argument("--table", help=f"the table in it (default {source.TABLE})")
    made.add_argument("--market", default="default", help="what the market is called")
    made.add_argument(
        "--as-of", "--as_of", type=datetime.date.fromisoformat,
        help="last day to know of, as 2011-12-09 (default: the data's last; of a database, today)",
    )  # fmt: skip
    made.add_argument("--trainer", default="xgboost", help="(default %(default)s)")
    made.add_argument(
        "--hyperparameter", action="append", default=[], metavar="NAME=VALUE", type=_pair,
        help="of the training; may be repeated; `python -m ordergap train --help` lists them",
    )  # fmt: skip
    made.add_argument(
        "--runner", choices=("process", "docker"), default="process",
        help="what runs the container: this checkout's code, or its image (default %(default)s)",
    )  # fmt: skip
    made.add_argument("--image", default="ordergap", help="the image (default %(default)s)")
    made.add_argument(
        "--output", type=Path, default=Path("run"),
        help="folder for the report and the logs (default %(default)s)",
    )  # fmt: skip
    made.add_argument("--keep", action="store_true", help="leave the AWS up until Ctrl-C")
    group = made.add_argument_group("columns")
    for name, field in Columns.model_fields.items():
        if name != "non_product_codes":
            default = "none" if field.default is None else field.default
            group.add_argument(
                f"--{name.replace('_', '-')}", f"--{name}", metavar="NAME",
                help=f"{field.description} (default {default})".replace("%", "%%"),
            )  # fmt: skip
    return made


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def execution_input(
    options: argparse.Namespace, named: Columns, as_of: datetime.date | None
) -> dict[str, Any]:
    """The execution's input; what is not said is left to the state machine's defaults."""
    columns = named.model_dump(exclude_defaults=True, exclude={"non_product_codes"})
    market = {"name": options.market, "table": options.table, "columns": columns}
    given = {"as_of": as_of and as_of.isoformat(), "trainer": options.trainer}
    return {
        **{name: value for name, value in given.items() if value},
        "hyperparameters": dict(options.hyperparameter),
        "markets": [{name: value for name, value in market.items() if value}],
    }
