"""ordergap backtest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from ordergap.cli import options
from ordergap.contract.hyperparameters import parse

log = logging.getLogger("ordergap")


def run(words: Sequence[str]) -> None:
    """Learn anew at several past days, judge by what came after, beside baselines."""
    parser = options.parser(
        "backtest",
        "Learn anew at several past days, judge by what came after, beside baselines.",
        None,
        "--file_path PATH [--leads_path DIR] [--cutoffs N] [options]",
    )
    options.add_file_path(parser, required=True)
    options.add_customers_path(parser)
    options.add_leads_path(parser)
    parser.add_argument("--cutoffs", type=options.positive, default=4, help="past days (default 4)")
    parser.add_argument(
        "--jobs", type=options.positive, default=1, help="cutoffs at once (default 1)"
    )
    parser.add_argument(
        "--output", type=Path, help="folder for backtest.json and report.html (default: none)"
    )
    options.add_hyperparameters(parser)
    parsed, values = options.hyperparameters(parser, words)
    options.use_all_processors(parsed.jobs)
    from ordergap.backtest.run import backtest  # noqa: PLC0415 - numeric, so after the threads

    result = backtest(
        parse(values),
        parsed.file_path,
        parsed.cutoffs,
        parsed.jobs,
        parsed.leads_path,
        parsed.customers_path,
    )
    log.info("%s", result)
    if parsed.output:
        result.save(parsed.output)
        log.info("wrote backtest.json and report.html to %s", parsed.output)
