"""The training job of the platform: from options, environment and /opt/ml."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ordergap.contract.hyperparameters import parse
from ordergap.errors import OrdergapError
from ordergap.files import try_writing
from ordergap.forecaster import Forecaster
from ordergap.hosts import Hosts
from ordergap.hosts.cluster import connected
from ordergap.sagemaker.opt_ml import (
    CUSTOMERS_CHANNEL,
    LEADS_CHANNEL,
    TRAINING_CHANNELS,
    VALIDATION_CHANNEL,
    Channel,
    OptMl,
)
from ordergap.settings import JobSettings
from ordergap.stopping import Stopped, Stopping
from ordergap.training.job import Job, step

log = logging.getLogger("ordergap")


def train(
    opt_ml: OptMl,
    environment: JobSettings,
    options: Mapping[str, str],
    file_path: Path | None,
    model_dir: Path,
    checkpoint_dir: Path | None,
    stopping: Stopping,
    leads_path: Path | None = None,
    customers_path: Path | None = None,
) -> None:
    """Train with the hyperparameters `options`, which go before those of the platform.

    Learns from `file_path`, leads from `leads_path` and attributes from `customers_path`, else from
    the platform's channels. Everything that can be refused without reading data is refused first.
    Being stopped is no failure, with a model or without.
    """
    hyperparameters = parse({
        **environment.hyperparameters, **opt_ml.hyperparameters(), **options
    })  # fmt: skip
    output_data = opt_ml.output_data if opt_ml.config.is_dir() else None
    try:
        with connected(
            opt_ml.hosts(),
            opt_ml.current_host(),
            environment.hosts_port,
            environment.hosts_seconds,
            stopping,
            lambda error: _end(opt_ml, error),
        ) as hosts:
            source, later = _channels(file_path, opt_ml, environment, hosts)
            outputs = environment.output_data or output_data
            if hosts.leads:
                try_writing("the model cannot be saved in", model_dir)
                if outputs:
                    try_writing("metrics and report cannot be saved in", outputs)
            customers = _beside(CUSTOMERS_CHANNEL, opt_ml, customers_path, environment.customers)
            leads = _beside(LEADS_CHANNEL, opt_ml, leads_path, environment.leads)
            job = Job(
                content_types=(source.content_type, later.content_type if later else None),
                customers_type=customers.content_type if customers else None,
                checkpoints=checkpoint_dir or opt_ml.checkpoints(),
                checkpoint_seconds=environment.checkpoint_seconds,
                stopping=stopping,
                hosts=hosts,
                metric_lines=True,
            )
            validation = later.path if later else None
            people, facts = (each.path if each else None for each in (leads, customers))
            model = Forecaster.fit(hyperparameters, source.path, validation, job, people, facts)
            _save(model, model_dir, outputs, hosts)
    except Stopped as stopped:
        log.warning("%s", stopped)


def _end(opt_ml: OptMl, error: OrdergapError) -> None:
    """End the process, which waits for a host that is lost."""
    opt_ml.fail(f"{error.kind}: {error}")
    print(f"{error.kind}: {error}", file=sys.stderr, flush=True)
    os._exit(1)


def _save(model: Forecaster, model_dir: Path, output_data: Path | None, hosts: Hosts) -> None:
    """The first host saves; the others are done."""
    version = model.manifest.model_version
    if not hosts.leads:
        log.info("Model %s is saved by %s.", version, hosts.names[0])
        return
    with step(f"Saving to {model_dir}"):
        model.save(model_dir)
        if output_data:
            model.save_report(output_data)
    log.info("Model %s is ready in %s.", version, model_dir)


def _channels(
    file_path: Path | None, opt_ml: OptMl, environment: JobSettings, hosts: Hosts
) -> tuple[Channel, Channel | None]:
    """What to learn from, and what to validate on where that is given by itself."""
    if file_path:
        return Channel(file_path), None
    elsewhere = environment.training or environment.train
    there = opt_ml.channel(*TRAINING_CHANNELS)
    if elsewhere and not there:
        source = Channel(elsewhere)
    elif hosts.size > 1 and not there:
        source = Channel(opt_ml.data / TRAINING_CHANNELS[0])  # others may have been given files
    else:
        source = opt_ml.training_channel()
    later = opt_ml.channel(VALIDATION_CHANNEL)
    if environment.validation and not later:
        later = Channel(environment.validation)
    return source, later


def _beside(name: str, opt_ml: OptMl, option: Path | None, variable: Path | None) -> Channel | None:
    """Data beside the orders, if any: by the option, else the channel, else the variable."""
    there = None if option else opt_ml.channel(name)
    elsewhere = option or variable
    return there or (Channel(elsewhere) if elsewhere else None)
