"""The rolling backtest from file to table.

See docs/decisions/packages.md#the-backtest-stands-above-training.
"""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from ordergap import files, ingest
from ordergap.attributes import AttributeTable
from ordergap.backtest.compare import Comparisons, compare_folds, find, reasons, text
from ordergap.backtest.fold import Fold, run_fold
from ordergap.backtest.report_data import contents
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.orders import DataReport
from ordergap.errors import DataError, NothingToLearn, PlatformError, UserError
from ordergap.histories import Histories, date_of
from ordergap.ingest.attribute_rows import Customers
from ordergap.leads.reading import LeadSource
from ordergap.report.page import render
from ordergap.settings import available_cpus, limit_threads
from ordergap.tasks.base import Findings
from ordergap.trainers.factory import make_trainer
from ordergap.training import customers as attributes
from ordergap.training import sampling
from ordergap.training.job import last_day

log = logging.getLogger("ordergap")

FIRST, LAST = 0.5, 0.75  # of the time span: where cutoffs lie; what is left is the follow-up
LEAST_DAYS = 60
REPLICATES = 100  # that the intervals are of
_Call = tuple[Hyperparameters, ingest.Orders, int, int, LeadSource | None, AttributeTable | None]


def cutoffs(first: int, last: int, count: int) -> tuple[list[int], int]:
    """`count` cutoff days at equal distances, and the days of follow-up of each.

    >>> cutoffs(0, 399, 3)
    ([199, 249, 299], 100)
    """
    span = last - first + 1
    days = [first + round(span * share) - 1 for share in np.linspace(FIRST, LAST, count)]
    return (days if count > 1 else [first + round(span * LAST) - 1]), round(span * (1 - LAST))


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """How models fitted at several past days did on what came after; printed, tables and a verdict.

    hyperparameters  of all of them
    data             what was in the orders, and what became of each row
    orders           all of them, cleaned
    folds            a cutoff each: forecasts of the model and of baselines, beside what came
    comparisons      task -> protocol ("at cutoff", "at order") -> over all cutoffs, `metrics` of
                     the model and of each baseline, `intervals` of the model's metrics, and
                     `differences` from each baseline
    left_out         cutoffs that could not be judged -> why
    """

    hyperparameters: Hyperparameters
    data: DataReport
    orders: Histories
    folds: Sequence[Fold]
    comparisons: Comparisons
    left_out: Mapping[datetime.date, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return text(self.folds, self.comparisons, self.findings, self.left_out)

    @cached_property
    def findings(self) -> Mapping[str, Findings]:
        """Task -> tables beside its metrics, and the lines of the verdict."""
        return find(self.folds, self.comparisons, self.hyperparameters)

    def content(self) -> dict[str, JsonValue]:
        """As JSON: what backtest.json holds."""
        return {
            "cutoffs": [str(fold.cutoff) for fold in self.folds],
            "left_out": {str(cutoff): reason for cutoff, reason in self.left_out.items()},
            "follow_up_days": (self.folds[0].until - self.folds[0].cutoff).days,
            "hyperparameters": self.hyperparameters.flat(),
            "tasks": {
                task: {
                    str(protocol): {
                        **each.content(),
                        **self.findings[task].content.get(protocol, {}),
                    }
                    for protocol, each in protocols.items()
                }
                for task, protocols in self.comparisons.items()
            },
            "verdict": {task: [*each.verdict] for task, each in self.findings.items()},
        }

    def save(self, directory: Path | str) -> None:
        """Write backtest.json and report.html into a folder. Raises PlatformError."""
        directory = Path(directory)
        page = render(
            contents(
                self.hyperparameters,
                self.data,
                self.orders,
                self.folds,
                self.comparisons,
                self.findings,
            )
        )
        content = json.dumps(self.content(), indent=2) + "\n"
        with files.saving("the backtest cannot be saved in", directory):
            directory.mkdir(parents=True, exist_ok=True)
            files.replace(directory / "backtest.json", content.encode())
            files.replace(directory / "report.html", page.encode())


def backtest(
    hyperparameters: Hyperparameters,
    source: ingest.Orders,
    count: int = 4,
    jobs: int = 1,
    leads: LeadSource | None = None,
    customers: Customers | None = None,
) -> Backtest:
    """Learn anew at `count` past days, judge by what came after.

    jobs       cutoffs worked on at once
    leads      people without an order, and their events; None: their first order is not judged
    customers  attributes, where the hyperparameters name some

    A cutoff with nothing to learn from before it, or no order after it, is left out with a warning.
    Raises UserError for numbers below 1, and NothingToLearn where `fit` does, where the time span
    is too short, and where no cutoff is left.
    """
    numbers: dict[str, object] = {"cutoffs": count, "jobs": jobs}
    for name, number in numbers.items():
        if not isinstance(number, int | np.integer) or number < 1:
            raise UserError(f"{name} = {number!r}: must be a whole number, at least 1")
    make_trainer(hyperparameters, calendar=False)  # which refuses what this machine can not do
    cleaned = ingest.read(source, hyperparameters.columns)
    log.info(ingest.describe(cleaned.report))
    known = attributes.read(customers, hyperparameters, cleaned.report.conventions)
    orders, notes = attributes.joined(cleaned.histories, known)
    notes += sampling.backtest_notes(orders, hyperparameters.most_orders)
    report = cleaned.report.model_copy(update={"notes": cleaned.report.notes + notes})
    first, last = int(orders.day.min()), last_day(orders)
    if last - first + 1 < LEAST_DAYS:
        raise NothingToLearn(
            f"{last - first + 1} days are too few for a backtest: give at least {LEAST_DAYS}"
        )
    days, window = cutoffs(first, last, count)
    folds: list[Fold] = []
    left_out: dict[datetime.date, str] = {}
    begun = perf_counter()
    table = known.table if known else None
    calls = [(hyperparameters, source, day, day + window, leads, table) for day in days]
    for done, fold in enumerate(_folds(calls, jobs), 1):
        left = (perf_counter() - begun) / done * (count - done)
        if isinstance(fold, LeftOut):
            left_out[fold.cutoff] = fold.reason
            log.warning("cutoff %s left out: %s", *fold)
            continue
        log.info(
            "cutoff %s done, learnt from %s orders (%d of %d; about %.0f s left)",
            fold.cutoff, f"{fold.order_count:,}", done, count, left,
        )  # fmt: skip
        folds.append(fold)
    if not folds:
        raise NothingToLearn(f"no cutoff can be judged: {'; '.join(reasons(left_out))}")
    folds.sort(key=lambda fold: fold.cutoff)
    log.info("drawing customers again for the intervals ...")
    comparisons = compare_folds(folds, hyperparameters.seed, REPLICATES)
    return Backtest(
        hyperparameters, report, orders, folds, comparisons, dict(sorted(left_out.items()))
    )


class LeftOut(NamedTuple):
    """A cutoff that cannot be judged, and why."""

    cutoff: datetime.date
    reason: str


def _fold(call: _Call) -> Fold | LeftOut:
    """As `run_fold`; the reason where the data before or after the cutoff do not do."""
    try:
        return run_fold(*call)
    except DataError as error:
        return LeftOut(date_of(call[2]), str(error))


def _folds(calls: Sequence[_Call], jobs: int) -> Iterator[Fold | LeftOut]:
    if jobs == 1:
        yield from map(_fold, calls)
        return
    processes = min(jobs, len(calls))
    threads = max(1, available_cpus() // processes)
    # A forked child would inherit threads that no longer run.
    with ProcessPoolExecutor(processes, get_context("spawn"), limit_threads, (threads,)) as pool:
        try:
            for future in as_completed([pool.submit(_fold, call) for call in calls]):
                yield future.result()
        except BrokenProcessPool as error:
            raise PlatformError(
                "a process of the backtest ended too early: give fewer jobs where memory is short, "
                'and in a script put the call under `if __name__ == "__main__":`'
            ) from error
