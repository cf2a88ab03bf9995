"""Logs as JSON lines and counts as metrics, both on stdout, through AWS Lambda Powertools."""

from __future__ import annotations

import functools
import os

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

_SERVICE = "ordergap-pipeline"


@functools.cache
def logger() -> Logger:
    """The process's logger, configured by POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL."""
    return Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", _SERVICE))


@functools.cache
def _metrics() -> Metrics:
    return Metrics(
        namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Ordergap"),
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", _SERVICE),
    )


def publish(market: str, **counts: float) -> None:
    """Publish counts of a market, such as ``publish("uk", CustomersStored=12)``.

    See docs/decisions/infrastructure.md#alarms-on-our-own-metrics-are-over-all-markets.
    """
    metrics = _metrics()
    metrics.add_dimension("market", market)
    metrics.add_dimensions(service=str(metrics.service))
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    metrics.flush_metrics()
