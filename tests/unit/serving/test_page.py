"""The page at / as text: what it says of the model, that it escapes it, and what it may load.

What needs a browser is in tests/integration/test_page_in_chromium.py.
"""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import parse
from ordergap.contract.manifest import Manifest
from ordergap.contract.metrics import (
    EvaluationProtocol,
    ProtocolMetrics,
    TaskMetrics,
    TrainingMetrics,
)
from ordergap.contract.tasks import prediction_model
from ordergap.evaluation.gaps import METRICS
from ordergap.forecaster import Forecaster
from ordergap.serving.app.application import create_app
from ordergap.serving.pages.openapi import describe
from ordergap.serving.pages.page import field_titles, render
from ordergap.settings import Settings
from pydantic import BaseModel, Field

GOOD, WORSE = 12.25, 19.75


@pytest.fixture(scope="module")
def manifest(bundle: Bundle) -> Manifest:
    """Of a model that was validated."""
    scores = {"model": {"capped_mae": GOOD}, "naive": {"capped_mae": WORSE, "auc_30": None}}
    task = TaskMetrics(
        chosen={"rounds": 85, "calendar": False},
        definitions=METRICS,
        protocols={each: ProtocolMetrics(cap=60, scores=scores) for each in EvaluationProtocol},
    )
    metrics = TrainingMetrics(
        trainer="xgboost",
        validated_after=bundle.manifest.first_day,
        tasks={"next_order": task},
    )
    return bundle.manifest.model_copy(update={"metrics": metrics.model_dump(mode="json")})


class Texts(HTMLParser):
    """The texts of a page, and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_of(manifest: Manifest, *, has_report: bool = True) -> str:
    return render(manifest, Settings(), has_report=has_report)[0].decode()


def text_of(manifest: Manifest) -> str:
    return " ".join(" ".join(Texts(page_of(manifest)).texts).split())


def with_data(manifest: Manifest, **changes: Any) -> Manifest:
    return manifest.model_copy(update={"data": manifest.data.model_copy(update=changes)})


def test_it_says_what_model_this_is_and_how_good(manifest: Manifest) -> None:
    text = text_of(with_data(manifest, customers=4338, orders=18532))
    assert "18,532 orders of 4,338 customers, 2010-12-01 to 2011-12-01" in text
    assert "At cutoff, capped at 60 days" in text
    assert "off by 12 days on average (a customer's own average gap: 20) right after" in text
    for error in (GOOD, WORSE):
        assert f"{error:.2f}" in text
    for word in (manifest.model_version, "xgboost", "checksum", "85 rounds, no calendar features"):
        assert word in text


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({}, "no metrics that this version can read"),
        ({"tasks": {"next_order": {"chosen": 3}}}, "no metrics that this version can read"),
        (
            {"trainer": "lstm", "validated_after": "2011-01-01", "tasks": {"next_order": {}}},
            "Not judged yet",
        ),
    ],
)
def test_a_model_without_metrics_has_a_page(
    manifest: Manifest, metrics: dict[str, Any], words: str
) -> None:
    assert words in text_of(manifest.model_copy(update={"metrics": metrics}))


def test_what_is_not_answered_is_said_with_the_reason(manifest: Manifest) -> None:
    assert "Not answered" not in text_of(manifest)
    why = {"next_order": "it is <worse>", "large_order": "large_orders is off"}
    text = text_of(manifest.model_copy(update={"unanswered": why}))
    assert "Not answered: it is <worse>." in text, "beside how good it is"
    assert "Not answered: large order large_orders is off" in text, "in the model card"
    described = json.loads(describe(manifest.model_copy(update={"unanswered": why}), Settings()))[
        "info"
    ]["description"]
    assert "Not answered, next order: it is <worse>. Not answered, large order:" in described


def test_what_the_manifest_says_is_text(manifest: Manifest) -> None:
    script = "<script>alert(1)</script>"
    section = manifest.tasks["next_order"].model_copy(update={"kind": '"><img src=x>'})
    tasks = {"next_order": section}
    update = {"model_version": script, "tasks": tasks, "data_digest": script}
    tags = Texts(page_of(manifest.model_copy(update=update))).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert "img" not in [tag for tag, _ in tags]


def test_its_own_style_and_script_may_run_and_nothing_else(manifest: Manifest) -> None:
    content, policy = render(manifest, Settings(), has_report=True)
    page = content.decode()
    allowed = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert allowed[directive] == f"'sha256-{digest}'"
    assert allowed["default-src"] == "'none'"
    assert "unsafe" not in policy
    for _, attributes in Texts(page).tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert not re.findall(r"(?:src|href|action)=\"?(?:https?:)?//", page)


def test_the_models_own_level_is_chosen(manifest: Manifest) -> None:
    own = manifest.hyperparameters.model_copy(update={"interval_level": 0.6})
    page = page_of(manifest.model_copy(update={"hyperparameters": own}))
    assert re.findall(r'<option value="([\d.]+)" selected>(.*?)<', page) == [("0.6", "60\u00a0%")]


def script_data(manifest: Manifest) -> dict[str, Any]:
    """What the page's script reads."""
    tags = Texts(page_of(manifest)).tags
    (text,) = [attributes["data-model"] for _, attributes in tags if "data-model" in attributes]
    content = json.loads(text or "")
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize(
    ("orders", "revenue", "amount"), [(0, 0.0, 50), (20, 20 * 37.0, 37), (20, None, None)]
)
def test_the_example_is_of_the_models_kind(
    manifest: Manifest, orders: int, revenue: float | None, amount: int | None
) -> None:
    data = script_data(with_data(manifest, orders=orders, revenue=revenue))
    assert data["amount"] == amount
    assert 6 * data["gap"] < (manifest.as_of - manifest.first_day).days


