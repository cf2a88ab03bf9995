"""The front door: python -m ordergap train | serve | predict | backtest.

What a command needs is imported once the command is known, so that `--help` answers at once and a
server does not carry what only training needs. Only here is the day read off a clock.
"""

import argparse
import datetime
import gc
import logging
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from ordergap import __version__
from ordergap.errors import ModelNotFound, OrdergapError, PlatformError
from ordergap.sagemaker.opt_ml import OptMl

LOCAL_MODEL = "SageMaker_Training"

log = logging.getLogger("ordergap")


def train(words: Sequence[str]) -> None:
    """Make a model of a file of transactions."""
    from ordergap.sagemaker.stopping import told_to_stop  # noqa: PLC0415

    with told_to_stop() as stopping:
        from ordergap.settings import JobSettings  # noqa: PLC0415

        parser = _parser("train", "where the model goes", "[--file_path PATH] [--NAME VALUE ...]")
        parser.epilog = f"environment:\n{JobSettings.describe()}"
        parser.add_argument(
            "--file_path", type=Path, help="transactions: a file or a folder of files"
        )
        parser.add_argument(
            "--checkpoint_dir",
            type=Path,
            metavar="DIR",
            help="folder from which a killed job goes on (default: /opt/ml/checkpoints, if there)",
        )
        _add_hyperparameters(parser)
        options, rest = parser.parse_known_args(words)
        opt_ml = OptMl(options.opt_ml)
        with _failure_file(opt_ml):
            _use_all_processors()
            from ordergap.sagemaker import command  # noqa: PLC0415

            command.train(
                opt_ml,
                JobSettings.from_environment(),
                _given_hyperparameters(parser, options, rest),
                options.file_path,
                _model_places(options, platform=opt_ml.config.is_dir())[0],
                options.checkpoint_dir,
                stopping,
            )


def serve(words: Sequence[str]) -> None:
    """Answer requests over HTTP."""
    if sys.platform == "win32":
        raise PlatformError("serve needs gunicorn, which has no Windows version: use the image")
    from ordergap.settings import Settings, limit_threads  # noqa: PLC0415

    parser = _parser("serve", "where the model is")
    parser.epilog = f"environment:\n{Settings.describe()}"
    options = parser.parse_args(words)
    settings = Settings.from_environment()
    limit_threads(1)
    gc.disable()  # imports leave no garbage to look for; the server enables it again
    try:
        from ordergap.serving import server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise PlatformError(f"serve needs {error.name}: pip install 'ordergap[serve]'") from error
    server.serve(_find_model(options), settings, lambda: datetime.datetime.now(datetime.UTC).date())


def predict(words: Sequence[str]) -> None:
    """Forecast every customer of a file of transactions."""
    parser = _parser("predict", "where the model is", "--file_path PATH [options]")
    parser.add_argument(
        "--file_path", type=Path, required=True, help="transactions: a file or a folder of files"
    )
    parser.add_argument(
        "--as_of", type=_date, help="last day to know of, as 2011-12-09 (default: the file's last)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("predictions.csv"),
        help="what to write, ending in .csv or .jsonl (default predictions.csv)",
    )
    options = parser.parse_args(words)
    _use_all_processors()
    from ordergap.artifacts import Bundle  # noqa: PLC0415
    from ordergap.scoring import files  # noqa: PLC0415

    files.form_of(options.output)
    bundle = Bundle.load(_find_model(options))
    files.predict_file(bundle, options.file_path, options.output, options.as_of)


def backtest(words: Sequence[str]) -> None:
    """Learn anew at several past days, judge by what came after, beside baselines."""
    parser = _parser("backtest", None, "--file_path PATH [--cutoffs N] [options]")
    parser.add_argument(
        "--file_path", type=Path, required=True, help="transactions: a file or a folder of files"
    )
    parser.add_argument("--cutoffs", type=_positive, default=4, help="past days (default 4)")
    parser.add_argument("--jobs", type=_positive, default=1, help="cutoffs at once (default 1)")
    parser.add_argument("--output", type=Path, help="folder for backtest.json (default: none)")
    _add_hyperparameters(parser)
    options, rest = parser.parse_known_args(words)
    _use_all_processors(options.jobs)
    from ordergap.backtest.run import backtest as run  # noqa: PLC0415
    from ordergap.contract.hyperparameters import parse  # noqa: PLC0415

    hyperparameters = parse(_given_hyperparameters(parser, options, rest))
    run(hyperparameters, options.file_path, options.cutoffs, options.jobs, options.output)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": train,
    "serve": serve,
    "inference": serve,
    "predict": predict,
    "backtest": backtest,
}
USAGE = f"usage: python -m ordergap {{{','.join(COMMANDS)}}} [options]; COMMAND --help says more"


