"""Models whose files are whole and which cannot forecast are refused as they are loaded."""

from __future__ import annotations

import datetime
import json
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ordergap
import pytest
from ordergap.artifacts import Bundle
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.contract.manifest import MANIFEST
from ordergap.contract.reference import REFERENCE
from ordergap.errors import AlgorithmError, ModelMismatch, OrdergapError
from ordergap.forecaster import Forecaster
from ordergap.manifests import digest
from ordergap.models import trial
from ordergap.models.next_order import NextOrderHead
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings
from ordergap.survival.curve import Survival

from tests.shop import shop, write_csv
from tests.trained import head, train

TASK = "next_order"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("unfit")
    orders = write_csv(shop(60), folder / "orders.csv")
    small: dict[str, object] = {"num_round": 6, "time_bins": 8, "epochs": 1, "hidden_size": 4}
    settings: dict[str, dict[str, object]] = {
        "hazard": {"trainer": "xgboost"},
        "aft": {"trainer": "xgboost", "objective": "aft"},
        "squared-error": {"trainer": "xgboost", "objective": "squared-error"},
        "lstm": {"trainer": "lstm"},
        "naive": {"trainer": "naive"},
    }
    for kind, own in settings.items():
        train(parse(small | own), orders, folder / kind)
    return {kind: folder / kind for kind in settings}


@pytest.fixture
def model(trained: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(trained[kind], tmp_path / kind))


def altered(folder: Path, change: Change) -> Path:
    content = json.loads((folder / MANIFEST).read_text())
    change(content["tasks"][TASK])
    (folder / MANIFEST).write_text(json.dumps(content))
    return folder


def parameter(name: str, value: object) -> Change:
    return lambda section: section["parameters"].update({name: value})


def refused(folder: Path) -> str:
    with pytest.raises(ModelMismatch) as error:
        ordergap.load(folder)
    said = str(error.value)
    assert str(folder) in said
    assert len(said) < 700
    assert "\n" not in said
    return said


def grids() -> list[list[float]]:
    return [
        [],
        [7.0],
        [7.0, 30.0],
        [float(day) for day in range(1, 18)],
        [30.0, 7.0] * 4,
        [math.nan] * 8,
        [1.0, 2, 3, 4, 5, 6, 7, math.inf],
        [0.0, 1, 2, 3, 4, 5, 6, 7],
        [-1.0, 1, 2, 3, 4, 5, 6, 7],
    ]


@pytest.mark.parametrize("days", grids(), ids=str)
@pytest.mark.parametrize("kind", ["hazard", "aft", "squared-error", "lstm"])
def test_a_time_grid_that_is_not_the_models_is_refused_or_forecasts(
    model: Callable[[str], Path], kind: str, days: list[float]
) -> None:
    folder = altered(model(kind), parameter("days", days))
    if kind != "hazard" and days and all(np.diff([0.0, *days]) > 0) and math.isfinite(days[-1]):
        forecast_of_all(Bundle.load(folder))  # curves of a distribution have any grid
    else:
        refused(folder)


def forecast_of_all(bundle: Bundle) -> None:
    options = replace(bundle.options, horizons=[1, 3650])
    for record in bundle.forecast(trial.customers(), trial.AS_OF, options).records():
        chances = record["buy_probability"]
        assert isinstance(chances, dict)
        assert all(0 <= chance <= 1 for chance in chances.values())


@pytest.mark.parametrize("kind", ["hazard", "aft", "squared-error", "lstm", "naive"])
def test_each_parameter_is_needed_and_named(model: Callable[[str], Path], kind: str) -> None:
    folder = model(kind)
    names = list(json.loads((folder / MANIFEST).read_text())["tasks"][TASK]["parameters"])
    written = (folder / MANIFEST).read_bytes()
    forecast_of_all(Bundle.load(folder))
    for name in names:
        (folder / MANIFEST).write_bytes(written)
        altered(folder, lambda section: section["parameters"].pop(name))  # noqa: B023
        if (kind == "naive" and name == "days") or name == "start_mean":
            continue  # which that model has in its file, and a model without a start does not read
        assert name in refused(folder)


