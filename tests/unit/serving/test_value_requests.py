"""Value and large orders over HTTP: when they are asked, in which forms, and what is refused."""

from __future__ import annotations

import csv
import datetime
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from ordergap import features
from ordergap.contract.hyperparameters import parse
from ordergap.forecaster import Forecaster
from ordergap.histories import iso_dates
from ordergap.models.value import ValueHead
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings

from tests.shop import shop, write_csv

AS_OF = datetime.date(2024, 12, 30)
RECORD = {
    "customer_id": "ana",
    "orders": [{"date": "2024-11-01", "amount": 50.25}, {"date": "2024-12-01", "amount": 20}],
}
VALUE = ["expected_orders", "expected_value", "value_low", "value_high", "expected_order_amount"]
LARGE = "large_order_probability"
ASKED = {"value_horizons": [30, 7, 30], "large_thresholds": [1e6, 60.5]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    file = write_csv(shop(90), tmp_path_factory.mktemp("shop") / "orders.csv")
    return Forecaster.fit(parse({"num_round": "15", "time_bins": "6"}), file)


def server(model: Forecaster, **settings: Any) -> FlaskClient:
    return create_app(model, Settings(**settings), lambda: AS_OF).test_client()


def predictions(client: FlaskClient, **asked: Any) -> list[dict[str, Any]]:
    answer = client.post("/invocations", json={"instances": [RECORD, RECORD], **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["predictions"]
    return found


def refusal(client: FlaskClient, **asked: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post("/invocations", json={"instances": [RECORD, RECORD], **asked})
    return answer.status_code, answer.get_json()["error"]


def test_what_is_asked_is_answered_once_for_each_value_rising(model: Forecaster) -> None:
    first, second = predictions(server(model), **ASKED)
    assert first == second
    for field in VALUE[:4]:
        assert list(first[field]) == ["7", "30"]
    assert list(first[LARGE]) == ["60.5", "1000000"]
    assert list(first[LARGE]["60.5"]) == ["7", "30", "60", "90"]
    assert first["expected_value"]["7"] <= first["expected_value"]["30"]
    assert first[LARGE]["60.5"]["7"] <= first["buy_probability"]["7"]


@pytest.mark.parametrize("setting", ["off", "on"])
def test_the_setting_decides_where_a_request_does_not(model: Forecaster, setting: str) -> None:
    client = server(model, value=setting)
    (plain, _), (other, _) = (predictions(server(model)), predictions(client))
    assert not {*VALUE, LARGE} & set(plain)
    if setting == "off":
        assert other == plain
        return
    assert {name: other[name] for name in plain} == plain
    assert list(other["expected_value"]) == ["7", "30", "60", "90"]
    own: Any = model.manifest.tasks["large_order"].parameters["thresholds"]
    assert list(map(float, other[LARGE])) == own
    assert predictions(client, value_horizons=[], large_thresholds=[])[0] == plain
    some = predictions(client, value_horizons=[11])[0]
    assert list(some["expected_value"]) == ["11"]
    assert list(map(float, some[LARGE])) == own


def test_the_models_own_days_include_those_it_was_judged_at(model: Forecaster) -> None:
    settings = model.manifest.hyperparameters.model_copy(
        update={"horizons": (14, 400), "value_horizon": 45}
    )
    manifest = model.manifest.model_copy(update={"hyperparameters": settings})
    other = Forecaster(replace(model.bundle, manifest=manifest))
    first, _ = predictions(server(other, value="on"))
    assert list(first["expected_value"]) == ["14", "45"]
    assert list(first["buy_probability"]) == ["14", "400"]
    assert all(list(each) == ["14"] for each in first[LARGE].values())


def test_parameters_of_the_content_type_ask_alike(model: Forecaster) -> None:
    client, body = server(model, value="on"), json.dumps(RECORD) + "\n"

    def ask(parameters: str) -> Any:
        form = f"application/jsonlines; {parameters}"
        return json.loads(client.post("/invocations", data=body, content_type=form).text)

    asked = ask('value_horizons="30, 7"; large_thresholds="1e6,60.5"')
    assert asked == predictions(server(model), **ASKED)[0]
    plain = ask("value_horizons=off; large_thresholds=Off")
    assert plain == predictions(server(model))[0]


def test_a_row_of_csv_says_what_a_record_of_json_does(model: Forecaster) -> None:
    client, request = server(model), {"instances": [RECORD], **ASKED}
    (record,) = predictions(client, **ASKED)[:1]
    answer = client.post(
        "/invocations", json=request, headers={"Accept": "text/csv; header=present"}
    )
    (row,) = csv.DictReader(io.StringIO(answer.text))
    for days, value in record["expected_value"].items():
        assert float(row[f"expected_value_{days}"]) == value
    for amount, chances in record[LARGE].items():
        for days, chance in chances.items():
            assert float(row[f"{LARGE}_{amount}_{days}"]) == chance
    assert row["expected_order_amount"] == str(record["expected_order_amount"])


def test_a_placeholder_has_the_same_fields(model: Forecaster) -> None:
    form = "application/json; on_bad_record=placeholder"
    body = {"instances": [RECORD, {"customer_id": "bad", "orders": []}], **ASKED}
    client = server(model)
    good, bad = client.post("/invocations", data=json.dumps(body), content_type=form).get_json()[
        "predictions"
    ]
    assert list(good) == list(bad)
    assert bad[LARGE] == {amount: dict.fromkeys(each) for amount, each in good[LARGE].items()}
    assert set(bad["value_high"].values()) == {None}
    head = {"Accept": "text/csv; header=present"}
    text = client.post("/invocations", data=json.dumps(body), content_type=form, headers=head).text
    assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


def test_feature_vectors_have_value_too(model: Forecaster) -> None:
    histories = shop(20, seed=3)
    last = histories.last_row
    matrix = features.compute(histories, model.manifest.feature_names, last)
    days = iso_dates(histories.day[last].astype(np.int64))
    body = "".join(
        ",".join([name, day, *("" if np.isnan(x) else repr(float(x)) for x in row)]) + "\n"
        for name, day, row in zip(histories.customer_ids, days, matrix, strict=True)
    )
    form = "text/csv; as_of=2024-12-30; value_horizons=30; large_thresholds=60"
    accept = {"Accept": "application/json"}
    answer = server(model).post("/invocations", data=body, content_type=form, headers=accept)
    options = replace(model.bundle.options, value_horizons=[30], large_thresholds=[60])
    as_of = (AS_OF - datetime.date(1970, 1, 1)).days
    expected = model.bundle.forecast(histories, as_of, options).records()
    for vector, record in zip(answer.get_json()["predictions"], expected, strict=True):
        assert vector[LARGE] == record[LARGE]
        assert vector["expected_orders"] == record["expected_orders"]
        value: Any = record["expected_value"]
        assert vector["expected_value"]["30"] == pytest.approx(value["30"], abs=0.011)


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"value_horizons": [366]}, "value_horizons[0]", "366: input should be less than or equal"),
        ({"value_horizons": [30, 0]}, "value_horizons[1]", "0: input should be greater than"),
        ({"value_horizons": 30}, "value_horizons", "30: input should be a valid list"),
        ({"value_horizons": [True]}, "value_horizons[0]", "True: expected a number"),
        ({"large_thresholds": [0]}, "large_thresholds[0]", "0: input should be greater than"),
        ({"large_thresholds": [-5]}, "large_thresholds[0]", "-5: input should be greater than"),
        ({"large_thresholds": ["much"]}, "large_thresholds[0]", "'much': input should be a valid"),
        ({"large_thresholds": [*range(1, 22)]}, "large_thresholds", "at most 20 items"),
        ({"large_thresholds": [5], "horizons": [400, 500]}, "horizons",
         "at most 365 days ahead, and the shortest horizon is 400"),
        ({"valueHorizons": [30]}, "valueHorizons", "is not a field of a request"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    model: Forecaster, asked: dict[str, Any], field: str, words: str
) -> None:
    status, error = refusal(server(model), **asked)
    assert (status, error["field"]) == (400, field)
    assert words in error["message"]


def test_a_model_that_does_not_answer_says_why_and_is_not_asked_by_default(
    model: Forecaster,
) -> None:
    settings = model.manifest.hyperparameters.model_copy(update={"large_orders": "off"})
    manifest = model.manifest.model_copy(
        update={
            "hyperparameters": settings,
            "tasks": {"next_order": model.manifest.tasks["next_order"]},
            "unanswered": {"value": "amounts are unknown"},
        }
    )
    heads = {"next_order": model.bundle.heads["next_order"]}
    client = server(Forecaster(replace(model.bundle, manifest=manifest, heads=heads)), value="on")
    assert not {*VALUE, LARGE} & set(predictions(client)[0])
    status, error = refusal(client, value_horizons=[30], large_thresholds=[60])
    assert status == 400
    first, second = error["problems"]
    assert first["message"] == (
        "value_horizons: this model does not forecast value: amounts are unknown"
    )
    assert "it was not trained to" in second["message"]
    assert first["hint"] == "leave value_horizons out"
    assert second["hint"] == "leave large_thresholds out, or train with large_orders = on"
    assert predictions(client, value_horizons=[], large_thresholds=[])


@pytest.mark.parametrize(
    ("settings", "asked", "words"),
    [
        ({"max_probabilities": 29},
         {"value_horizons": [7, 30], "large_thresholds": [5, 6], "horizons": [7, 30, 400]},
         "2 records at 15 horizons, the limit is 29 probabilities"),
        ({"max_days_ahead": 539}, {"value_horizons": [7, 90], "large_thresholds": [5, 6]},
         "value and large orders of 2 records over 270 days, the limit is 539 days"),
        ({"max_days_ahead": 539, "value": "on"}, {}, "2 records over 270 days"),
    ],
)  # fmt: skip
def test_the_work_has_a_limit(
    model: Forecaster, settings: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    name = next(iter(settings))
    status, error = refusal(server(model, **settings), **asked)
    assert status == 413
    assert words in error["message"]
    assert f"ORDERGAP_{name.upper()}" in error["hint"]
    more = settings | {name: settings[name] + 1}
    assert predictions(server(model, **more), **asked)
    assert predictions(server(model, max_days_ahead=1, max_probabilities=1))
    assert predictions(server(model, max_probabilities=1, value="on"))  # which names no horizon


def test_nothing_is_computed_for_a_request_that_does_not_ask(
    model: Forecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_factor(*_: object) -> None:
        raise AssertionError("the value was computed")

    monkeypatch.setattr(ValueHead, "factor", no_factor)
    assert predictions(server(model), large_thresholds=[60])


def test_the_document_describes_what_is_asked_and_answered(model: Forecaster) -> None:
    document = server(model, value="on").get("/openapi.json").get_json()
    schemas = document["components"]["schemas"]
    request = schemas["ScoringRequest"]["properties"]
    assert request["large_thresholds"]["anyOf"][0]["maxItems"] == 20
    assert request["value_horizons"]["anyOf"][0]["items"]["maximum"] == 365
    assert {*VALUE, LARGE} <= set(schemas["Prediction"]["properties"])
    post = document["paths"]["/invocations"]["post"]
    assert "without them both are" in post["description"]
    example = post["requestBody"]["content"]["application/json"]["examples"]["value"]["value"]
    answer = server(model).post("/invocations", json=example | {"as_of": "2024-12-30"})
    assert list(answer.get_json()["predictions"][0]["value_low"]) == ["30", "90"]
