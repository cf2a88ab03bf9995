"""Write the Grafana dashboard of servers: dashboard.json beside this file.

    .venv-tools/bin/python infra/monitoring/dashboard.py

Needs grafana-foundation-sdk of requirements-tools.txt. A test fails where the file is stale.
"""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FILE = Path(__file__).with_name("dashboard.json")
_JOB = '{job="$job"}'
_INVOCATIONS = '{job="$job", path="/invocations"}'
_DURATIONS = "ordergap_invocation_duration_seconds_bucket"
_BUCKETS = f"sum by (le) (rate({_DURATIONS}{_JOB}[$__rate_interval]))"
PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "Requests for forecasts a second, by status",
        "reqps",
        {
            "{{status}}": "sum by (status) "
            f"(rate(ordergap_requests_total{_INVOCATIONS}[$__rate_interval]))"
        },
    ),
    (
        "Seconds of a request",
        "s",
        {
            "median": f"histogram_quantile(0.5, {_BUCKETS})",
            "99 %": f"histogram_quantile(0.99, {_BUCKETS})",
        },
    ),
    (
        "Customers forecast a second",
        "short",
        {"customers": f"sum(rate(ordergap_records_total{_JOB}[$__rate_interval]))"},
    ),
    (
        "Requests in flight, and refused a second",
        "short",
        {
            "in flight": f"sum(ordergap_requests_in_flight{_JOB})",
            "refused": f"sum(rate(ordergap_requests_rejected_total{_JOB}[$__rate_interval]))",
        },
    ),
    (
        "Days since the model's data, and since the last order in them",
        "d",
        {
            "model {{instance}}": f"ordergap_model_age_days{_JOB}",
            "last order {{instance}}": f"(time() - ordergap_data_last_day_seconds{_JOB}) / 86400",
        },
    ),
    (
        "Memory of a container",
        "bytes",
        {
            "{{instance}}": f"ordergap_memory_bytes{_JOB}",
            "limit {{instance}}": f"ordergap_memory_limit_bytes{_JOB}",
        },
    ),
    ("Servers that answer", "short", {"servers": f"sum(up{_JOB})"}),
    (
        "Servers by model",
        "short",
        {"{{version}}": f"count by (version) (ordergap_model_info{_JOB})"},
    ),
    (
        "How far served orders are from those learnt from: stability index less chance, and limit",
        "short",
        {
            "{{feature}}": f"ordergap:served_excess{_JOB}",
            "limit {{feature}}": f"max by (version, feature) (ordergap_drift_limit{_JOB})",
        },
    ),
    (
        "Served orders that are compared, by feature, within a day",
        "short",
        {"{{feature}}": f"sum by (feature) (ordergap:served_orders:increase1d{_JOB})"},
    ),
)
"""Title, unit and queries by legend of each panel, two in a row."""


def text() -> str:
    """The dashboard as JSON."""
    source = DataSourceRef(type_val="prometheus", uid="$source")
    built = (
        dashboard.Dashboard("Ordergap")
        .uid("ordergap")
        .refresh("1m")
        .time("now-6h", "now")
        .with_variable(dashboard.DatasourceVariable("source").type("prometheus"))
        .with_variable(dashboard.ConstantVariable("job").value("ordergap"))
    )
    for title, unit, queries in PANELS:
        panel = timeseries.Panel().title(title).unit(unit).span(12).datasource(source)
        for reference, (legend, query) in zip("AB", queries.items(), strict=False):
            target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(reference)
            panel = panel.with_target(target)
        built = built.with_panel(panel)
    return f"{JSONEncoder(sort_keys=True, indent=2).encode(built.build())}\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
