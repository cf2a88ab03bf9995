"""Options that commands share."""

from __future__ import annotations

import argparse
import datetime
import errno
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ordergap.contract.dates import date_from
from ordergap.contract.hyperparameters import NAMES, READING
from ordergap.contract.manifest import MANIFEST
from ordergap.contract.orders import Columns
from ordergap.errors import ModelNotFound, PlatformError
from ordergap.sagemaker.opt_ml import OptMl
from ordergap.settings import Environment, ForecastSettings, available_cpus, limit_threads

if TYPE_CHECKING:
    from ordergap.forecaster import Forecaster

_SIGPIPE = 13  # which Windows does not have
LOCAL_MODEL = "SageMaker_Training"


def parser(
    command: str, what: str, model_dir: str | None, usage: str = "[--model_dir DIR]"
) -> argparse.ArgumentParser:
    """A parser with the options that most commands have.

    what       the command does, in a sentence
    model_dir  what the folder of the model is to the command; None: it has none
    """
    made = argparse.ArgumentParser(
        prog=f"ordergap {command}",
        usage=f"%(prog)s {usage}",
        description=what,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if model_dir:
        made.add_argument(
            "--model_dir",
            type=Path,
            help=f"{model_dir} (default: SM_MODEL_DIR, /opt/ml/model, ./{LOCAL_MODEL})",
        )
    made.add_argument(
        "--opt_ml", type=Path, default=Path("/opt/ml"), metavar="DIR", help=argparse.SUPPRESS
    )
    return made


def add_file_path(made: argparse.ArgumentParser, *, required: bool) -> None:
    """The option that names the transactions."""
    what = "transactions: a file or a folder of files"
    made.add_argument("--file_path", type=Path, required=required, help=what)


def add_leads_path(made: argparse.ArgumentParser) -> None:
    """The option that names people without an order."""
    what = "people without an order: a folder with files leads... and events..."
    made.add_argument("--leads_path", type=Path, metavar="DIR", help=what)


def add_customers_path(made: argparse.ArgumentParser) -> None:
    """The option that names the customers' attributes."""
    what = "attributes of customers: a file or a folder of files (default: none)"
    made.add_argument("--customers_path", type=Path, metavar="PATH", help=what)


def add_as_of(made: argparse.ArgumentParser) -> None:
    """The option that names the day as of which is forecast."""
    what = "last day to know of, as 2011-12-09 (default: the file's last)"
    made.add_argument("--as_of", type=date, help=what)


def add_columns(
    made: argparse.ArgumentParser, default: str = "as the file that the model was fitted with"
) -> None:
    """The options of reading the transactions, and what holds where one is left out."""
    group = made.add_argument_group(f"how the file is read (default: {default})")
    for name in READING:
        text = f"{Columns.model_fields[name].description}".replace("%", "%%")
        group.add_argument(f"--{name}", default=argparse.SUPPRESS, metavar="VALUE", help=text)


def columns(parsed: argparse.Namespace) -> dict[str, str]:
    """Those of the options of `add_columns` that were given."""
    return {name: value for name, value in vars(parsed).items() if name in READING}


def add_hyperparameters(made: argparse.ArgumentParser) -> None:
    """An option for each hyperparameter, in groups by trainer."""
    groups: dict[tuple[str, ...], argparse._ArgumentGroup] = {}
    for name, option in NAMES.items():
        owners = option.owners
        if owners not in groups:
            of = f" of {' and '.join(owners)}" if owners else ""
            groups[owners] = made.add_argument_group(f"hyperparameters{of}")
        meaning = option.field.description or name.replace("_", " ")
        default = _shown(option.default)
        text = f"{meaning} (default {default})".replace("%", "%%")
        groups[owners].add_argument(
            f"--{name}", default=argparse.SUPPRESS, metavar="VALUE", help=text
        )


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "none" if default is None else str(default)


def hyperparameters(
    made: argparse.ArgumentParser, words: Sequence[str]
) -> tuple[argparse.Namespace, dict[str, str]]:
    """The options of the command, and the hyperparameters among the words.

    Options that are unknown are hyperparameters too, which will be refused with a hint.
    """
    options, rest = made.parse_known_args(words)
    values = {name: value for name, value in vars(options).items() if name in NAMES}
    return options, values | _unknown(made, rest)


def _unknown(made: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, str]:
    unknown: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            made.error(f"unexpected word {word!r}")
        name, equals, value = word[2:].partition("=")
        unknown[name] = value if equals else next(rest, "")
    return unknown


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, at least 1")
    return int(text)


def several(text: str) -> list[str]:
    """Words with commas between them."""
    return [word.strip() for word in text.split(",")]


def add_questions(made: argparse.ArgumentParser, large: str = "the model's") -> None:
    """The options of value and large orders; `large`: which amounts are large by default."""
    made.add_argument(
        "--value_horizons",
        metavar="DAYS,DAYS",
        help="days ahead, up to 365, for which orders and value are expected; off: none (default: "
        "the model's)",
    )
    made.add_argument(
        "--large_thresholds",
        metavar="AMOUNT,AMOUNT",
        help="amounts above which an order is large, whose probability is given; off: none "
        f"(default: {large})",
    )


def questions(parsed: argparse.Namespace) -> dict[str, list[str] | None]:
    """The options of `add_questions`; None where one was not given."""
    from ordergap.scoring.options import words  # noqa: PLC0415 - numeric, so after the threads

    texts = {name: vars(parsed)[name] for name in ("value_horizons", "large_thresholds")}
    return {name: None if text is None else words(text) for name, text in texts.items()}


def date(text: str) -> datetime.date:
    """A date such as 2011-12-09."""
    try:
        return date_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error


@contextmanager
def rows_on_stdout() -> Iterator[BinaryIO]:
    """Stdout for rows alone: what is logged goes to stderr.

    Who reads the rows may stop early, as `head` does; then the command ends with the signal's code.
    """
    for handler in logging.getLogger("ordergap").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        # Python would flush again at the end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:
            sys.exit(128 + _SIGPIPE)
        raise PlatformError(
            "the disk that stdout is written to is full: make room there"
        ) from error


def use_all_processors(processes: int = 1) -> None:
    """Before anything numeric is imported: as many threads as there are processors to share."""
    limit_threads(max(1, available_cpus() // processes))


def model_places(options: argparse.Namespace, *, platform: bool = True) -> list[Path]:
    """Where a model may be, best first; the platform's place only where `platform` says so."""
    if options.model_dir:
        return [options.model_dir]
    places = [Environment.from_environment().model_dir]
    places += [OptMl(options.opt_ml).model] if platform else []
    return [*filter(None, places), Path(LOCAL_MODEL)]


def load_model(options: argparse.Namespace) -> Forecaster:
    """The model in the first of the places that has one, with the limit of the environment."""
    from ordergap import forecaster  # noqa: PLC0415 - numeric, so after the threads

    limit = ForecastSettings.from_environment().stale_after_days
    model = forecaster.load(find_model(options))
    model.bundle = replace(model.bundle, stale_after_days=limit)
    return model


def find_model(options: argparse.Namespace) -> Path:
    """The first of the places that has a model."""
    places = model_places(options)
    for place in places:
        if _is_there(place / MANIFEST):
            return place
    names = ", ".join(str(place.absolute()) for place in places)
    raise ModelNotFound(
        f"no model: there is no {MANIFEST} in {names}; train one, or set --model_dir"
    )


def _is_there(path: Path) -> bool:
    """Whether something is; what cannot be looked at is, so that reading it says why it cannot."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
