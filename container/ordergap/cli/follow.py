"""ordergap follow."""

from __future__ import annotations

import argparse
import datetime
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ordergap.cli import options
from ordergap.cli.main import reason

log = logging.getLogger("ordergap")


def run(words: Sequence[str]) -> None:
    """Grade stored forecasts by the orders that came later."""
    parser = options.parser(
        "follow",
        "Grade stored forecasts by the orders that came later: level, rank, ageing, value and "
        "large\norders, of one cohort a week. A folder of cohorts grows by --add. The exit code "
        "is 0 whether\nthere are alarms or not.",
        None,
        "--forecasts DIR [--file_path PATH] [--add PATH --run NAME] [options]",
    )
    parser.add_argument(
        "--forecasts", type=Path, required=True, metavar="DIR", help="folder of cohorts (*.parquet)"
    )
    options.add_file_path(parser, required=False)
    parser.add_argument(
        "--model_dir",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders with the models that made the forecasts, unpacked or model.tar.gz, at any "
        "depth: for the rank, and for how the file is read (default: the rank is judged beside "
        "earlier cohorts alone)",
    )
    parser.add_argument(
        "--as_of",
        type=options.date,
        help="last day of which the orders tell, as 2011-12-09 (default: the file's last)",
    )
    parser.add_argument(
        "--output", type=Path, help="folder for follow.json and follow.html (default: none)"
    )
    parser.add_argument(
        "--message",
        type=Path,
        metavar="PATH",
        help="file for the reason where it fails, as SageMaker's processing jobs show it "
        "(default: none)",
    )
    group = parser.add_argument_group("what is added to the folder of cohorts first")
    group.add_argument(
        "--add",
        type=Path,
        metavar="PATH",
        help="predictions of one run, JSON Lines as a batch transform or predict writes them: a "
        "file or a folder",
    )
    group.add_argument("--run", type=_name, metavar="NAME", help="of the run: letters, digits, .-_")
    group.add_argument(
        "--role",
        choices=("champion", "challenger"),
        default="champion",
        help="whether these forecasts were used, or made for comparison (default champion)",
    )
    group.add_argument(
        "--challenger",
        type=Path,
        metavar="PATH",
        help="predictions of the same day by another model, which is only compared",
    )
    group.add_argument(
        "--add_to",
        type=Path,
        metavar="DIR",
        help="where they go, with the manifests of their models if --model_dir has them: a folder "
        "in that of the cohorts (default: that folder)",
    )
    options.add_columns(parser, "as the newest model's file")
    parsed = parser.parse_args(words)
    if not (parsed.add or parsed.file_path):
        parser.error("the following arguments are required: --file_path, or --add")
    if bool(parsed.add) != bool(parsed.run):
        parser.error("--add and --run go together")
    if parsed.challenger and (not parsed.add or parsed.role == "challenger"):
        parser.error("--challenger goes with --add of the champion's predictions")
    options.use_all_processors()
    try:
        _run(parsed)
    except Exception as error:
        if parsed.message:
            parsed.message.parent.mkdir(parents=True, exist_ok=True)
            parsed.message.write_text(reason(error), encoding="utf-8")
        raise


def _run(parsed: argparse.Namespace) -> None:
    """Add and grade; where the grading fails no forecasts have been added."""
    from ordergap.follow.keeping import keep  # noqa: PLC0415 - numeric, so after the threads
    from ordergap.follow.run import follow  # noqa: PLC0415

    added: list[Path] = []
    left_out: list[str] = []
    if parsed.add:
        predictions = {parsed.role: parsed.add}
        if parsed.challenger:
            predictions["challenger"] = parsed.challenger
        folder = parsed.add_to or parsed.forecasts
        now = datetime.datetime.now(datetime.UTC)
        added, left_out = keep(predictions, parsed.run, now, folder, parsed.model_dir)
        for each in left_out:
            log.warning("left out: %s", each)
    if not parsed.file_path:
        return
    try:
        result = follow(
            parsed.forecasts, parsed.file_path, parsed.model_dir, parsed.as_of,
            options.columns(parsed),
        )  # fmt: skip
        result = replace(result, left_out=[*left_out, *result.left_out])
        log.info("%s", result)
        if parsed.output:
            result.save(parsed.output)
            log.info("wrote follow.json and follow.html to %s", parsed.output)
    except Exception:
        for path in added:
            path.unlink()
        raise


def _name(text: str) -> str:
    if not re.fullmatch(r"[\w.-]{1,100}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} must be up to 100 letters, digits, .-_")
    return text