LEVELS: list[object] = [
    {"x": {"0.8": 0.6}},
    {"1": {"much": 0.6}},
    {"1": {"0.8": math.nan}},
    {"1": {"0.8": 0.6}, "50": {"0.8": math.nan}},
    {"1": {"0.8": 2}},
    {"1": {"0.8": None}},
    {"1": 0.8},
    {"-1": {}},
    [0.8],
    None,
]
POPULATIONS: list[object] = [
    None,
    {},
    {"average": {}, "weekly_error": 0},
    {"average": {"7": 0.1}, "weekly_error": 0},
    {"average": {"7": math.nan, "90": 0.5}, "weekly_error": 0},
    {"average": {"7": 0.1, "90": 5}, "weekly_error": 0},
    {"average": {"7": 0.1, "90": 0.5}, "weekly_error": math.inf},
    {"average": "7", "weekly_error": 0},
]
RECALIBRATIONS: list[object] = [
    None,
    {},
    {"typical": 30, "coefficients": [0] * 13},
    {"typical": 30, "coefficients": [math.nan] * 14},
    {"typical": 30, "coefficients": ["x"] * 14},
    {"typical": -1, "coefficients": [1] * 14},
]
WRONG: list[tuple[str, str, object]] = [
    *(("naive", "interval_levels", each) for each in LEVELS),
    *(("naive", "population", each) for each in POPULATIONS),
    *(("hazard", "recalibration", each) for each in RECALIBRATIONS),
    ("hazard", "start", {"r": 1, "alpha": 1, "a": 1, "b": math.nan, "level": 0}),
    ("hazard", "start", {"r": 1, "alpha": 1}),
    ("hazard", "start", 5),
    ("hazard", "at_risk", [0.5]),
    ("hazard", "at_risk", [math.nan] * 8),
    ("aft", "scales", []),
    ("aft", "scales", [math.nan] * 5),
    ("aft", "orders", [[1]]),
    ("squared-error", "ratio", [1.0]),
    ("squared-error", "ratio_log_s", "text"),
    ("lstm", "layers", 10**9),
    ("lstm", "hidden_size", -1),
    ("lstm", "likelihood", ["weibull"]),
]


@pytest.mark.parametrize(("kind", "name", "value"), WRONG)
def test_a_wrong_parameter_is_refused(
    model: Callable[[str], Path], kind: str, name: str, value: object
) -> None:
    refused(altered(model(kind), parameter(name, value)))


@pytest.mark.parametrize(
    "change",
    [
        {"days": [7.0, 30.0, math.nan]},
        {"days": []},
        {"days": 7},
        {"ratio": []},
        {"ratio_log_s": [math.nan] * 3},
        {"typical": math.nan},
    ],
)
def test_a_naive_model_of_other_numbers_is_refused(
    model: Callable[[str], Path], change: dict[str, object]
) -> None:
    folder = model("naive")
    file = folder / TASK / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    refused(altered(folder, lambda section: section["files"].update(sealed(file))))


def sealed(file: Path) -> dict[str, str]:
    return {file.name: digest(file.read_bytes())}


