"""The training job: read → clean → split → features → mask → fit → evaluate → save."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from ordergap import ingest
from ordergap.artifacts import Bundle, seal
from ordergap.checkpoints import EVERY, Checkpoints
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import TrainingMetrics
from ordergap.contract.orders import FEW_CUSTOMERS, FEW_DAYS
from ordergap.contract.reference import Reference
from ordergap.errors import NothingToLearn
from ordergap.evaluation.inputs import reference
from ordergap.frames import kind_of
from ordergap.histories import Histories, date_of
from ordergap.hosts import ALONE, Hosts
from ordergap.ingest.attribute_rows import Customers
from ordergap.leads.reading import LeadSource
from ordergap.leads.table import LeadTable
from ordergap.models.base import Head
from ordergap.outliers import keep_mask
from ordergap.report.page import render
from ordergap.stopping import Stopping, never
from ordergap.survival.targets import order_gaps
from ordergap.tasks.base import Execution, Fit, Learning, Split, Task, Validation
from ordergap.tasks.registry import tasks
from ordergap.trainers.factory import make_trainer
from ordergap.training import agreement, sampling, sharing
from ordergap.training import customers as attributes
from ordergap.training.console import metric_lines, scores_table
from ordergap.training.inputs import latest_inputs
from ordergap.training.leads import read_leads
from ordergap.training.report_data import contents
from ordergap.training.split import split_of

log = logging.getLogger("ordergap")


@dataclass(frozen=True)
class Job:
    """How a training job runs; by default alone, to its end, without checkpoints or metric lines.

    content_types       of the orders and of the validation; None: as the files look
    customers_type      the content type of the customers' attributes
    checkpoints         folder from which a killed job resumes, and where it keeps its state
    checkpoint_seconds  at least so many between two checkpoints
    stopping            whether to stop; then the best model so far is kept, which has not learnt
                        from what it was validated on
    hosts               that train together; each has its own share of the transactions
    metric_lines        whether the log has a line for each metric, which the platform looks for
    """

    content_types: tuple[str | None, str | None] = (None, None)
    customers_type: str | None = None
    checkpoints: Path | None = None
    checkpoint_seconds: float = EVERY
    stopping: Stopping = never
    hosts: Hosts = ALONE
    metric_lines: bool = False


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training job made, on one host or on each of several.

    metrics  of the validation
    """

    bundle: Bundle
    metrics: TrainingMetrics
    orders: Histories
    split: Split
    tasks: Mapping[str, Task]
    validations: Mapping[str, Validation]
    fits: Mapping[str, Fit]

    def report(self) -> bytes:
        """The report as a page of HTML."""
        page = contents(
            self.bundle, self.orders, self.split, self.tasks, self.validations, self.fits
        )
        return render(page).encode()

    def reference(self) -> Reference:
        """What served orders are compared with."""
        return reference(self.orders, self.bundle.manifest)


