"""From the words of a command line to its exit code.

See docs/decisions/packaging.md#one-entry-point.
"""

from __future__ import annotations

import logging
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

from ordergap import __version__
from ordergap.errors import MissingColumn, OrdergapError

log = logging.getLogger("ordergap")

COMMANDS = {
    "train": "make a model of a file of transactions",
    "serve": "answer requests over HTTP",
    "inference": "the same as serve",
    "inspect": "what a file of transactions is, before anything is learnt from it",
    "predict": "forecast every customer of a file of transactions",
    "due": "list whom to contact first, or whom to win back",
    "backtest": "learn anew at several past days, judge by what came after, beside baselines",
    "follow": "grade stored forecasts by the orders that came later",
}
_MODULES = {"inference": "serve"}
USAGE = f"usage: ordergap {{{','.join(COMMANDS)}}} [options]; COMMAND --help says more"


def run() -> None:
    """Run the command that the process was started with, and end with its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main(sys.argv[1:]))


def main(words: Sequence[str]) -> int:
    """Run a command; its exit code. Options may be written with - or with _."""
    if words and words[0] in {"-h", "--help"}:
        print(USAGE, *(f"  {name:10} {what}" for name, what in COMMANDS.items()), sep="\n")
        return 0
    if words and words[0] == "--version":
        print(f"ordergap {__version__}")
        return 0
    if not words or words[0] not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    command = import_module(f"ordergap.cli.{_MODULES.get(words[0], words[0])}")
    execute: Callable[[Sequence[str]], None] = command.run
    try:
        execute([_underscored(word) for word in words[1:]])
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last frame: whatever came, a sentence goes first
        which = ". `ordergap inspect FILE` says which column is what"
        hint = which if isinstance(error, MissingColumn) else ""
        print(f"{reason(error)}{hint}", file=sys.stderr, flush=True)
        if not isinstance(error, OrdergapError):
            traceback.print_exception(error)
        return 1
    return 0


def reason(error: Exception) -> str:
    """Who can mend it, and the sentence."""
    if isinstance(error, OrdergapError):
        return f"{error.kind}: {error}"
    if isinstance(error, MemoryError):
        return "PlatformError: out of memory; use a machine with more, or less data"
    if isinstance(error, OSError | ImportError):
        return f"PlatformError: {error}"
    return f"AlgorithmError: {type(error).__name__}: {error}; a fault of ours, not of your data"


def _underscored(word: str) -> str:
    """`--max-depth=6` as `--max_depth=6`."""
    return re.sub(r"^--[^=]+", lambda name: "--" + name[0][2:].replace("-", "_"), word)


def _stop(signum: int, _frame: object) -> NoReturn:
    """Unwind, so that nothing half-made stays. Process 1 of a container has no default for it."""
    log.warning("stopped by %s before the end", signal.Signals(signum).name)
    sys.exit(128 + signum)
