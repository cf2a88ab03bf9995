"""The page at /: a customer's forecast, a file's customers ranked, and how good the model is.

It is one HTML file and loads nothing else. Its script sends /invocations what its forms have and
shows the answer; script and style may run because the Content-Security-Policy has their digests.

See docs/decisions/serving.md#the-page-uses-the-public-interface.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from markupsafe import Markup
from pydantic import BaseModel, ValidationError

from ordergap.contract.manifest import Manifest
from ordergap.contract.metrics import TrainingMetrics
from ordergap.contract.orders import BLANK, NOBODY, DataReport
from ordergap.contract.prediction import LAPSED_WITHIN, Status
from ordergap.contract.tasks import prediction_model
from ordergap.leads.features import FEATURES, LeadFeatures
from ordergap.models.lead_forecasts import FIRST_ORDER
from ordergap.models.population import Population
from ordergap.report.environment import environment
from ordergap.report.numbers import described, upper
from ordergap.scoring.cells import FORMULA
from ordergap.scoring.options import Options
from ordergap.settings import Settings

LEVELS = (0.5, 0.8, 0.9, 0.95)
SCRIPTS = ("chart.js", "fields.js", "page.js", "list.js")
EXAMPLE_GAPS = 8  # at least as many fit into the model's data, so that six orders lie inside


def render(manifest: Manifest, settings: Settings, *, has_report: bool) -> tuple[bytes, str]:
    """The page and its Content-Security-Policy."""
    style = _asset("ordergap.report", "style.css") + _asset(__package__, "page.css")
    script = "".join(_asset(__package__, name) for name in SCRIPTS)
    metrics = _metrics(manifest)
    own_level = manifest.hyperparameters.interval_level
    page = (
        environment(__package__)
        .get_template("page.html")
        .render(
            manifest=manifest,
            style=Markup(style),  # noqa: S704 - a file of this package
            script=Markup(script),  # noqa: S704 - a file of this package
            script_data=_script_data(manifest, settings),
            columns=_columns(manifest),
            facts=_facts(manifest),
            hashed=manifest.hyperparameters.columns.hashed_columns,
            limit=settings.max_body >> 20,
            levels=sorted({*LEVELS, own_level}),
            own_level=own_level,
            metrics=metrics,
            card=_card(manifest, metrics),
            links={
                **({"report": "The model's report"} if has_report else {}),
                "openapi.json": "OpenAPI",
                "metrics": "Metrics",
            },
        )
    )
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    return page.encode(), policy


def field_titles(prediction: type[BaseModel]) -> dict[str, str]:
    """Field of a prediction -> what the page calls it."""
    return {
        name: field.title or field.description or upper(name.replace("_", " "))
        for name, field in prediction.model_fields.items()
    }


def _script_data(manifest: Manifest, settings: Settings) -> dict[str, object]:
    """What the script needs to know of the model and of the server."""
    asked, data = manifest.hyperparameters, manifest.data
    days = (manifest.as_of - manifest.first_day).days + 1
    gap = days * data.customers / data.orders if data.orders else 30
    own = Options().decided(manifest, value=True)
    population = Population.parse(manifest.tasks["next_order"].parameters["population"])
    return {
        "firstDay": str(manifest.first_day),
        "asOf": str(manifest.as_of),
        "warnAfter": LAPSED_WITHIN,
        "staleAfter": settings.stale_after_days,
        "horizons": asked.horizons,
        "valueHorizons": own.value_horizons,
        "largeThresholds": own.large_thresholds,
        "maxHorizon": asked.max_horizon_days,
        "average": population.average,
        "weeklyError": population.weekly_error,
        "statuses": {status: status.meaning for status in Status},
        "titles": field_titles(prediction_model(manifest.tasks)),
        # The example: the days between orders, were they spread evenly, and the mean amount.
        "gap": max(1, round(min(gap, days / EXAMPLE_GAPS))),
        "amount": _mean_amount(data),
        "customerColumn": asked.columns.customer_column,
        "dateColumn": asked.columns.date_column,
        "dateOrder": data.conventions.date_order or asked.columns.date_format,
        "nobody": [*BLANK, *NOBODY, *(word.lower() for word in asked.columns.no_customer_words)],
        "leadKinds": _lead_kinds(manifest),
        "formula": FORMULA,
        "maxBody": settings.max_body,
    }


def _lead_kinds(manifest: Manifest) -> list[str]:
    """Kinds of events that leads were learnt from, at most ten; none without leads."""
    section = manifest.tasks.get(FIRST_ORDER)
    return [*LeadFeatures.parse(section.parameters[FEATURES]).kinds[:10]] if section else []


def _mean_amount(data: DataReport) -> int | None:
    """Of the example's orders; None where amounts are unknown."""
    if data.revenue is None:
        return None
    return round(data.revenue / data.orders) if data.orders else 50


def _columns(manifest: Manifest) -> list[str]:
    """The names that the header of a file of order lines must have."""
    columns = manifest.hyperparameters.columns
    names = [columns.customer_column, columns.date_column, *manifest.amount_columns]
    return [*dict.fromkeys([*names, *columns.hashed_columns])]


def _facts(manifest: Manifest) -> dict[str, str]:
    """Attribute of a customer that the model reads -> how a phone's keyboard helps to write it."""
    asked = manifest.hyperparameters
    numbers = dict.fromkeys(asked.numeric_attributes, "decimal")
    return numbers | dict.fromkeys(asked.category_attributes, "text")


def _card(manifest: Manifest, metrics: TrainingMetrics | None) -> list[tuple[str, str]]:
    pairs = [
        ("Version", manifest.model_version),
        ("Trainer", manifest.hyperparameters.trainer.name),
        ("Kind of model", ", ".join(section.kind for section in manifest.tasks.values())),
        ("Trained on", f"{manifest.first_day} to {manifest.as_of}"),
    ]
    if metrics:
        choices = "; ".join(described(task.chosen) for task in metrics.tasks.values())
        pairs += [
            ("Validated after", str(metrics.validated_after)),
            ("Chosen on validation", choices or "nothing"),
        ]
    return [
        *pairs,
        *((f"Not answered: {name}", why) for name, why in manifest.not_answered.items()),
        ("Features", str(len(manifest.feature_names))),
        ("Data", f"sha256 {manifest.data_digest[:12]}"),
    ]


def _metrics(manifest: Manifest) -> TrainingMetrics | None:
    """The manifest's metrics; None where another version wrote them."""
    try:
        return TrainingMetrics.model_validate(manifest.metrics)
    except ValidationError:
        return None


def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The source of an inline script or style in a Content-Security-Policy."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
