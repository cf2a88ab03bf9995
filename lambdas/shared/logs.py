"""Logs as JSON lines and counts as metrics, both on stdout, through AWS Lambda Powertools."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from ordergap.errors import OrdergapError

_SERVICE = "ordergap-pipeline"
Handler = Callable[[object, LambdaContext], dict[str, object]]


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
    """Publish counts of a market, such as ``publish("uk", CustomersStored=12)``."""
    metrics = _metrics()
    metrics.add_dimension("market", market)
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    metrics.flush_metrics()


def observed(handle: Handler) -> Handler:
    """The handler, with request, run and market in each of its log messages.

    An OrdergapError is logged as its message, any other error with its stack; both are raised.
    """

    @functools.wraps(handle)
    def observe(event: object, context: LambdaContext) -> dict[str, object]:
        @logger().inject_lambda_context(clear_state=True)
        def run(event: object, context: LambdaContext) -> dict[str, object]:
            if isinstance(event, Mapping):  # it is not validated yet
                keys = {key: str(event[key])[:100] for key in ("run_id", "market") if key in event}
                logger().append_keys(**keys)
            try:
                return handle(event, context)
            except OrdergapError as error:
                logger().error(str(error), extra={"error": type(error).__name__})
                raise
            except Exception:
                logger().exception("unexpected error")
                raise

        answer: dict[str, object] = run(event, context)
        return answer

    return observe
