"""The rolling backtest from file to table."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from ordergap import ingest
from ordergap.backtest.compare import compare_folds, table
from ordergap.backtest.fold import Fold, run_fold
from ordergap.backtest.report_data import contents
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.errors import NothingToLearn
from ordergap.evaluation.compare import Comparison
from ordergap.report.page import render

log = logging.getLogger("ordergap")

FIRST, LAST = 0.5, 0.75  # of the time span: where cutoffs lie; what is left is watched
LEAST_DAYS = 60


def cutoffs(first: int, last: int, count: int) -> tuple[list[int], int]:
    """`count` cutoff days at equal distances, and how many days each is watched.

    >>> cutoffs(0, 399, 3)
    ([199, 249, 299], 100)
    """
    span = last - first + 1
    days = [first + round(span * share) - 1 for share in np.linspace(FIRST, LAST, count)]
    return (days if count > 1 else [first + round(span * LAST) - 1]), round(span * (1 - LAST))


def backtest(
    hyperparameters: Hyperparameters, source: Path, count: int, jobs: int, output: Path | None
) -> dict[str, Comparison]:
    """Learn anew at `count` past days, judge by what came after, and print it all.

    jobs    cutoffs worked on at once
    output  a folder for backtest.json and report.html
    """
    cleaned = ingest.read(source, hyperparameters.columns)
    log.info(ingest.describe(cleaned.report))
    orders = cleaned.histories
    first, last = int(orders.day.min()), int(orders.day.max())
    if last - first + 1 < LEAST_DAYS:
        raise NothingToLearn(
            f"{last - first + 1} days are too few for a backtest: give at least {LEAST_DAYS}"
        )
    days, window = cutoffs(first, last, count)
    folds = []
    begun = perf_counter()
    for done, fold in enumerate(_folds(hyperparameters, source, days, window, jobs), 1):
        left = (perf_counter() - begun) / done * (count - done)
        log.info(
            "cutoff %s done, learnt from %s orders (%d of %d; about %.0f s left)",
            fold.cutoff, f"{fold.learnt:,}", done, count, left,
        )  # fmt: skip
        folds.append(fold)
    folds.sort(key=lambda fold: fold.cutoff)
    log.info("drawing customers again for the intervals ...")
    comparisons = compare_folds(folds, hyperparameters.seed)
    log.info(table(folds, comparisons))
    if output:
        output.mkdir(parents=True, exist_ok=True)
        content = {
            "cutoffs": [str(fold.cutoff) for fold in folds],
            "watched_days": window,
            "hyperparameters": hyperparameters.model_dump(mode="json", by_alias=True),
            "protocols": {name: each.content() for name, each in comparisons.items()},
        }
        page = render(contents(hyperparameters, cleaned.report, orders, folds, comparisons))
        (output / "backtest.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        (output / "report.html").write_text(page, "utf-8")
        log.info("wrote backtest.json and report.html to %s", output)
    return comparisons


def _folds(
    hyperparameters: Hyperparameters, source: Path, days: Sequence[int], window: int, jobs: int
) -> Iterator[Fold]:
    tasks = [(hyperparameters, source, day, day + window) for day in days]
    if jobs == 1:
        yield from (run_fold(*task) for task in tasks)
        return
    # A forked child would inherit threads that no longer run.
    with ProcessPoolExecutor(min(jobs, len(days)), mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_fold, *task) for task in tasks]):
            yield future.result()