def run() -> None:
    """Run the command that the process was started with, and end with its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main(sys.argv[1:]))


def main(words: Sequence[str]) -> int:
    """Run a command; its exit code. Options may be written with - or with _."""
    if words and words[0] in {"-h", "--help", "--version"}:
        listed = [USAGE, *(f"  {name:10} {run.__doc__}" for name, run in COMMANDS.items())]
        print(f"ordergap {__version__}" if words[0] == "--version" else "\n".join(listed))
        return 0
    if not words or words[0] not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    try:
        COMMANDS[words[0]]([_underscored(word) for word in words[1:]])
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last frame: whatever came, a sentence goes first
        print(_reason(error), file=sys.stderr, flush=True)
        if not isinstance(error, OrdergapError):
            traceback.print_exception(error)
        return 1
    return 0


def _parser(
    command: str, model_dir: str | None, usage: str = "[--model_dir DIR]"
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m ordergap {command}",
        usage=f"%(prog)s {usage}",
        description=COMMANDS[command].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if model_dir:
        parser.add_argument(
            "--model_dir",
            type=Path,
            help=f"{model_dir} (default: SM_MODEL_DIR, /opt/ml/model, ./{LOCAL_MODEL})",
        )
    parser.add_argument(
        "--opt_ml", type=Path, default=Path("/opt/ml"), metavar="DIR", help=argparse.SUPPRESS
    )
    return parser


def _add_hyperparameters(parser: argparse.ArgumentParser) -> None:
    from ordergap.contract.hyperparameters import NAMES  # noqa: PLC0415

    group = parser.add_argument_group("hyperparameters")
    for name, field in NAMES.items():
        meaning = field.description or name.replace("_", " ")
        shown = ",".join(map(str, d)) if isinstance(d := field.default, tuple) else d
        text = f"{meaning} (default {'none' if shown is None else shown})".replace("%", "%%")
        group.add_argument(f"--{name}", default=argparse.SUPPRESS, metavar="VALUE", help=text)


def _given_hyperparameters(
    parser: argparse.ArgumentParser, options: argparse.Namespace, rest: list[str]
) -> dict[str, str]:
    from ordergap.contract.hyperparameters import NAMES  # noqa: PLC0415

    given = {name: value for name, value in vars(options).items() if name in NAMES}
    return given | _unknown_options(parser, rest)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _use_all_processors(processes: int = 1) -> None:
    from ordergap.settings import available_cpus, limit_threads  # noqa: PLC0415

    limit_threads(max(1, available_cpus() // processes))


def _underscored(word: str) -> str:
    """`--max-depth=6` as `--max_depth=6`."""
    return re.sub(r"^--[^=]+", lambda name: "--" + name[0][2:].replace("-", "_"), word)


def _unknown_options(parser: argparse.ArgumentParser, words: list[str]) -> dict[str, str]:
    """Options that are none of ours, by name: hyperparameters that will be refused with a hint."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            parser.error(f"unexpected word {word!r}")
        name, equals, value = word[2:].partition("=")
        found[name] = value if equals else next(rest, "")
    return found


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it as 2011-12-09") from error


def _model_places(options: argparse.Namespace, *, platform: bool = True) -> list[Path]:
    """Where a model may be, best first; the platform's place only where it is asked for."""
    from ordergap.settings import Environment  # noqa: PLC0415

    if options.model_dir:
        return [options.model_dir]
    places = [Environment.from_environment().model_dir]
    places += [OptMl(options.opt_ml).model] if platform else []
    return [*filter(None, places), Path(LOCAL_MODEL)]


def _find_model(options: argparse.Namespace) -> Path:
    """The first of the places that has a model."""
    from ordergap.artifacts import MANIFEST  # noqa: PLC0415

    places = _model_places(options)
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    looked = ", ".join(str(place.absolute()) for place in places)
    raise ModelNotFound(f"no model: there is no {MANIFEST} in {looked}; train one, or --model_dir")


@contextmanager
def _failure_file(opt_ml: OptMl) -> Iterator[None]:
    """Under the platform, a failing job leaves its reason where the platform shows it."""
    try:
        opt_ml.forget_failure()
        yield
    except Exception as error:
        if opt_ml.config.is_dir():
            opt_ml.fail(_reason(error))
        raise


def _reason(error: Exception) -> str:
    """Whose move it is, and the sentence."""
    if isinstance(error, OrdergapError):
        return f"{error.kind}: {error}"
    if isinstance(error, MemoryError):
        return "PlatformError: out of memory; use a machine with more, or less data"
    if isinstance(error, OSError | ImportError):
        return f"PlatformError: {error}"
    return f"AlgorithmError: {type(error).__name__}: {error}; a fault of ours, not of your data"


def _stop(signum: int, _frame: object) -> NoReturn:
    """Unwind, so that nothing half-made stays. Process 1 of a container has no default for it."""
    log.warning("stopped by %s before the end", signal.Signals(signum).name)
    sys.exit(128 + signum)


if __name__ == "__main__":
    run()
