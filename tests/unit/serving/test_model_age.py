"""How old the model is, in answers of every form, the log, the metrics and the page."""

import csv
import dataclasses
import datetime
import io
import json
import logging
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from ordergap.artifacts import Bundle
from ordergap.forecaster import Forecaster
from ordergap.serving.app.application import create_app
from ordergap.serving.app.counts import Counts
from ordergap.serving.app.metrics import Metrics
from ordergap.settings import Settings

LEARNT_UNTIL = datetime.date(2011, 12, 1)
LIMIT = 400
EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - a day, whatever the zone


class Clock:
    """The day in UTC, as a test sets it."""

    def __init__(self, day: datetime.date) -> None:
        self.day = day

    def __call__(self) -> datetime.date:
        return self.day


@pytest.fixture
def clock() -> Clock:
    return Clock(LEARNT_UNTIL)


@pytest.fixture
def server(bundle: Bundle, clock: Clock) -> FlaskClient:
    assert bundle.manifest.as_of == LEARNT_UNTIL
    model = Forecaster(bundle)
    server = create_app(model, Settings(stale_after_days=LIMIT), clock).test_client()
    assert model.bundle.stale_after_days == 365, "the caller's model stays as it was"
    return server


def record(as_of: datetime.date | None = None) -> dict[str, Any]:
    orders = [{"date": "2011-08-01", "amount": 5}]
    return {"customer_id": "a", "orders": orders} | ({"as_of": str(as_of)} if as_of else {})


def after(days: int) -> datetime.date:
    return LEARNT_UNTIL + datetime.timedelta(days)


AGES = [(-30, False), (0, False), (1, False), (LIMIT, False), (LIMIT + 1, True), (5479, True)]


@pytest.mark.parametrize(("days", "stale"), AGES)
def test_every_form_of_an_answer_says_it(server: FlaskClient, days: int, *, stale: bool) -> None:
    body = {"instances": [record()], "as_of": str(after(days))}

    def answer(accept: str) -> str:
        return server.post("/invocations", json=body, headers={"Accept": accept}).text

    (in_json,) = json.loads(answer("application/json"))["predictions"]
    in_lines = json.loads(answer("application/jsonlines"))
    assert (in_json["model_age_days"], in_json["stale"]) == (days, stale)
    assert (in_lines["model_age_days"], in_lines["stale"]) == (days, stale)
    (row,) = csv.DictReader(io.StringIO(answer("text/csv; header=present")))
    assert (row["model_age_days"], row["stale"]) == (str(days), str(stale).lower())
    assert list(row)[-3:] == ["model_age_days", "stale", "model_version"]
    (cells,) = csv.reader(io.StringIO(answer("text/csv")))
    assert cells == list(row.values())


def test_each_record_has_the_age_of_its_own_day(server: FlaskClient) -> None:
    lines = "\n".join(json.dumps(record(after(days))) for days, _ in AGES)
    answer = server.post("/invocations", data=lines, content_type="application/jsonlines")
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [(each["model_age_days"], each["stale"]) for each in told] == AGES


def test_feature_vectors_have_it_too(server: FlaskClient) -> None:
    vector = "17850,2011-08-01,2" + 22 * ","
    form = f"text/csv; as_of={after(LIMIT + 1)}"
    answer = server.post("/invocations", data=vector, content_type=form, headers={"Accept": "*/*"})
    *_, age, stale, _ = answer.text.strip().split(",")
    assert (age, stale) == (str(LIMIT + 1), "true")


def test_a_placeholder_has_no_age(server: FlaskClient) -> None:
    answer = server.post(
        "/invocations",
        json={"instances": [{"customer_id": "a", "orders": []}, record()]},
        content_type="application/json; on_bad_record=placeholder",
    )
    bad, good = answer.json["predictions"]  # type: ignore[index]
    assert (bad["model_age_days"], bad["stale"]) == (None, None)
    assert (good["model_age_days"], good["stale"]) == (0, False)


def test_the_log_says_it_once_a_day(
    server: FlaskClient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ordergap")

    def warnings(day: datetime.date, requests: int = 3) -> list[str]:
        clock.day = day
        caplog.clear()
        for _ in range(requests):
            assert server.post("/invocations", json=[record()]).status_code == 200
        return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]

    assert warnings(after(LIMIT)) == []
    (warning,) = warnings(after(LIMIT + 1))
    assert f"as of {after(LIMIT + 1)}, 401 days after the last day of its data" in warning
    assert "2011-12-01, and the limit is 400" in warning
    assert warnings(after(LIMIT + 1)) == []
    assert len(warnings(after(LIMIT + 2))) == 1


@pytest.mark.parametrize(("days", "stale"), AGES)
def test_the_metrics_say_how_old_the_model_is_today(
    server: FlaskClient, clock: Clock, days: int, *, stale: bool
) -> None:
    clock.day = after(days)
    lines = server.get("/metrics").text.splitlines()
    assert f"ordergap_model_age_days {float(days)}" in lines
    assert f"ordergap_model_stale {float(stale)}" in lines


def test_the_metrics_say_when_the_last_order_was(bundle: Bundle, server: FlaskClient) -> None:
    (line,) = re.findall(
        r"^ordergap_data_last_day_seconds (\S+)$", server.get("/metrics").text, re.MULTILINE
    )
    day = EPOCH + datetime.timedelta(seconds=float(line))
    assert day.date() == bundle.manifest.data.last_day
    assert day == datetime.datetime.combine(day.date(), datetime.time())


def test_a_model_that_knows_no_order_has_no_last_day(bundle: Bundle) -> None:
    data = bundle.manifest.data.model_copy(update={"last_day": None})
    manifest = bundle.manifest.model_copy(update={"data": data})
    metrics = Metrics(Counts(), dataclasses.replace(bundle, manifest=manifest), LEARNT_UNTIL)
    text, _ = metrics.write(None)
    assert b"ordergap_model_age_days" in text
    assert b"ordergap_data_last_day" not in text


def test_the_page_knows_the_limit(server: FlaskClient) -> None:
    assert f'"staleAfter": {LIMIT}' in server.get("/").text


def test_the_openapi_document_has_the_fields(server: FlaskClient) -> None:
    document: Any = server.get("/openapi.json").json
    prediction = document["components"]["schemas"]["Prediction"]
    assert prediction["properties"]["stale"]["type"] == "boolean"
    assert prediction["properties"]["model_age_days"]["type"] == "integer"
    assert {"model_age_days", "stale"} <= {*prediction["required"]}
