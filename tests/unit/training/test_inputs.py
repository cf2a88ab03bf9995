"""What training jobs say of their latest orders, and leave to servers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import parse
from ordergap.contract.reference import REFERENCE, Reference
from ordergap.evaluation.drift import DAYS, FEATURES

from tests.shop import shop, write_csv
from tests.trained import train

SETTINGS: dict[str, dict[str, object]] = {
    "trees": {"num_round": 6, "time_bins": 6, "eta": 0.3},
    "naive": {"trainer": "naive"},
}
ALONE = {"value": "off", "large_orders": "off", "outlier_contamination": 0}


def trained(trainer: str, folder: Path, times: float = 1.0, customers: int = 400) -> Path:
    """A model of a shop whose latest amounts are so many times as large."""
    orders = shop(customers, 300)
    latest = orders.day > orders.day.max() - DAYS
    orders = replace(orders, amount=np.where(latest, times * orders.amount, orders.amount))
    file = write_csv(orders, folder / "orders.csv")
    train(parse(SETTINGS[trainer] | ALONE), file, folder / "model")
    return folder / "model"


def test_drift_is_in_the_metrics_the_report_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = trained("trees", tmp_path, times=2)
    metrics = json.loads((folder / "metrics.json").read_text())
    found = metrics["inputs"]["features"]
    assert {*found} == {*FEATURES}
    assert found["amount"]["drifted"]
    assert not found["lines"]["drifted"]
    (warning,) = [each for each in caplog.messages if each.startswith("Inputs: ")]
    assert "drifted in amount, item_price; see whether prices, a unit or" in warning
    page = (folder / "report.html").read_text()
    assert 'id="inputs"' in page
    assert warning.removeprefix("Inputs: ") in page
    reference = Reference.model_validate_json((folder / REFERENCE).read_bytes())
    assert {*reference.features} == {*FEATURES}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["metrics"] == metrics
    assert reference.model_version == manifest["model_version"]
    assert str(reference.as_of) == manifest["as_of"]


def test_too_few_orders_are_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ordergap")
    folder = trained("naive", tmp_path, customers=30)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["inputs"]["features"] == {}
    (said,) = [each for each in caplog.messages if each.startswith("Inputs: ")]
    assert "too few, or of too few days, to tell" in said
    assert said.removeprefix("Inputs: ") in (folder / "report.html").read_text()
    assert json.loads((folder / REFERENCE).read_text())["features"] == {}


def test_the_version_of_a_model_does_not_depend_on_them(tmp_path: Path) -> None:
    manifest = Bundle.load(trained("naive", tmp_path)).manifest
    bare = {name: each for name, each in manifest.metrics.items() if name != "inputs"}
    assert len(bare) == len(manifest.metrics) - 1
    assert manifest.model_copy(update={"metrics": bare}).digest() == manifest.digest()