@pytest.mark.parametrize("content", [b"", b"no trees", b"[" * 100_000, b"{" * 100_000, b"\x80\x04"])
@pytest.mark.parametrize("kind", ["hazard", "aft", "lstm", "naive"])
def test_a_file_with_the_manifests_digest_that_is_no_model_is_refused(
    model: Callable[[str], Path], kind: str, content: bytes
) -> None:
    folder = model(kind)
    for file in [*(folder / TASK).iterdir()]:
        whole = file.read_bytes()
        file.write_bytes(content)
        refused(altered(folder, lambda section: section["files"].update(sealed(file))))  # noqa: B023
        file.write_bytes(whole)
        altered(folder, lambda section: section["files"].update(sealed(file)))  # noqa: B023
    Bundle.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda section: section["files"].update({"x" * 300: "00"}),
        lambda section: section["files"].update({"nul\0": "00"}),
        lambda section: section["files"].update({"..": "00"}),
        lambda section: section.update(kind="x" * 10_000),
        lambda section: section.update(feature_names=["order_count", "x" * 10_000]),
        lambda section: section["parameters"].update(deep=json.loads("[" * 400 + "]" * 400)),
        lambda section: section.update({"x" * 10_000: 1}),
    ],
)
def test_long_names_and_deep_nesting_are_refused_in_a_sentence_or_do_no_harm(
    model: Callable[[str], Path], change: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = altered(model("naive"), change)
    try:
        forecast_of_all(Bundle.load(folder))
    except OrdergapError:
        assert main(["predict", "--model_dir", str(folder), "--file_path", "orders.csv"]) == 1
        said = capsys.readouterr()
        assert said.err.startswith("UserError: ")
        assert len(said.err) < 1500
        assert "Traceback" not in said.err + said.out


@pytest.mark.parametrize("name", ["x" * 300, "file/model", "x/" * 3000])
def test_a_place_that_cannot_be_is_named_without_a_traceback(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    place = str(tmp_path / name)
    assert main(["predict", "--model_dir", place, "--file_path", "orders.csv"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("UserError: ")
    assert "Traceback" not in said.err + said.out


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["report.html", MANIFEST, f"{TASK}/model.json", TASK])
@pytest.mark.parametrize("what", ["link", "pipe"])
def test_only_regular_files_inside_the_models_folder_are_read(
    model: Callable[[str], Path], name: str, what: str
) -> None:
    folder = model("naive")
    aside = folder.parent / "aside"
    (folder / name).rename(aside)
    if what == "link":
        (folder / name).symlink_to(aside)
    else:
        os.mkfifo(folder / name)
    assert "a link" in (said := refused(folder)) or "no regular file" in said or "Not a" in said


def test_the_environment_is_not_served_as_a_report(model: Callable[[str], Path]) -> None:
    folder = model("naive")
    (folder / "report.html").unlink()
    (folder / "report.html").symlink_to("/proc/self/environ")
    assert "report.html is a link" in refused(folder)
    (folder / "report.html").unlink()
    client = create_app(ordergap.load(folder), Settings(), datetime.date.today).test_client()
    assert client.get("/report").status_code == 404


def test_a_version_that_no_answer_can_have_is_refused(model: Callable[[str], Path]) -> None:
    folder = model("naive")
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(content | {"model_version": "a\ud800b"}))
    assert "not a manifest" in refused(folder)


@pytest.mark.parametrize(
    ("content", "said"), [(b"<html>\xff", "not UTF-8"), (b" " * (1 << 24) + b"<", "than 16 MiB")]
)
def test_a_report_that_cannot_be_a_page_is_refused(
    model: Callable[[str], Path], content: bytes, said: str
) -> None:
    folder = model("naive")
    (folder / "report.html").write_bytes(content)
    assert said in refused(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_version": "another"}, "is of another model, another; copy the whole model again"),
        ({"days": 0}, "is damaged (days: "),
        (
            {"features": {"tenure": {"edges": [], "orders": [1], "limit": 1}}},
            "is damaged (features",
        ),
        (
            {"features": {"gap_1": {"edges": [], "orders": [1, 0], "limit": 1}}},
            "counts what the model does not read, gap_1",
        ),
    ],
)
def test_a_reference_that_is_not_of_the_model_is_refused(
    model: Callable[[str], Path], change: dict[str, object], said: str
) -> None:
    folder = model("naive")
    content = json.loads((folder / REFERENCE).read_text())
    (folder / REFERENCE).write_text(json.dumps(content | change))
    assert said in refused(folder)
    (folder / REFERENCE).write_text("{")
    assert "is damaged" in refused(folder)


def test_a_model_of_an_earlier_version_has_no_reference(
    model: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = model("hazard")
    kept = ordergap.load(folder)
    kept.save(tmp_path / "again")
    assert (tmp_path / "again" / REFERENCE).read_bytes() == (folder / REFERENCE).read_bytes()
    (folder / REFERENCE).unlink()
    older = ordergap.load(folder)
    assert older.reference is None
    older.save(tmp_path / "older")
    assert not (tmp_path / "older" / REFERENCE).exists()
    client = create_app(older, Settings(), datetime.date.today).test_client()
    assert "ordergap_served" not in client.get("/metrics").text


class Broken:
    """A model's curves, with a number that is none for one customer in three."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def survival(self, features: Any) -> Survival:
        curves = self.whole.survival(features)
        curves.log_s[::3, -1] = math.nan
        return Survival(curves.days, curves.log_s)


def broken(bundle: Bundle) -> Bundle:
    own = head(bundle)
    model: Any = Broken(own.model)
    return Bundle(
        bundle.manifest, {TASK: NextOrderHead(model, own.interval_levels, own.population)}
    )


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines", "text/csv"])
def test_what_is_no_number_is_never_answered(trained: dict[str, Path], accept: str) -> None:
    bundle = broken(Bundle.load(trained["naive"]))
    client = create_app(Forecaster(bundle), Settings(), datetime.date.today).test_client()
    record = {"customer_id": "a", "orders": [{"date": "2024-01-01", "amount": 1}]}
    answer = client.post("/invocations", json={"instances": [record]}, headers={"Accept": accept})
    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"]) == (500, "InternalError")
    assert error["id"]


def test_a_model_that_cannot_forecast_is_not_saved(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    bundle = Bundle.load(trained["hazard"])
    vars(head(bundle).model)["days"] = np.array([7.0, 30.0])
    parameters = bundle.manifest.tasks[TASK].parameters
    parameters["days"] = [7.0, 30.0]
    with pytest.raises(AlgorithmError, match="a model was trained and is not saved: the model"):
        bundle.save(tmp_path / "model")
    assert [*(tmp_path / "model").iterdir()] == []
