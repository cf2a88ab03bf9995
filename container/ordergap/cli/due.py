"""ordergap due."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ordergap.cli import options
from ordergap.contract.prediction import DUE_WITHIN, LAPSED_WITHIN, Status
from ordergap.files import replace, saving

log = logging.getLogger("ordergap")
CONTACT_FIRST, WIN_BACK = "contact-first", "win-back"


def run(words: Sequence[str]) -> None:
    """Whom to contact first, or whom to win back, of a file of transactions."""
    parser = options.parser(
        "due",
        "Whom to contact first (due, by expected amount), or whom to win back (overdue customers "
        "with\ntwo orders or more, by yearly revenue at risk), of a file of transactions.",
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
    options.use_all_processors()
    from ordergap.scoring import files, lists  # noqa: PLC0415 - numeric, so after the threads
    from ordergap.scoring.options import Options  # noqa: PLC0415
    from ordergap.scoring.selection import Selection  # noqa: PLC0415

    wins = parsed.list == WIN_BACK
    asked = Options.parse({"as_of": parsed.as_of, "horizons": [DUE_WITHIN, LAPSED_WITHIN]})
    some = Selection(frozenset({Status.OVERDUE if wins else Status.DUE}))
    with options.rows_on_stdout():
        bundle = options.load_model(parsed).bundle
        forecasts = files.predict(
            bundle, parsed.file_path, asked, options.columns(parsed), some, parsed.customers_path
        )
        every = lists.win_back(forecasts) if wins else lists.contact_first(forecasts)
        rows = every[: parsed.top]
        log.info("%s of %s customers on the list", f"{len(rows):,}", f"{len(every):,}")
        names = lists.WIN_BACK_COLUMNS if wins else lists.contact_columns()
        text = _text(parsed.format, names, rows)
        if parsed.output is None:
            sys.stdout.write(text)
        else:
            with saving("the list cannot be written to", parsed.output):
                parsed.output.parent.mkdir(parents=True, exist_ok=True)
                replace(parsed.output, text.encode())


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
