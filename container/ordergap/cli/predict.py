"""ordergap predict."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from ordergap.cli import options

STDOUT = Path("-")
_OF_CUSTOMERS = (
    "interval_level", "status", "top", "by", "explain", "value_horizons", "large_thresholds",
)  # fmt: skip


def run(words: Sequence[str]) -> None:
    """Forecast every customer of a file of transactions."""
    parser = options.parser(
        "predict",
        "Forecast every customer of a file of transactions.",
        "where the model is",
        "[--file_path PATH] [--leads_path DIR] [options]",
    )
    options.add_file_path(parser, required=False)
    options.add_leads_path(parser)
    options.add_customers_path(parser)
    options.add_as_of(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("predictions.csv"),
        help="what to write, ending in .csv, .jsonl or .parquet, or - for CSV on stdout "
        "(default predictions.csv)",
    )
    parser.add_argument(
        "--horizons",
        type=options.several,
        metavar="DAYS,DAYS",
        help="days ahead for which a probability is given (default: the model's)",
    )
    parser.add_argument(
        "--interval_level",
        metavar="LEVEL",
        help="how often the next order should lie in the interval, such as 0.8 (default: the "
        "model's)",
    )
    parser.add_argument(
        "--status",
        metavar="WORD,WORD",
        help="only customers with one of these statuses, such as due,overdue (default: all)",
    )
    parser.add_argument(
        "--top", type=options.positive, metavar="N", help="only N customers, the first by rank"
    )
    parser.add_argument(
        "--by",
        choices=("probability", "amount", "value"),
        help="rank by the probability of an order within the shortest horizon, by that times the "
        "usual amount, or by the value expected within the shortest of value_horizons (default: "
        "probability with --top; else in the sequence of ids)",
    )
    parser.add_argument(
        "--explain",
        type=int,
        default=0,
        metavar="N",
        help="give up to so many reasons of each forecast, 0 to 10, in a column of JSON",
    )
    parser.add_argument(
        "--guard_formulas",
        choices=("on", "off"),
        default="on",
        help="whether ids in CSV that a spreadsheet would run as formulas, such as =1+1, get a "
        "quotation mark (') in front (default on)",
    )
    options.add_questions(parser)
    options.add_columns(parser)
    parsed = parser.parse_args(words)
    if not (parsed.file_path or parsed.leads_path):
        parser.error("the following arguments are required: --file_path, or --leads_path")
    unused = [f"--{name}" for name in _OF_CUSTOMERS if getattr(parsed, name)]
    if parsed.leads_path and unused:
        parser.error(f"leads are forecast without {', '.join(unused)}: leave this out")
    options.use_all_processors()
    from ordergap.scoring.files import form_of  # noqa: PLC0415 - numeric, so after the threads

    asked = {
        "as_of": parsed.as_of,
        "horizons": parsed.horizons,
        "interval_level": parsed.interval_level,
        "status": parsed.status,
        "top": parsed.top,
        "by": parsed.by,
        "explain": parsed.explain,
        "customers": parsed.customers_path,
        "guard_formulas": parsed.guard_formulas == "on",
        **options.questions(parsed),
        **options.columns(parsed),
    }
    if parsed.output != STDOUT:
        form_of(parsed.output)  # which refuses, before a model is looked for
    if parsed.leads_path:
        _leads(parsed)
    elif parsed.output == STDOUT:
        with options.rows_on_stdout() as stdout:
            model = options.load_model(parsed)
            model.predict_file(parsed.file_path, stdout, **asked)
    else:
        model = options.load_model(parsed)
        model.predict_file(parsed.file_path, parsed.output, **asked)


def _leads(parsed: argparse.Namespace) -> None:
    """Forecast the leads instead, without those that have orders in the file of transactions."""
    asked = {"as_of": parsed.as_of, "horizons": parsed.horizons, **options.columns(parsed)}
    on_stdout = parsed.output == STDOUT
    with options.rows_on_stdout() if on_stdout else nullcontext(parsed.output) as output:
        model = options.load_model(parsed)
        model.predict_leads(parsed.leads_path, parsed.file_path, output=output, **asked)
