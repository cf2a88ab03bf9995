"""One list of promises that every trainer keeps, and that every hyperparameter is heard."""

import functools
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ordergap import features
from ordergap.artifacts import Bundle
from ordergap.contract.attributes import AttributeParameters
from ordergap.contract.hashed import HashedColumns
from ordergap.contract.hyperparameters import NAMES, parse
from ordergap.contract.orders import Columns
from ordergap.errors import InvalidHyperparameters, InvalidRequest
from ordergap.evaluation.gaps import outcomes
from ordergap.evaluation.metrics import brier, event_within
from ordergap.histories import Histories
from ordergap.ingest import read
from ordergap.survival.targets import gaps_at_order, waits_at_cutoff

from tests.shop import shop, write_csv
from tests.trained import head, judge, train

pytestmark = pytest.mark.xdist_group("every trainer")  # they share models

SMALL = {
    "num_round": 40,
    "eta": 0.2,
    "epochs": 12,
    "hidden_size": 16,
    "time_bins": 12,
    "sequence_length": 6,
    "value": "off",
    "large_orders": "off",
}
TRAINERS = {
    "hazard": {"trainer": "xgboost"},
    "aft": {"trainer": "xgboost", "objective": "aft"},
    "squared-error": {"trainer": "xgboost", "objective": "squared-error"},
    "random-forest": {"trainer": "random-forest"},
    "lstm": {"trainer": "lstm"},
    "naive": {"trainer": "naive"},
}
LEARN_DAYS = 240

READ_IN_A_FRESH_PROCESS = """
import json, sys
from pathlib import Path
from ordergap.artifacts import Bundle
from ordergap.ingest import read
bundle = Bundle.load(Path(sys.argv[1]))
orders = read(Path(sys.argv[2]), bundle.manifest.hyperparameters.columns).histories
print(json.dumps(bundle.forecast(orders, int(orders.day.max())).records()))
"""

every_trainer = pytest.mark.parametrize("settings", TRAINERS.values(), ids=list(TRAINERS))


@pytest.fixture(scope="module")
def whole() -> Histories:
    return shop()


@pytest.fixture(scope="module")
def file(whole: Histories, tmp_path_factory: pytest.TempPathFactory) -> Path:
    past = whole.until(int(whole.day.min()) + LEARN_DAYS)
    return write_csv(past, tmp_path_factory.mktemp("shop") / "orders.csv")


def made(file: Path, folder: Path, settings: dict[str, object]) -> Bundle:
    train(parse(SMALL | settings), file, folder)
    return Bundle.load(folder)


Make = Callable[[dict[str, object]], Path]