def test_the_page_names_the_columns_of_the_model_and_the_limit_of_the_server(
    manifest: Manifest,
) -> None:
    columns = manifest.hyperparameters.columns.model_copy(update={"amount_column": "Total <€>"})
    own = manifest.hyperparameters.model_copy(update={"columns": columns})
    changed = manifest.model_copy(update={"hyperparameters": own})
    page = render(changed, Settings(max_body_mb=7), has_report=False)[0].decode()
    text = " ".join(" ".join(Texts(page).texts).split())
    assert "a header that names CustomerID, InvoiceDate, Total <€>. At most 7 MiB" in text
    assert "CustomerID, InvoiceDate, Quantity, UnitPrice." in text_of(manifest)
    assert "One a line, as 2011-01-04, 96.5." in text_of(manifest)
    without = text_of(with_data(manifest, revenue=None))
    assert "a header that names CustomerID, InvoiceDate. At most" in without
    assert "One a line, as 2011-01-04. " in without


def test_fields_are_there_for_what_the_model_reads_and_for_nothing_else(
    manifest: Manifest,
) -> None:
    def named(manifest: Manifest, attribute: str) -> list[str | None]:
        tags = Texts(page_of(manifest)).tags
        return [each[attribute] for _, each in tags if attribute in each]

    assert named(manifest, "data-attribute") == named(manifest, "data-values") == []
    words = {
        "numeric_attributes": "birth_year", "category_attributes": '"><blink>, region',
        "hashed_columns": "StockCode, Promo",
    }  # fmt: skip
    changed = manifest.model_copy(update={"hyperparameters": parse(words)})
    assert named(changed, "data-attribute") == ["birth_year", '"><blink>', "region"]
    assert named(changed, "data-values") == ["StockCode", "Promo"]
    assert "blink" not in [tag for tag, _ in Texts(page_of(changed)).tags]
    assert "UnitPrice, StockCode, Promo. At most" in text_of(changed)


def test_every_field_of_a_prediction_has_a_title(manifest: Manifest) -> None:
    titles = script_data(manifest)["titles"]
    assert set(titles) == set(prediction_model(manifest.tasks).model_fields)
    assert titles["order_count"] == "Order count"


def test_a_field_is_called_by_its_title_its_description_or_its_name() -> None:
    class Value(BaseModel):
        expected_value: float = Field(title="Expected value, EUR", description="In a year.")
        gini: float = Field(description="Inequality of the customers' values")
        order_items: float

    assert list(field_titles(Value).values()) == [
        "Expected value, EUR", "Inequality of the customers' values", "Order items",
    ]  # fmt: skip


def test_a_model_without_a_report_has_no_link_to_one(bundle: Bundle, client: FlaskClient) -> None:
    assert client.get("/report").status_code == 404
    assert 'href="report"' not in client.get("/").text
    named = b"<!-- customers -->17850<!-- /customers -->"  # whom the server does not name to all
    model = Forecaster(bundle, b"<p>The report" + named)
    beside = create_app(model, Settings(), lambda: bundle.manifest.as_of).test_client()
    assert 'href="report"' in beside.get("/").text
    answer = beside.get("/report")
    assert answer.text.startswith("<p>The report")
    assert "17850" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_pages_are_not_framed_sniffed_or_named_to_other_sites(client: FlaskClient) -> None:
    headers = client.get("/").headers
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
