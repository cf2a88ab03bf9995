"""ordergap predict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ordergap.cli import options


def run(words: Sequence[str]) -> None:
    """Forecast every customer of a file of transactions."""
    parser = options.parser(
        "predict",
        "Forecast every customer of a file of transactions.",
        "where the model is",
        "--file_path PATH [options]",
    )
    options.add_file_path(parser, required=True)
    parser.add_argument(
        "--as_of",
        type=options.date,
        help="last day to know of, as 2011-12-09 (default: the file's last)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("predictions.csv"),
        help="what to write, ending in .csv or .jsonl (default predictions.csv)",
    )
    parser.add_argument(
        "--explain",
        type=int,
        default=0,
        metavar="N",
        help="give up to so many reasons of each forecast, 0 to 10, in a column of JSON",
    )
    parsed = parser.parse_args(words)
    options.use_all_processors()
    from ordergap import forecaster  # noqa: PLC0415 - numeric, so after the threads
    from ordergap.scoring.files import form_of  # noqa: PLC0415

    form_of(parsed.output)  # which refuses, before a model is looked for
    model = forecaster.load(options.find_model(parsed))
    model.predict_file(parsed.file_path, parsed.output, parsed.as_of, explain=parsed.explain)
