"""The options of `python -m local run`, and the execution's input made from them."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

from ordergap.cli.options import date
from ordergap.contract.hyperparameters import parse
from ordergap.contract.orders import Columns

from local import cdnow, source


def columns(options: argparse.Namespace) -> Columns:
    """The names of the columns and how they are read. Raises InvalidHyperparameters."""
    given = {
        name: value for name in Columns.model_fields if (value := getattr(options, name, None))
    }
    defaults = {} if options.data or options.source_url else cdnow.COLUMNS
    return parse({**defaults, **given}).columns


def parser() -> argparse.ArgumentParser:
    """The parser of the options."""
    top = argparse.ArgumentParser(
        prog="python -m local run",
        description="Run the whole AWS pipeline on this machine: the template, state "
        "machine and Lambda zips in an emulated AWS, the container for training and scoring.",
        allow_abbrev=False,
    )
    orders = top.add_mutually_exclusive_group()
    orders.add_argument("--data", type=Path, help="order lines: a file or a folder (default CDNOW)")
    orders.add_argument("--source-url", help="SQLAlchemy URL of a database")
    top.add_argument("--table", help=f"table of the database (default {source.TABLE})")
    top.add_argument("--market", default="default", help="name of the market (default %(default)s)")
    top.add_argument(
        "--as-of", "--as_of", type=date,
        help="last day of orders, as 2011-12-09 (default: the data's last; of a database, today)",
    )  # fmt: skip
    top.add_argument("--trainer", default="xgboost", help="(default %(default)s)")
    top.add_argument(
        "--hyperparameter", action="append", default=[], metavar="NAME=VALUE", type=_pair,
        help="may be repeated; `python -m ordergap train --help` lists the names",
    )  # fmt: skip
    top.add_argument(
        "--runner", choices=("process", "docker"), default="process",
        help="run the container as a process of this checkout or by Docker (default %(default)s)",
    )  # fmt: skip
    top.add_argument("--image", default="ordergap", help="the image (default %(default)s)")
    top.add_argument(
        "--output", type=Path, default=Path("run"),
        help="folder for the report and the logs (default %(default)s)",
    )  # fmt: skip
    top.add_argument(
        "--estimate", action="store_true",
        help="print what this run would cost on AWS, and do nothing else",
    )  # fmt: skip
    top.add_argument(
        "--mlflow", default="", metavar="URI", help="MLflow server to mirror the model into"
    )
    top.add_argument("--keep", action="store_true", help="keep the AWS running until Ctrl-C")
    group = top.add_argument_group("columns")
    for name, field in Columns.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        group.add_argument(
            f"--{name.replace('_', '-')}", f"--{name}", metavar="VALUE",
            help=f"{field.description} (default {default or 'none'})".replace("%", "%%"),
        )  # fmt: skip
    return top


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def execution_input(
    options: argparse.Namespace, named: Columns, as_of: datetime.date | None
) -> dict[str, Any]:
    """The execution's input. Missing fields have defaults in the state machine."""
    columns = named.model_dump(mode="json", exclude_unset=True)
    market = {"name": options.market, "table": options.table, "columns": columns}
    fields = {"as_of": as_of and as_of.isoformat(), "trainer": options.trainer}
    return {
        **{name: value for name, value in fields.items() if value},
        "hyperparameters": dict(options.hyperparameter),
        "markets": [{name: value for name, value in market.items() if value}],
    }