def fit(
    hyperparameters: Hyperparameters,
    source: ingest.Orders,
    validation: ingest.Orders | None = None,
    job: Job | None = None,
    leads: LeadSource | None = None,
    customers: Customers | None = None,
) -> Trained:
    """Learn from the transactions in `source`.

    validation  later transactions, which are validated on and never learnt from; without them the
                last part of the time span validates, and then the model learns from it too
    leads       people without an order, and their events: see `leads.reading`
    customers   attributes, of which the hyperparameters name those that are learnt from

    Raises UserError where the data, the hyperparameters or the checkpoints do not do, and Stopped
    where there was no model yet when the job was to stop.
    """
    job = job or Job()
    hosts = job.hosts
    make_trainer(hyperparameters, calendar=False)  # which refuses what this machine can not do
    execution = Execution(hosts, lambda: hosts.any(job.stopping()))
    with step(f"Reading {name_of(source)}"):
        agreement.refuse_different_jobs(hosts, hyperparameters)
        cleaned = sharing.read(hosts, source, hyperparameters.columns, job.content_types[0])
        log.info(ingest.describe(cleaned.report))
        known = attributes.read(
            customers, hyperparameters, cleaned.report.conventions, job.customers_type, hosts
        )
        orders, notes = attributes.joined(cleaned.histories, known)
        as_of = last_day(orders)
        table, more = read_leads(hosts, leads, hyperparameters, orders, as_of)
        sample = sampling.draw(orders, hyperparameters.most_orders)
        learnt, table = sample.orders(orders), sample.leads(table)
        notes = (*cleaned.report.notes, *notes, *more, *sampling.notes(orders, learnt))
        report = cleaned.report.model_copy(update={"notes": notes})
    with step("Splitting in time"):
        execution.raise_if_stopped()
        split = split_of(
            hosts,
            hyperparameters,
            replace(cleaned, histories=learnt),
            sample,
            validation,
            job.content_types[1],
        )
        checkpoints = None
        if job.checkpoints and hosts.leads:
            identity = agreement.identity(hyperparameters, split, orders, table)
            checkpoints = Checkpoints(job.checkpoints, identity, job.checkpoint_seconds)
        execution = replace(execution, checkpoints=agreement.of_all(hosts, checkpoints))
    questions, unanswered = answerable(hyperparameters, split.past, table)
    with step("Learning from the past, validating on what came after"):
        past = learning(hyperparameters, split.past, split.cutoff, execution, table)
        validations: dict[str, Validation] = {}
        for name, task in questions.items():
            earlier = {each: f.head for each, v in validations.items() if (f := v.fit)}
            validations[name] = task.search(replace(past, heads=earlier), split)
            if hosts.leads:
                lines = metric_lines(task, validations[name]) if job.metric_lines else ()
                for line in (scores_table(task, validations[name]), *lines):
                    log.info(line)
    with step(f"Learning from everything until {date_of(as_of)}"):
        everything = learning(hyperparameters, learnt, as_of, execution, table)
        fits: dict[str, Fit] = {}
        for name, task in questions.items():
            if reason := task.lost(validations[name]):
                unanswered[name] = _said(task, reason)
                continue
            heads: dict[str, Head] = {each: fit.head for each, fit in fits.items()}
            fits[name] = task.fit(replace(everything, heads=heads), validations[name])
        log.info("  %s", next(iter(fits.values())).outliers.note)
    if stopped_early := any(fit is validations[name].fit for name, fit in fits.items()):
        log.warning(
            "Stopped early: the model that is kept learnt from the orders until %s alone.",
            date_of(split.cutoff),
        )
    metrics = TrainingMetrics(
        trainer=hyperparameters.trainer.name,
        validated_after=date_of(split.cutoff),
        stopped_early=stopped_early,
        interval_customers=sampling.interval_customers(learnt),
        sample=sampling.learnt_from(orders, learnt),
        tasks={name: task.training_metrics(validations[name]) for name, task in questions.items()},
        unanswered={
            name: why for name, why in unanswered.items() if tasks()[name].asked(hyperparameters)
        },
        inputs=latest_inputs(orders, as_of),
    )
    bundle = seal(
        {name: fit.head for name, fit in fits.items()},
        unanswered=unanswered,
        hyperparameters=hyperparameters,
        first_day=date_of(int(orders.day.min())),
        as_of=date_of(as_of),
        data_digest=orders.digest(),
        data=report,
        attribute_conventions=known.conventions if known else None,
        metrics=metrics.model_dump(mode="json"),
    )
    version = bundle.manifest.model_version.encode()
    if {*hosts.gather(version)} != {version}:
        log.warning("The hosts came to different models; that of %s is kept.", hosts.names[0])
    return Trained(bundle, metrics, orders, split, questions, validations, fits)


def answerable(
    hyperparameters: Hyperparameters, histories: Histories, leads: LeadTable | None = None
) -> tuple[dict[str, Task], dict[str, str]]:
    """The tasks that are asked of such orders, and why others are not; of leads if there are."""
    asked, unanswered = tasks(), {}
    for name, task in tasks().items():
        if task.needs_leads and leads is None:
            del asked[name]
        elif reason := task.unanswerable(hyperparameters, histories):
            unanswered[name] = _said(task, reason)
            del asked[name]
    return asked, unanswered


def _said(task: Task, reason: str) -> str:
    log.warning("Not answered, %s: %s.", task.title.lower(), reason)
    return reason


def name_of(orders: ingest.Orders) -> str:
    """What the log calls the orders; DataError where they are neither a path nor a frame."""
    if isinstance(orders, str | os.PathLike):
        return str(orders)
    kind_of(orders)
    return "a frame"


@contextmanager
def step(what: str) -> Iterator[None]:
    """Log that something begins, and how long it took."""
    log.info("%s ...", what)
    start = perf_counter()
    yield
    log.info("  %.1f s", perf_counter() - start)


def learning(
    hyperparameters: Hyperparameters,
    histories: Histories,
    as_of: int,
    execution: Execution | None = None,
    leads: LeadTable | None = None,
) -> Learning:
    """What tasks learn from: the orders until `as_of`, and whom the outlier filter keeps."""
    outliers = keep_mask(histories, hyperparameters.outlier_contamination, hyperparameters.seed)
    return Learning(
        hyperparameters, histories, as_of, outliers, execution or Execution(), leads=leads
    )


def last_day(orders: Histories) -> int:
    """The day as of which everything is known; NothingToLearn where no gap is in the data."""
    refuse_nothing_to_learn(orders)
    first, last = int(orders.day.min()), int(orders.day.max())
    if len(orders.customer_ids) < FEW_CUSTOMERS or last - first + 1 < FEW_DAYS:
        log.warning(
            "Few data: %s customers over %s days; forecasts are steadier from %s customers and "
            "%s days on.",
            *(f"{n:,}" for n in (len(orders.customer_ids), last - first + 1)),
            FEW_CUSTOMERS,
            FEW_DAYS,
        )
    return last


def refuse_nothing_to_learn(orders: Histories) -> None:
    """NothingToLearn where no gap is in the data."""
    first, last = int(orders.day.min()), int(orders.day.max())
    if first == last:
        raise NothingToLearn(
            f"all orders are of one day, {date_of(first)}: there is no gap to learn from; "
            "give transactions of several months"
        )
    if not order_gaps(orders, last).observed.any():
        raise NothingToLearn(
            f"none of the {len(orders.customer_ids):,} customers has two orders: no gap to "
            "learn from; check the customer column, or give a longer period"
        )
