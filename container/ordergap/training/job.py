"""The training job: read → clean → split → features → mask → fit → evaluate → save."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from pydantic import JsonValue

from ordergap import ingest
from ordergap.artifacts import libraries, seal
from ordergap.checkpoints import ALONE, EVERY, Checkpoints, Progress, Shared
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import Manifest
from ordergap.errors import NothingToLearn, UserError
from ordergap.histories import Histories, date_of
from ordergap.hosts import ALONE as THIS_HOST
from ordergap.hosts import Hosts
from ordergap.report.page import render
from ordergap.survival.targets import every_order
from ordergap.trainers.factory import make_trainer
from ordergap.training import sharing
from ordergap.training.console import metric_lines, scores_table
from ordergap.training.fitting import fit_all, search
from ordergap.training.report_data import contents
from ordergap.training.split import Split, later_split, temporal_split

log = logging.getLogger("ordergap")

FEW_CUSTOMERS = 500
FEW_DAYS = 180
BUDGETS = {"xgboost": "num_round", "lstm": "epochs"}
"""Trainer -> the hyperparameter that says for how long it learns at most, and nothing else."""

ContentTypes = tuple[str | None, str | None]


def train(
    hyperparameters: Hyperparameters,
    source: Path,
    model_dir: Path,
    output_data: Path | None = None,
    validation: Path | None = None,
    *,
    content_types: ContentTypes = (None, None),
    checkpoints: Path | None = None,
    checkpoint_seconds: float = EVERY,
    stopping: Callable[[], bool] = ALONE.stopping,
    hosts: Hosts = THIS_HOST,
) -> Manifest:
    """Learn from the transactions in `source` and leave a model in `model_dir`.

    output_data    where metrics.json and report.html go besides
    validation     later transactions, which are validated on and never learnt from; without them
                   the last part of the time span validates, and then the model learns from it too
    content_types  of `source` and of `validation`; None: as the files look
    checkpoints    folder from which a killed job goes on, and where it keeps how far it came, at
                   least `checkpoint_seconds` apart
    stopping       whether the job was told to stop; then the best model so far is kept, which has
                   not learnt from what it was validated on
    hosts          the machines that train together; each has its own share of `source` and
                   `validation`, and the first alone writes

    Raises UserError where the data, the hyperparameters or the checkpoints do not do, and Stopped
    where there was no model yet when it was told to stop.
    """
    make_trainer(hyperparameters, calendar=False)  # which refuses what this machine can not do
    progress = Progress(lambda: hosts.any(stopping()), hosts=hosts)
    with _step(f"Reading {source}"):
        _refuse_different_jobs(hosts, hyperparameters)
        cleaned = sharing.read(hosts, source, hyperparameters.columns, content_types[0])
        log.info(ingest.describe(cleaned.report))
        hyperparameters = hyperparameters.model_copy(
            update={"date_format": cleaned.columns.date_format}  # as it was found out
        )
        orders = cleaned.histories
        as_of = _last_day(orders)
    with _step("Splitting in time"):
        progress.proceed()
        split = _split(hosts, hyperparameters, orders, validation, content_types[1])
        kept = None
        if checkpoints and hosts.leads:
            job = _identity(hyperparameters, split, orders)
            kept = Checkpoints(checkpoints, job, checkpoint_seconds)
        progress = replace(progress, checkpoints=_known_to_all(hosts, kept))
    with _step("Learning from the past, validating on what came after"):
        findings = search(hyperparameters, split, progress)
        for line in (scores_table(findings), *metric_lines(findings)) if hosts.leads else ():
            log.info(line)
    with _step(f"Learning from everything until {date_of(as_of)}"):
        fit = fit_all(hyperparameters, orders, as_of, findings, progress)
        log.info("  %s", fit.outliers.note)
    if stopped_early := fit is findings.past:
        log.warning(
            "Stopped early: the model that is kept learnt from the orders until %s alone.",
            date_of(split.cutoff),
        )
    with _step(
        f"Saving to {model_dir}" if hosts.leads else f"Leaving the model to {hosts.names[0]}"
    ):
        metrics = findings.metrics(
            hyperparameters.trainer, date_of(split.cutoff), stopped_early=stopped_early
        ).model_dump(mode="json")
        bundle = seal(
            fit.model,
            hyperparameters=hyperparameters,
            interval_levels=findings.interval_levels,
            first_day=date_of(int(orders.day.min())),
            as_of=date_of(as_of),
            data_digest=orders.digest(),
            data=cleaned.report,
            metrics=metrics,
        )
        version = bundle.manifest.model_version
        if {*hosts.gather(version.encode())} != {version.encode()}:
            log.warning("The hosts came to different models; the one of %s counts.", hosts.names[0])
        if not hosts.leads:
            log.info("Model %s is saved by %s.", version, hosts.names[0])
            return bundle.manifest
        side_files = {
            "metrics.json": (json.dumps(metrics, indent=2) + "\n").encode(),
            "report.html": render(contents(bundle, orders, split, findings, fit)).encode(),
        }
        bundle.save(model_dir, side_files)
        if output_data:
            output_data.mkdir(parents=True, exist_ok=True)
            for name, content in side_files.items():
                (output_data / name).write_bytes(content)
    log.info("Model %s is ready in %s.", version, model_dir)
    return bundle.manifest


@contextmanager
def _step(what: str) -> Iterator[None]:
    log.info("%s ...", what)
    start = perf_counter()
    yield
    log.info("  %.1f s", perf_counter() - start)


def _last_day(orders: Histories) -> int:
    """The day as of which everything is known; NothingToLearn where no gap is in the data."""
    first, last = int(orders.day.min()), int(orders.day.max())
    if first == last:
        raise NothingToLearn(
            f"all orders are of one day, {date_of(first)}: there is no gap to learn from; "
            "give transactions of several months"
        )
    if not every_order(orders, last).observed.any():
        raise NothingToLearn(
            f"none of the {len(orders.customer_ids):,} customers has two orders: no gap to "
            "learn from; check the customer column, or give a longer period"
        )
    if len(orders.customer_ids) < FEW_CUSTOMERS or last - first + 1 < FEW_DAYS:
        log.warning(
            "Few data: %s customers over %s days; forecasts are steadier from %s customers and "
            "%s days on.",
            *(f"{n:,}" for n in (len(orders.customer_ids), last - first + 1)),
            FEW_CUSTOMERS,
            FEW_DAYS,
        )
    return last


def _identity(
    hyperparameters: Hyperparameters, split: Split, orders: Histories
) -> dict[str, JsonValue]:
    """What a checkpoint must be of; with a larger budget of steps the job goes on from it."""
    budget = BUDGETS.get(hyperparameters.trainer, "")
    told = hyperparameters.model_dump(mode="json", by_alias=True, exclude={budget})
    return told | {
        "data": orders.digest()[:16],
        "validation data": split.whole.digest()[:16],
        "libraries": libraries(),
    }


def _refuse_different_jobs(hosts: Hosts, hyperparameters: Hyperparameters) -> None:
    told = hosts.gather(json.dumps([hyperparameters.model_dump_json(), libraries()]).encode())
    for name, other in zip(hosts.names, told, strict=True):
        if other != told[0]:
            raise UserError(
                f"hosts {hosts.names[0]} and {name} were given different hyperparameters or have "
                "different libraries: run the same image with the same hyperparameters on all"
            )


def _known_to_all(hosts: Hosts, kept: Checkpoints | None) -> Checkpoints | None:
    """The checkpoints that the first host keeps, from which all hosts go on."""
    content = hosts.gather(kept.written() if kept else b"")[0]
    return kept or (Shared(content) if content else None)


def _split(
    hosts: Hosts,
    hyperparameters: Hyperparameters,
    orders: Histories,
    validation: Path | None,
    content_type: str | None,
) -> Split:
    if hosts.any(validation is not None):
        later = sharing.read(hosts, validation, hyperparameters.columns, content_type).histories
        split = later_split(orders, later)
    else:
        split = temporal_split(orders, hyperparameters.validation_fraction)
    log.info(
        "  learning until %s from %s orders; validating until %s on %s orders and %s customers",
        date_of(split.cutoff),
        f"{len(split.learn):,}",
        date_of(split.as_of),
        *(f"{len(targets):,}" for targets in (split.orders, split.waits)),
    )
    return split