@pytest.fixture(scope="module")
def make(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The folder with the model of some settings, which is trained once."""

    @functools.cache
    def folder(settings: str) -> Path:
        place = tmp_path_factory.mktemp("model")
        made(file, place, json.loads(settings))
        return place

    return lambda settings: folder(json.dumps(settings, sort_keys=True))


@every_trainer
def test_gives_reasons_or_says_that_it_has_none(
    settings: dict[str, object], whole: Histories, make: Make
) -> None:
    bundle, day = Bundle.load(make(settings)), int(whole.day.max())
    asked = replace(bundle.options, explain=3)
    if settings["trainer"] in {"lstm", "naive"}:
        with pytest.raises(InvalidRequest, match="leave explain out, or train with"):
            bundle.forecast(whole, day, asked)
        return
    records = bundle.forecast(whole, day, asked).records()
    reasons = [record.pop("reasons") for record in records]
    assert all(isinstance(each, list) and 1 <= len(each) <= 3 for each in reasons)
    assert bundle.forecast(whole, day).records() == records


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@every_trainer
def test_foresees_later_orders_better_than_chance(
    settings: dict[str, object], whole: Histories, make: Make
) -> None:
    bundle = Bundle.load(make(settings))
    cutoff, end = int(whole.day.min()) + LEARN_DAYS, int(whole.day.max())
    matrix = features.compute(whole, bundle.manifest.feature_names)
    orders, waits = gaps_at_order(whole, cutoff, end), waits_at_cutoff(whole, cutoff, end)
    judged = judge(head(bundle).model.survival(matrix[orders.row]), orders, 0.8, cap=60)
    assert judged["concordance"] > 0.7
    seen = outcomes(waits)
    rows, event = event_within(seen.gap, seen.observed, seen.follow_up, 30)
    curve = head(bundle).model.survival(matrix[waits.row])
    foreseen = brier(curve.probability_within(30, waits.left_truncation)[rows], event[rows])
    constant = brier(np.full(int(rows.sum()), event[rows].mean()), event[rows])
    assert foreseen < constant


@every_trainer
def test_answers_the_same_from_a_fresh_process(
    settings: dict[str, object], file: Path, make: Make
) -> None:
    answered = subprocess.run(
        [sys.executable, "-c", READ_IN_A_FRESH_PROCESS, make(settings), file],
        check=True, capture_output=True, text=True, env={"PYTHONPATH": "."},
    ).stdout  # fmt: skip
    bundle = Bundle.load(make(settings))
    orders = read(file, bundle.manifest.hyperparameters.columns).histories
    here = json.dumps(bundle.forecast(orders, int(orders.day.max())).records())
    assert answered.splitlines() == [here]
    assert bundle.manifest.model_version in answered


@every_trainer
def test_the_same_seed_makes_the_same_bytes(
    settings: dict[str, object], file: Path, tmp_path: Path, make: Make
) -> None:
    made(file, tmp_path, settings)
    assert digests(tmp_path) == digests(make(settings))


@every_trainer
def test_forecasts_every_customer_outliers_and_single_orders_included(
    settings: dict[str, object], whole: Histories, file: Path, tmp_path: Path
) -> None:
    bundle = made(file, tmp_path, settings | {"outlier_contamination": 0.2})
    records = bundle.forecast(whole, int(whole.day.max())).records()
    assert [record["customer_id"] for record in records] == whole.customer_ids
    assert {0, 1} & {record["order_count"] for record in records} == {1}


@every_trainer
def test_the_model_holds_no_customers_but_in_its_report_and_no_pickle(
    settings: dict[str, object], whole: Histories, make: Make
) -> None:
    for path in (path for path in make(settings).rglob("*") if path.is_file()):
        content = path.read_bytes()
        named = any(customer.encode() in content for customer in whole.customer_ids)
        assert not named or path.name == "report.html"
        assert content[:2] not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # pickles


def test_an_unknown_trainer_is_refused_naming_the_known() -> None:
    with pytest.raises(InvalidHyperparameters, match=r"xgboost.*lstm.*random-forest.*naive"):
        parse({"trainer": "catboost"})


TREES: dict[str, object] = {"trainer": "xgboost"}
NETWORK: dict[str, object] = {"trainer": "lstm"}
CHANGES: dict[str, tuple[dict[str, object], object]] = {
    "trainer": ({}, "naive"),
    "objective": (TREES, "aft"),
    "seed": (TREES, 7),
    "outlier_contamination": (TREES, 0.3),
    "calendar": (TREES, "on"),
    "validation_fraction": (TREES, 0.6),
    "time_bins": (TREES, 8),
    "num_round": (TREES, 5),
    "early_stopping_rounds": (TREES | {"eta": 0.1, "num_round": 60, "subsample": 0.2}, 1),
    "eta": (TREES, 0.3),
    "max_depth": (TREES, 2),
    "min_child_weight": (TREES, 60),
    "subsample": (TREES, 0.4),
    "colsample_bytree": (TREES, 0.3),
    "lambda": (TREES, 100),
    "alpha": (TREES, 20),
    "epochs": (NETWORK, 2),
    "batch_size": (NETWORK, 64),
    "learning_rate": (NETWORK, 0.03),
    "hidden_size": (NETWORK, 8),
    "layers": (NETWORK, 2),
    "dropout": (NETWORK, 0.5),
    "likelihood": (NETWORK, "weibull"),
    "sequence_length": (NETWORK, 2),
}
QUESTION_CHANGES: dict[str, object] = {
    "value": "off",
    "value_horizon": 30,
    "value_cutoffs": 1,
    "value_step_days": 60,
    "tweedie_power": 1.2,
    "large_orders": "off",
    "large_thresholds": "4.5",
}
"""Those of the questions beside the next order."""
FORECAST_CHANGES = {"horizons": "7,14", "interval_level": 0.5, "max_horizon_days": 10}


@pytest.mark.parametrize("name", CHANGES)
def test_a_hyperparameter_changes_the_model(name: str, make: Make) -> None:
    settings, value = CHANGES[name]
    before, after = (
        Bundle.load(make(settings | change)).manifest.tasks["next_order"]
        for change in ({}, {name: value})
    )
    assert (before.files, before.parameters) != (after.files, after.parameters)


@pytest.mark.parametrize("name", QUESTION_CHANGES)
def test_a_hyperparameter_changes_another_question(name: str, make: Make) -> None:
    asked: dict[str, object] = {"value": "on", "large_orders": "on"}
    before, after = (
        Bundle.load(make(asked | change)).manifest.tasks
        for change in ({}, {name: QUESTION_CHANGES[name]})
    )
    assert before["next_order"].files == after["next_order"].files
    assert before != after


@pytest.mark.parametrize("name", FORECAST_CHANGES)
def test_a_hyperparameter_changes_the_forecasts(name: str, whole: Histories, make: Make) -> None:
    settings = {"trainer": "naive"}
    before, after = (
        Bundle.load(make(settings | change)).forecast(whole, int(whole.day.max()))
        for change in ({}, {name: FORECAST_CHANGES[name]})
    )
    assert [r | {"model_version": ""} for r in before.records()] != [
        r | {"model_version": ""} for r in after.records()
    ]


def test_every_hyperparameter_is_tried_here_or_where_files_are_read() -> None:
    files = (Columns, AttributeParameters, HashedColumns)
    reading = {name for each in files for name in each.model_fields}
    reading |= {name for name in NAMES if name.startswith("lead_")}
    tried = {*CHANGES, *QUESTION_CHANGES, *FORECAST_CHANGES}
    # The device is to change no model; where it is heard is in test_device. Of so many orders as
    # most_orders is about are those of test_sampling.
    assert tried | reading | {"device", "most_orders"} == set(NAMES)
