"""The page at /: what model this is, how good it is, and a form to ask it, in one HTML file.

It needs nothing from elsewhere. Its style is the report's with what a form needs besides; its
script draws what /invocations answers. Both may run because the policy names their digests.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from html import escape
from importlib import resources

from pydantic import ValidationError

from ordergap.contract.manifest import Manifest
from ordergap.contract.metrics import TrainingMetrics
from ordergap.report.contents import Judged, Metrics
from ordergap.report.markup import fixed, paragraph, percent, terms, upper
from ordergap.report.page import verdict
from ordergap.report.scores import METRICS, metrics_table
from ordergap.report.sections import STATUSES

LEVELS = (0.5, 0.8, 0.9, 0.95)


def render(manifest: Manifest, *, has_report: bool) -> tuple[bytes, str]:
    """The page and its Content-Security-Policy."""
    style = _asset("ordergap.report", "style.css") + _asset(__package__, "page.css")
    script = _asset(__package__, "chart.js") + _asset(__package__, "page.js")
    links = {"report": "The model's report"} if has_report else {}
    links |= {"openapi.json": "OpenAPI", "metrics": "Metrics"}
    listed = "".join(f'<li><a href="{path}">{name}</a></li>' for path, name in links.items())
    metrics = _metrics(manifest)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Model {escape(manifest.model_version)} · Ordergap</title>
<link rel="icon" href="favicon.ico">
<style>{style}</style>
</head>
<body class="front">
<header>
<p class="brand">Ordergap</p>
<h1>When will a customer buy next?</h1>
{paragraph(_introduction(manifest), "verdict")}
</header>
<main>
<section id="ask" aria-labelledby="ask-title">
<h2 id="ask-title">Ask the model</h2>
<div class="desk">
{_form(manifest)}
<div id="answer"><p class="absent">The forecast will be drawn here.</p></div>
</div>
<p id="said" class="unseen" role="status"></p>
</section>
<section id="quality"><h2>How good it is</h2>
{_quality(metrics)}
</section>
<section id="model"><h2>The model</h2>
{terms(_card(manifest, metrics), "card")}
</section>
</main>
<footer><nav aria-label="More"><ul>{listed}</ul></nav></footer>
<script>{script}</script>
</body>
</html>
"""
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    return page.encode(), policy


def _form(manifest: Manifest) -> str:
    settings, data = manifest.hyperparameters, manifest.data
    levels = sorted({*LEVELS, settings.interval_level})
    options = "".join(
        f'<option value="{level}"{" selected" if level == settings.interval_level else ""}>'
        f"{percent(level)}</option>"
        for level in levels
    )
    told = {
        "horizons": ",".join(map(str, settings.horizons)),
        "furthest": settings.max_horizon_days,
        # An example of a usual customer: the gap in the middle of the grid's body, the mean amount.
        "gap": round(manifest.time_grid[len(manifest.time_grid) // 3]),
        "amount": round(data.revenue / data.orders) if data.orders else 50,
        **STATUSES,
    }
    attributes = " ".join(f'data-{name}="{escape(str(value))}"' for name, value in told.items())
    return f"""<form id="form" novalidate {attributes}>
<label for="orders">Orders of one customer</label>
<p class="hint" id="orders-hint">A line for each, as 2011-01-04, 96.5. Or a request in JSON.</p>
<textarea id="orders" rows="8" spellcheck="false" autocomplete="off"
 aria-describedby="orders-hint"></textarea>
<div class="pair">
<div><label for="as-of">As of</label><input id="as-of" type="date"></div>
<div><label for="level">Interval</label><select id="level">{options}</select></div>
</div>
<div class="pair"><button type="submit">Forecast</button>
<button type="button" id="example" class="quiet">Example</button></div>
<div id="problems" role="alert"></div>
<noscript><p class="problem">The form needs JavaScript; the server does not: send it a POST to
/invocations.</p></noscript>
</form>"""


def _introduction(manifest: Manifest) -> str:
    data = manifest.data
    return (
        f"This model learnt from {fixed(data.orders)} orders of {fixed(data.customers)} customers, "
        f"{manifest.first_day} to {manifest.as_of}. Give it the orders of one customer."
    )


def _card(manifest: Manifest, metrics: TrainingMetrics | None) -> list[tuple[str, str]]:
    pairs = [
        ("Version", manifest.model_version),
        ("Trainer", manifest.hyperparameters.trainer),
        ("Kind of model", manifest.model_kind),
        ("Learnt from", f"{manifest.first_day} to {manifest.as_of}"),
    ]
    if metrics:
        found = ", ".join(f"{name} {_setting(value)}" for name, value in metrics.found.items())
        pairs += [
            ("Validated after", str(metrics.validated_after)),
            ("Settled on the validation", found or "nothing to search"),
        ]
    return [
        *pairs,
        ("Features", str(len(manifest.feature_names))),
        ("Data", f"sha256 {manifest.data_digest[:12]}"),
    ]


def _setting(value: bool | float) -> str:
    """A switch as a word, a number in as few digits as it has."""
    return ("off", "on")[value] if isinstance(value, bool) else f"{value:g}"


def _metrics(manifest: Manifest) -> TrainingMetrics | None:
    """The manifest's metrics; None where they are of another version."""
    try:
        return TrainingMetrics.model_validate(manifest.metrics)
    except ValidationError:
        return None


def _quality(metrics: TrainingMetrics | None) -> str:
    """The model beside the naive baseline, by protocol."""
    if metrics is None:
        return paragraph("The manifest has no metrics that this version can read.")
    judged = {
        protocol: Judged(
            metrics.caps.get(protocol, math.nan),
            {"model": _numbers(ours), **{name: _numbers(each) for name, each in others.items()}},
        )
        for protocol, models in metrics.validation.items()
        if (ours := (others := dict(models)).pop(metrics.trainer, None))
    }
    tables = [
        metrics_table(f"{upper(protocol)}, capped at {fixed(each.cap)} days", each.metrics)
        for protocol, each in judged.items()
    ]
    if tables:
        meanings = terms([(each.title, each.meaning) for each in METRICS.values()], "meanings")
        tables.append(f"<details><summary>What the columns mean</summary>{meanings}</details>")
    return paragraph(verdict(judged)) + "".join(tables)


def _numbers(metrics: Mapping[str, float | None]) -> Metrics:
    return {name: math.nan if value is None else value for name, value in metrics.items()}


def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The name of an inline script or style in a Content-Security-Policy."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
