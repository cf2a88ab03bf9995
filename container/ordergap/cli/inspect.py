"""ordergap inspect."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ordergap.cli import options
from ordergap.errors import DataError


def run(words: Sequence[str]) -> None:
    """What a file of transactions is, before anything is learnt from it."""
    parser = options.parser(
        "inspect",
        "What a file of transactions is, before anything is learnt from it: how it is written, "
        "what its\ncolumns mean, what would be read and rejected, and the command line that trains "
        "a model.\nWith --model: whether it is like what that model learnt from. The exit code is "
        "1 where no model\ncan be trained with the file, or nothing forecast from it.",
        None,
        "FILE [--json] [--model DIR] [options]",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a file or a folder of files")
    parser.add_argument("--json", action="store_true", help="one JSON document, for programs")
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder of the model to check by")
    options.add_columns(parser, "found out, or as the model's file")
    parsed = parser.parse_args(words)
    options.use_all_processors()
    from ordergap import forecaster, inspection  # noqa: PLC0415 - numeric, so after the threads

    asked = options.columns(parsed)
    with options.rows_on_stdout():
        if parsed.model:
            check = forecaster.load(parsed.model).check(parsed.file, **asked)
            sys.stdout.write(f"{check.to_json() if parsed.json else check}\n")
            if check.verdict == "refused":
                why = check.findings[0].message
                raise DataError(f"{parsed.file} cannot be forecast from: {why}")
            return
        found = inspection.inspect(parsed.file, **asked)
        sys.stdout.write(f"{found.to_json() if parsed.json else found}\n")
        if not found.trainable:
            reasons = "; ".join(filter(None, (*found.problems, found.refusal)))
            raise DataError(f"no model can be trained with {parsed.file}: {reasons}")
