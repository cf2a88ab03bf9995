"""The first order of leads: learnt, held against what is known of made-up leads, and answered."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ordergap
import polars as pl
import pytest
from ordergap import ingest
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import EvaluationProtocol
from ordergap.contract.orders import Columns
from ordergap.errors import DataError, InvalidRequest, ModelMismatch
from ordergap.evaluation.compare import Comparison
from ordergap.forecaster import Forecaster
from ordergap.histories import day_of
from ordergap.hosts import ALONE
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings
from ordergap.tasks.base import Validation
from ordergap.tasks.first_order import EVENTS, SHARE, FirstOrder
from ordergap.training.leads import read_leads

from lambdas.store_predictions.items import prediction
from local import leads as made_up

WORDS: dict[str, Any] = {
    "amount_column": "Amount", "num_round": 60, "time_bins": 8, "quiet": True,
    "lead_category_attributes": "source", "lead_cutoffs": 8, "lead_step_days": 20,
    "value": "off", "large_orders": "off",
}  # fmt: skip
LAST = made_up.FIRST_DAY + datetime.timedelta(made_up.DAYS - 1)
LEAD = {
    "customer_id": "L9",
    "first_seen": "2024-08-01",
    "events": [{"date": "2024-08-01", "kind": "page"}, {"date": "2024-08-20", "kind": "visit"}],
    "attributes": {"source": "friend"},
}
CUSTOMER = {"customer_id": "c", "orders": [{"date": "2024-08-01", "amount": 5}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leads")


@pytest.fixture(scope="module")
def truth(folder: Path) -> made_up.MadeUp:
    return made_up.write(folder, 2500, seed=3)


@pytest.fixture(scope="module")
def model(folder: Path, truth: made_up.MadeUp) -> Forecaster:
    return ordergap.fit(folder / "orders.csv", leads=folder, **WORDS)


@pytest.fixture(scope="module")
def client(model: Forecaster) -> Any:
    return create_app(model, Settings(), lambda: LAST).test_client()


def test_known_probabilities_are_recovered_within_their_noise(
    model: Forecaster, folder: Path, truth: made_up.MadeUp
) -> None:
    frame = model.predict_leads(folder, folder / "orders.csv", as_of=LAST, quiet=True)
    who = np.array([int(name[1:]) for name in frame["customer_id"]])
    assert set(who) == set(np.flatnonzero(truth.order > made_up.DAYS - 1).tolist())
    for horizon in (7, 30, 90):
        known = truth.probability(made_up.DAYS - 1, horizon)[who]
        found = frame[f"first_order_probability_{horizon}"].to_numpy()
        assert np.corrcoef(known, found)[0, 1] > 0.8
        crowd = np.sqrt(np.mean((known - known.mean()) ** 2))
        assert np.sqrt(np.mean((known - found) ** 2)) < 0.6 * crowd
        assert 0.8 < found.sum() / known.sum() < 1.25


def test_it_is_judged_on_later_days_beside_its_baselines(model: Forecaster) -> None:
    task = model.metrics.tasks["first_order"]
    scores = task.scores[EvaluationProtocol.AT_CUTOFF]
    assert list(scores) == ["model", EVENTS, "direct classifier", SHARE]
    assert scores["model"]["auc"] > scores[EVENTS]["auc"]  # type: ignore[operator]
    assert scores["model"]["brier"] < scores[SHARE]["brier"]  # type: ignore[operator]
    assert "First order of leads" in model.report()


def test_the_next_order_has_the_bytes_that_it_has_without_leads(
    model: Forecaster, folder: Path
) -> None:
    without = ordergap.fit(folder / "orders.csv", **WORDS)
    one, other = (each.bundle.heads["next_order"] for each in (model, without))
    assert one.files() == other.files()
    assert one.parameters == other.parameters
    assert "first_order" not in without.manifest.unanswered
    with pytest.raises(InvalidRequest, match="does not answer leads: it was trained without"):
        without.predict_leads(folder, quiet=True)
    refused = create_app(without, Settings(), lambda: LAST).test_client()
    answer = refused.post("/invocations", json=[LEAD])
    assert answer.status_code == 400
    assert "it was trained without any" in answer.text


def test_the_same_leads_make_the_same_model_and_it_is_loaded_as_saved(
    model: Forecaster, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = (pl.read_csv(folder / "leads.csv"), pl.read_csv(folder / "events.csv"))
    again = ordergap.fit(folder / "orders.csv", leads=frames, **WORDS)
    assert again.bundle.heads["first_order"].files() == model.bundle.heads["first_order"].files()
    model.save(tmp_path)
    loaded = ordergap.load(tmp_path)
    with caplog.at_level("WARNING", "ordergap"):
        rows = [each.predict_leads(folder) for each in (model, loaded)]
    assert rows[0].equals(rows[1])
    assert "leads who have ordered are forecast as if they had not" in caplog.text
    assert f"as_of is guessed: {LAST}, the last day of leads and events" in caplog.text
    for as_of, warned in ((None, False), ("2024-08-01", True)):
        caplog.clear()
        with caplog.at_level("WARNING", "ordergap"):
            model.predict_leads(folder, folder / "orders.csv", as_of)
        said = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
        assert [each.startswith("the model was trained on orders until") for each in said] == (
            [True] * warned
        )
    manifest = tmp_path / "manifest.json"
    content = json.loads(manifest.read_text())
    content["tasks"]["first_order"]["parameters"]["lead_features"]["kinds"] = ["visit"]
    manifest.write_text(json.dumps(content))
    with pytest.raises(ModelMismatch):
        ordergap.load(tmp_path)


def test_leads_and_customers_are_answered_in_their_sequence(client: Any) -> None:
    answers = client.post("/invocations", json=[LEAD, CUSTOMER, LEAD]).json["predictions"]
    lead, customer, again = answers
    assert lead == again
    assert lead["order_count"] == 0
    assert lead["as_of"] == str(LAST)
    assert lead["next_order_date"] is lead["status"] is lead["revenue"] is None
    assert set(lead["buy_probability"].values()) == {None}
    rising = [*lead["first_order_probability"].values()]
    assert 0 < rising[0] <= rising[1] <= rising[2] <= rising[3] < 1
    assert set(customer["first_order_probability"].values()) == {None}
    (alone,) = client.post("/invocations", json=[CUSTOMER]).json["predictions"]
    assert "first_order_probability" not in alone
    assert alone.items() <= customer.items()
    table = client.post("/invocations", json=[LEAD, CUSTOMER], headers={"Accept": "text/csv"}).text
    cells = [row.split(",") for row in table.splitlines()]
    assert [row[0] for row in cells] == ["L9", "c"]
    assert [str(p) for p in rising] == cells[0][-7:-3]


def test_attributes_that_the_model_does_not_know_are_passed_over(client: Any) -> None:
    more = {**LEAD, "attributes": {"source": "friend", "shoe_size": 43}}
    found, known = (client.post("/invocations", json=[each]).json for each in (more, LEAD))
    assert found == known


def test_a_lead_who_orders_is_handed_over(client: Any) -> None:
    record = {**LEAD, **CUSTOMER}
    both, alone = (client.post("/invocations", json=[each]).json for each in (record, CUSTOMER))
    assert both == alone


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"first_seen": None}, "first_seen", "first_seen"),
        ({"first_seen": "2024-09-30", "events": []}, "first_seen", "is after as_of"),
        ({"events": [{"date": "2030-01-01", "kind": "visit"}]}, "events[0].date", "after as_of"),
        ({"events": [{"date": "2024-07-31", "kind": "visit"}]}, "events[0].date", "before first_"),
        ({"events": [{"date": "2024-08-02"}]}, "events[0].kind", "is missing"),
        ({"attributes": {"sauce": "x"}}, "attributes.sauce", "no attribute that the model"),
        ({"customer_id": "guest"}, "customer_id", "not a customer id"),
    ],
)
def test_a_bad_lead_is_refused_and_the_others_are_answered(
    client: Any, change: dict[str, object], field: str, message: str
) -> None:
    bad = {key: value for key, value in {**LEAD, **change}.items() if value is not None}
    refused = client.post("/invocations", json=[CUSTOMER, bad])
    assert refused.status_code == 400
    problem = refused.json["error"]
    assert (problem["record"], problem["field"]) == (1, field)
    assert message in problem["message"]
    answered = client.post(
        "/invocations",
        data="\n".join(map(json.dumps, [LEAD, bad, CUSTOMER])),
        content_type="application/jsonlines; on_bad_record=placeholder",
    )
    first, second, third = map(json.loads, answered.text.splitlines())
    assert first["error"] is third["error"] is None
    assert message in second["error"]
    assert (first["customer_id"], third["customer_id"]) == ("L9", "c")


def test_batch_transform_says_of_each_lead_why_it_is_not_answered(model: Forecaster) -> None:
    manifest = model.manifest.model_copy(
        update={"tasks": {"next_order": model.manifest.tasks["next_order"]}}
    )
    bundle = replace(model.bundle, manifest=manifest)
    client = create_app(Forecaster(bundle), Settings(batch=True), lambda: LAST).test_client()
    lines = "\n".join(map(json.dumps, [LEAD, {**LEAD, "customer_id": "L8"}]))
    answer = client.post("/invocations", data=lines, content_type="application/jsonlines")
    assert answer.status_code == 200
    for name, text in zip(("L9", "L8"), answer.text.splitlines(), strict=True):
        found = json.loads(text)
        assert (found["customer_id"], found["order_count"]) == (name, None)
        assert found["error"].startswith("the model does not answer leads: it was")


def test_a_bad_customer_after_leads_is_named_by_its_place(client: Any) -> None:
    late = {**CUSTOMER, "orders": [{"date": "2030-01-01"}]}
    problem = client.post("/invocations", json=[LEAD, LEAD, late]).json["error"]
    assert problem["record"] == 2
    assert problem["message"].startswith("record 2: ")


def test_leads_are_answered_in_json_lines_and_refused_in_csv(client: Any) -> None:
    (in_json,) = client.post("/invocations", json=[LEAD]).json["predictions"]
    lines = client.post("/invocations", data=json.dumps(LEAD), content_type="application/jsonlines")
    assert json.loads(lines.text) == in_json
    stored = prediction(lines.data, LAST)  # as the table takes it
    assert stored.model_dump(mode="json").items() <= in_json.items()
    rows = "lead_id,first_seen\nL9,2024-08-01\n"
    refused = client.post("/invocations", data=rows, content_type="text/csv")
    assert refused.status_code == 400
    assert "CSV has no place for the events of leads" in refused.json["error"]["message"]


def test_openapi_describes_leads(client: Any) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    assert {"LeadRecord", "LeadEvent", "LeadPrediction"} <= set(schemas)
    assert "first_order_probability" in schemas["Prediction"]["properties"]


def test_the_commands_and_the_channel_read_leads(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ml"
    training = root / "input" / "data" / "training"
    training.mkdir(parents=True)
    (training / "orders.csv").symlink_to(folder / "orders.csv")
    (root / "input" / "data" / "leads").symlink_to(folder)
    config = root / "input" / "config"
    config.mkdir()
    words = {name: str(value) for name, value in WORDS.items() if name != "quiet"}
    (config / "hyperparameters.json").write_text(json.dumps(words | {"num_round": "8"}))
    assert main(["train", "--opt_ml", str(root), "--model_dir", str(tmp_path / "model")]) == 0
    output = tmp_path / "leads.csv"
    asked = ["--leads_path", str(folder), "--model_dir", str(tmp_path / "model")]
    orders = ["--file_path", str(folder / "orders.csv"), "--output", str(output)]
    assert main(["predict", *asked, *orders, "--horizons", "14"]) == 0
    frame = pl.read_csv(output)
    python = ordergap.load(tmp_path / "model").predict_leads(
        folder, folder / "orders.csv", horizons=[14], quiet=True
    )
    assert frame["first_order_probability_14"].equals(python["first_order_probability_14"])
    with pytest.raises(SystemExit, match="2"):
        main(["predict", *asked, "--top", "3", "--status", "due"])
    assert "leads are forecast without --status, --top" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["purchases", "existing_customer", "first_booking", "customer_code"]
)
def test_columns_of_course_tables_that_know_the_order_are_refused(
    folder: Path, name: str, truth: made_up.MadeUp
) -> None:
    asked = {**WORDS, "lead_category_attributes": name}
    with pytest.raises(DataError, match=rf'"{name}".*written at or after the first order'):
        ordergap.fit(folder / "orders.csv", leads=folder, **asked)


def test_such_a_column_of_another_name_is_found(folder: Path, truth: made_up.MadeUp) -> None:
    leads = pl.read_csv(folder / "leads.csv").rename({"purchases": "loyalty"})
    frames = (leads, pl.read_csv(folder / "events.csv"))
    with pytest.raises(DataError, match='"loyalty" of the leads knows who has ordered'):
        ordergap.fit(
            folder / "orders.csv", leads=frames, **WORDS, lead_numeric_attributes="loyalty"
        )


@pytest.mark.parametrize(("name", "warned"), [("visits_so_far", True), ("age", False)])
def test_a_column_whose_name_says_that_it_changes_is_warned_of(
    folder: Path, truth: made_up.MadeUp, name: str, warned: bool
) -> None:
    leads = pl.read_csv(folder / "leads.csv").rename({"age": name})
    frames = (leads, pl.read_csv(folder / "events.csv"))
    found = read_leads(
        ALONE, frames, parse({"lead_numeric_attributes": name}),
        ingest.read(folder / "orders.csv", Columns(amount_column="Amount")).histories,
        day_of(LAST),
    )  # fmt: skip
    said = f'"{name}" of the leads has no day, and its name says that it changes'
    assert any(said in note for note in found[1]) == warned


def test_a_lead_with_an_order_before_it_was_seen_is_counted(
    folder: Path, truth: made_up.MadeUp
) -> None:
    leads = pl.read_csv(folder / "leads.csv")
    late = int(np.flatnonzero(truth.order < made_up.DAYS)[0])
    day = pl.when(pl.col("lead_id") == f"L{late}").then(pl.lit(str(LAST)))
    frames = (
        leads.with_columns(day.otherwise(pl.col("first_seen")).alias("first_seen")),
        pl.read_csv(folder / "events.csv"),
    )
    fitted = ordergap.fit(folder / "orders.csv", leads=frames, **{**WORDS, "num_round": 3})
    notes = " ".join(fitted.manifest.data.notes)
    assert "left out 1 leads with an order before first_seen" in notes
    assert f"such as L{late}" in notes


def test_what_lost_to_its_baselines_is_not_answered(model: Forecaster) -> None:
    task = FirstOrder()
    assert "too few leads" in str(task.lost(Validation()))

    def lost(events: tuple[float, ...], share: tuple[float, ...]) -> str | None:
        differences: Any = {EVENTS: {"auc": events}, SHARE: {"brier": share}}
        return task.behind(Comparison({}, {}, differences, {}))

    good, bad = (0.05, 0.01, 0.09), (-0.05, -0.09, -0.01)
    assert lost(good, bad) is None
    assert "ranks leads surely worse" in str(lost(bad, bad))
    assert "Brier score is surely worse" in str(lost(good, good))
    assert "first_order" not in model.manifest.unanswered
