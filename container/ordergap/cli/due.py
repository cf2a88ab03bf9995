"""ordergap due."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordergap.cli import options
from ordergap.contract.prediction import DUE_WITHIN, LAPSED_WITHIN, Status
from ordergap.files import replace, saving

if TYPE_CHECKING:
    from ordergap.artifacts import Bundle
    from ordergap.models.forecasts import Forecasts
    from ordergap.scoring.lists import Row

log = logging.getLogger("ordergap")
CONTACT_FIRST, WIN_BACK = "contact-first", "win-back"


def run(words: Sequence[str]) -> None:
    """Whom to contact first, or whom to win back, of a file of transactions."""
    parser = options.parser(
        "due",
        "Whom to contact first (due, by expected amount; with --by value who has not lapsed, by "
        "expected\nvalue), or whom to win back (overdue customers with two orders or more, by "
        "yearly revenue at\nrisk), of a file of transactions.",
        "where the model is",
        "--file_path PATH [options]",
    )
    options.add_file_path(parser, required=True)
    options.add_customers_path(parser)
    options.add_as_of(parser)
    parser.add_argument(
        "--list",
        choices=(CONTACT_FIRST, WIN_BACK),
        default=CONTACT_FIRST,
        help=f"which list (default {CONTACT_FIRST})",
    )
    parser.add_argument(
        "--by",
        choices=("amount", "value"),
        default="amount",
        help="what ranks contact-first: the probability of an order within 7 days times the usual "
        "amount, of who is due, or the value expected within the shortest of value_horizons, of "
        "who has not lapsed (default amount)",
    )
    options.add_questions(parser, large="none")
    parser.add_argument(
        "--top", type=options.positive, default=100, metavar="N", help="rows (default 100)"
    )
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json"),
        default="table",
        help="of what is written (default table)",
    )
    parser.add_argument("--output", type=Path, help="file to write (default: stdout)")
    options.add_columns(parser)
    parsed = parser.parse_args(words)
    if parsed.by == "value" and parsed.list == WIN_BACK:
        parser.error("--by value ranks who has not lapsed: leave --list out")
    if parsed.by != "value" and (parsed.value_horizons or parsed.large_thresholds):
        parser.error("--value_horizons and --large_thresholds go with --by value")
    options.use_all_processors()
    with options.rows_on_stdout():
        names, rows = _ranked(options.load_model(parsed).bundle, parsed)
        text = _text(parsed.format, names, rows)
        if parsed.output is None:
            sys.stdout.write(text)
        else:
            with saving("the list cannot be written to", parsed.output):
                parsed.output.parent.mkdir(parents=True, exist_ok=True)
                replace(parsed.output, text.encode())


def _ranked(bundle: Bundle, parsed: argparse.Namespace) -> tuple[Sequence[str], list[Row]]:
    """The columns and the rows of the list."""
    from ordergap.scoring import files, lists  # noqa: PLC0415 - numeric, so after the threads
    from ordergap.scoring.options import Options  # noqa: PLC0415
    from ordergap.scoring.selection import Selection  # noqa: PLC0415

    def forecasts(asked: Mapping[str, object], *selection: Any) -> Forecasts:
        some = Selection(*selection)
        request = Options.parse({"as_of": parsed.as_of, **asked})
        columns, customers = options.columns(parsed), parsed.customers_path
        return files.predict(bundle, parsed.file_path, request, columns, some, customers)

    if parsed.by == "value":
        said = options.questions(parsed)
        days = Options.parse(said).decided(bundle.manifest, value=True).value_horizons or ()
        asked: dict[str, object] = {
            "horizons": days[:1] or None,
            "value_horizons": days[:1],
            "large_thresholds": said["large_thresholds"] or [],
        }
        waiting = frozenset({*Status} - {Status.LAPSED})
        worth = forecasts(asked, waiting, parsed.top, "value")
        names, every = lists.worth_columns(worth), lists.worth_most(worth)
        log.info("%s customers on the list", f"{len(every):,}")
        return names, every
    wins = parsed.list == WIN_BACK
    asked = {
        "horizons": [DUE_WITHIN, LAPSED_WITHIN],
        "value_horizons": [],
        "large_thresholds": [],
    }
    some = forecasts(asked, frozenset({Status.OVERDUE if wins else Status.DUE}))
    every = lists.win_back(some) if wins else lists.contact_first(some)
    rows = every[: parsed.top]
    log.info("%s of %s customers on the list", f"{len(rows):,}", f"{len(every):,}")
    return lists.WIN_BACK_COLUMNS if wins else lists.contact_columns(), rows


def _text(form: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    if form == "json":
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    if form == "csv":
        from ordergap.scoring.lists import as_csv  # noqa: PLC0415 - numeric, so after the threads

        return as_csv(names, rows)
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (list(names), *cells)
    ]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
