"""The training job: read → clean → split → features → mask → fit → evaluate → save."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from container import ingest
from container.artifacts import seal
from container.contract.hyperparameters import Hyperparameters
from container.contract.manifest import Manifest
from container.errors import NothingToLearn
from container.histories import Histories, date_of
from container.report.page import render
from container.targets import every_order
from container.training.evidence import contents
from container.training.fitting import fit_all, search
from container.training.split import Split, later_split, temporal_split
from container.training.words import scores_table

log = logging.getLogger("ordergap")

FEW_CUSTOMERS = 500
FEW_DAYS = 180


def train(
    hyperparameters: Hyperparameters,
    source: Path,
    model_dir: Path,
    output_data: Path | None = None,
    validation: Path | None = None,
) -> Manifest:
    """Learn from the transactions in `source` and leave a model in `model_dir`.

    output_data  where metrics.json and report.html go besides
    validation   later transactions, which are validated on and never learnt from; without them the
                 last part of the time span validates, and then the model learns from it too

    Raises UserError where the data or the hyperparameters do not do.
    """
    with _step(f"Reading {source}"):
        cleaned = ingest.read(source, hyperparameters.columns)
        log.info(ingest.describe(cleaned.report))
        hyperparameters = hyperparameters.model_copy(
            update={"date_format": cleaned.columns.date_format}  # as it was found out
        )
        orders = cleaned.histories
        as_of = _last_day(orders)
    with _step("Splitting in time"):
        split = _split(hyperparameters, orders, validation)
    with _step("Learning from the past, validating on what came after"):
        findings = search(hyperparameters, split)
        log.info(scores_table(findings))
    with _step(f"Learning from everything until {date_of(as_of)}"):
        fit = fit_all(hyperparameters, orders, as_of, findings)
        log.info("  %s", fit.outliers.note)
    with _step(f"Saving to {model_dir}"):
        metrics = findings.metrics(hyperparameters.trainer, date_of(split.cutoff)).model_dump(
            mode="json"
        )
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
        side_files = {
            "metrics.json": (json.dumps(metrics, indent=2) + "\n").encode(),
            "report.html": render(contents(bundle, orders, split, findings, fit)).encode(),
        }
        bundle.save(model_dir, side_files)
        if output_data:
            output_data.mkdir(parents=True, exist_ok=True)
            for name, content in side_files.items():
                (output_data / name).write_bytes(content)
    log.info("Model %s is ready in %s.", bundle.manifest.model_version, model_dir)
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


def _split(hyperparameters: Hyperparameters, orders: Histories, validation: Path | None) -> Split:
    if validation:
        later = ingest.read(validation, hyperparameters.columns).histories
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
