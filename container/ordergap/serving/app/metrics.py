"""The counts of all workers and the model, for Prometheus."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from typing_extensions import override

from ordergap.artifacts import Bundle
from ordergap.contract.reference import Reference
from ordergap.serving.app.counts import SECONDS, Counts, Total
from ordergap.serving.app.memory import memory
from ordergap.serving.app.served import by_bin


class Metrics(Collector):
    """The content of /metrics."""

    def __init__(
        self,
        counts: Counts,
        bundle: Bundle,
        today: datetime.date,
        reference: Reference | None = None,
    ) -> None:
        self._counts, self._reference = counts, reference
        self._manifest = bundle.manifest
        self._age = (today - bundle.manifest.as_of).days
        self._stale = self._age > bundle.stale_after_days

    def write(self, accept: str | None) -> tuple[bytes, str]:
        """The metrics and their Content-Type: OpenMetrics where Accept asks for it, else text."""
        encoder, content_type = choose_encoder(accept or "")
        return encoder(self), content_type

    @override
    def collect(self) -> Iterator[Metric]:
        total = self._counts.total()
        requests = CounterMetricFamily(
            "ordergap_requests",
            "Requests answered, by path, status and the media type of the request.",
            labels=("path", "status", "form"),
        )
        for series, count in total.requests.items():
            requests.add_metric(series, count)
        yield requests
        ends = [*map(str, SECONDS), "+Inf"]
        yield HistogramMetricFamily(
            "ordergap_invocation_duration_seconds",
            "Seconds from a complete request to /invocations to its answer, waiting included.",
            buckets=list(zip(ends, accumulate(total.buckets), strict=True)),
            sum_value=total.seconds,
        )
        yield CounterMetricFamily(
            "ordergap_records", "Customers forecast by /invocations.", total.records
        )
        yield GaugeMetricFamily(
            "ordergap_requests_in_flight",
            "Requests to /invocations that are being answered.",
            total.in_flight,
        )
        yield CounterMetricFamily(
            "ordergap_requests_rejected",
            "Requests refused because the queue was full.",
            total.rejected,
        )
        yield GaugeMetricFamily(
            "ordergap_model_age_days",
            "Days from the last day of the data that the model learnt from to today, in UTC.",
            self._age,
        )
        yield GaugeMetricFamily(
            "ordergap_model_stale",
            "1 where forecasts as of today are stale, else 0: see ORDERGAP_STALE_AFTER_DAYS.",
            float(self._stale),
        )
        if last := self._manifest.data.last_day:
            yield GaugeMetricFamily(
                "ordergap_data_last_day_seconds",
                "Unix time at which the last day with an order learnt from begins, in UTC.",
                datetime.datetime.combine(last, datetime.time(), datetime.UTC).timestamp(),
            )
        yield from self._served(total)
        used, limit = memory()
        for name, meaning, value in (
            ("ordergap_memory_bytes", "Memory of the container that is in use.", used),
            ("ordergap_memory_limit_bytes", "The most memory that the container may use.", limit),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, meaning, value)
        yield InfoMetricFamily(
            "ordergap_model",
            "The model in use.",
            {
                "version": self._manifest.model_version,
                "kind": ", ".join(section.kind for section in self._manifest.tasks.values()),
                "trainer": self._manifest.hyperparameters.trainer.name,
                "learnt_until": str(self._manifest.as_of),
            },
        )

    def _served(self, total: Total) -> Iterator[Metric]:
        """Nothing where the model has no reference."""
        if self._reference is None or not self._reference.features:
            return
        labels = ("feature", "bin", "version")
        version = self._reference.model_version
        served = CounterMetricFamily(
            "ordergap_served_orders",
            "Customers forecast whose last order is of the last "
            f"{self._reference.days} days, by the bin of a feature of that order.",
            labels=labels,
        )
        learnt = GaugeMetricFamily(
            "ordergap_reference_orders", "The same of the data learnt from.", labels=labels
        )
        for feature, name, count, reference in by_bin(self._reference, total.served):
            served.add_metric((feature, name, version), count)
            learnt.add_metric((feature, name, version), reference)
        limit = GaugeMetricFamily(
            "ordergap_drift_limit",
            "By how much the stability index of served orders may exceed chance.",
            labels=("feature", "version"),
        )
        for feature, each in self._reference.features.items():
            limit.add_metric((feature, version), each.limit)
        yield from (served, learnt, limit)
