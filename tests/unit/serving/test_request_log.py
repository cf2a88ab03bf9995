"""Lines of the log, ids, custom attributes and metrics of requests."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.forecaster import Forecaster
from ordergap.serving.app import application, request_context
from ordergap.serving.app.counts import SECONDS, Counts
from ordergap.serving.app.metrics import Metrics
from ordergap.serving.app.request_log import JsonLines, raw_error_response, set_up_log
from ordergap.serving.formats.headers import ATTRIBUTES, INFERENCE_ID
from ordergap.settings import Settings
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from werkzeug.test import TestResponse

Ask = Callable[..., TestResponse]

GOOD = {"customer_id": "Ana Secret", "orders": [{"date": "2011-12-01", "amount": 98765.25}]}
BAD = {"customer_id": "Ana Secret", "orders": [{"date": "2011-12-41", "amount": 98765.25}]}
log = logging.getLogger("ordergap")


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """The log's lines as JSON."""
    caplog.set_level(logging.INFO, "ordergap")
    return lambda: [json.loads(JsonLines().format(record)) for record in caplog.records]


LogLines = Callable[[], list[dict[str, Any]]]


@pytest.mark.point(61)
def test_a_request_is_one_line_that_names_its_forms_and_its_time(
    ask: Ask, log_lines: LogLines
) -> None:
    answer = ask([GOOD, GOOD], Accept="text/csv", **{INFERENCE_ID: "abc-1"})
    (line,) = log_lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 < line.pop("ms") < 10_000
    assert line.pop("message").startswith("POST /invocations 200 in ")
    assert line == {
        "level": "info", "id": answer.headers["X-Request-Id"], "method": "POST",
        "path": "/invocations", "status": 200, "form": "application/json", "answer": "text/csv",
        "records": 2, "inference_id": "abc-1",
    }  # fmt: skip


def test_the_log_has_nothing_of_the_content(
    client: FlaskClient, ask: Ask, log_lines: LogLines
) -> None:
    ask(GOOD)
    ask(BAD)
    ask("Ana Secret", "text/csv")
    ask([GOOD], "application/json; as_of=Ana Secret")
    ask([GOOD], "application/Ana Secret", Accept="text/Ana Secret")
    client.get("/customers/Ana Secret?order=98765.25")
    lines = log_lines()
    assert len(lines) == 6
    assert not re.search("Ana|Secret|98765|2011-12-41", json.dumps(lines))


def test_a_refusal_names_the_kind_of_error(
    ask: Ask, client: FlaskClient, log_lines: LogLines
) -> None:
    ask(BAD)
    ask([GOOD], "image/png")
    client.get("/invocations")
    assert [(line["status"], line["error"]) for line in log_lines()] == [
        (400, "InvalidRequest"), (415, "UnsupportedMediaType"), (405, "MethodNotAllowed"),
    ]  # fmt: skip


def test_an_internal_error_has_one_id_in_answer_log_and_traceback(
    ask: Ask, log_lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(application, "predict", broken)
    answer = ask(GOOD)
    fault, line = log_lines()
    id_ = answer.get_json()["error"]["id"]
    assert {id_} == {fault["id"], line["id"], answer.headers["X-Request-Id"]}
    assert fault["level"] == "error"
    assert "RuntimeError: out of luck" in fault["traceback"]
    assert fault["error"] == line["error"] == "RuntimeError"
    assert (line["status"], line["level"]) == (500, "warning")


def test_an_error_outside_the_application_is_counted_and_logged(
    log_lines: LogLines,
) -> None:
    counts = Counts()
    answer = raw_error_response(counts, 500, "the server failed", RuntimeError("out of luck"))
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n")
    assert f"Content-Length: {len(body)}" in head.decode()
    (line,) = log_lines()
    assert (line["level"], line["status"]) == ("error", 500)
    assert json.loads(body)["error"] == {
        "type": "InternalServerError", "message": "the server failed", "id": line["id"],
    }  # fmt: skip
    assert "out of luck" in line["traceback"]
    assert counts.total().requests == {("other", "500", ""): 1}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "BadRequest"), (408, "RequestTimeout"), (414, "RequestUriTooLong"),
     (431, "RequestHeaderFieldsTooLarge")],
)  # fmt: skip
def test_the_type_of_an_error_of_http_is_its_phrase_in_any_python(status: int, kind: str) -> None:
    _, body = raw_error_response(Counts(), status, "malformed").split(b"\r\n\r\n")
    assert json.loads(body)["error"]["type"] == kind


def test_pings_and_scrapes_are_logged_at_level_debug(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    for level, lines in ((logging.INFO, 0), (logging.DEBUG, 2)):
        caplog.clear()
        caplog.set_level(level, "ordergap")
        client.get("/ping")
        client.get("/metrics")
        assert len(caplog.records) == lines


@pytest.fixture
def handler() -> Iterator[logging.Handler]:
    before, level = log.handlers, log.level
    log.handlers = [handler := logging.Handler()]
    yield handler
    log.handlers = before
    log.setLevel(level)


@pytest.mark.parametrize("format_", ["json", "text"])
def test_the_settings_say_the_level_and_the_format(handler: logging.Handler, format_: str) -> None:
    set_up_log(Settings.from_environment({
        "ORDERGAP_LOG_LEVEL": " Warning ", "ORDERGAP_LOG_FORMAT": format_.upper()
    }))  # fmt: skip
    assert log.level == logging.WARNING
    record = logging.makeLogRecord({"msg": "%s\n", "args": ("\udce9",)})
    text = handler.format(record)
    if format_ == "json":
        assert json.loads(text)["message"] == "\udce9\n"
        assert "\n" not in text
    else:
        assert text == "\udce9\n"


@pytest.mark.point(61)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=1024))
def test_custom_attributes_come_back_with_the_answer(bundle: Bundle, attributes: str) -> None:
    attributes = attributes.strip()
    client = application.create_app(
        Forecaster(bundle), Settings(), lambda: bundle.manifest.as_of
    ).test_client()
    for body, status in (("[]", 200), ("{", 400)):
        answer = client.post("/invocations", data=body, headers={ATTRIBUTES: attributes})
        assert answer.status_code == status
        assert answer.headers[ATTRIBUTES] == attributes


def test_without_custom_attributes_there_are_none(ask: Ask) -> None:
    assert ATTRIBUTES not in ask(GOOD).headers


@pytest.mark.parametrize("attributes", ["x" * 1025, "caf\u00e9", "a\tb", "a\x7fb", "a\x00b"])
def test_attributes_that_the_platform_would_not_pass_on_are_refused(
    client: FlaskClient, attributes: str
) -> None:
    environ = {f"HTTP_{ATTRIBUTES.upper().replace('-', '_')}": attributes}
    answer = client.post("/invocations", data=b"[]", environ_overrides=environ)
    assert (answer.status_code, answer.get_json()["error"]["field"]) == (400, ATTRIBUTES)
    assert ATTRIBUTES not in answer.headers


def test_a_trace_id_among_the_attributes_is_in_the_log(ask: Ask, log_lines: LogLines) -> None:
    ask(GOOD, **{ATTRIBUTES: "tenant=Ana, Trace-ID: 00-4bf92f35-01; x=1"})
    (line,) = log_lines()
    assert line["trace_id"] == "00-4bf92f35-01"
    assert "Ana" not in json.dumps(line)


def families(text: str, parse: Callable[[str], Any] = plain_text) -> dict[str, Metric]:
    return {family.name: family for family in parse(text)}


def value(metrics: dict[str, Metric], name: str, sample: str = "", **labels: str) -> float:
    return sum(
        each.value
        for each in metrics[name].samples
        if each.name == (sample or name) and labels.items() <= each.labels.items()
    )


def test_metrics_count_requests_records_and_seconds(ask: Ask, client: FlaskClient) -> None:
    ask([GOOD, GOOD])
    ask(GOOD, "application/jsonlines")
    ask(BAD, "text/csv;charset=utf-8")
    ask(GOOD, "image/png")
    client.get("/ping")
    client.get("/wp-admin")
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    metrics = families(answer.text)
    requests = {
        (each.labels["path"], each.labels["status"], each.labels["form"]): each.value
        for each in metrics["ordergap_requests"].samples
    }
    assert requests == {
        ("/invocations", "200", "application/json"): 1,
        ("/invocations", "200", "application/jsonlines"): 1,
        ("/invocations", "400", "text/csv"): 1,
        ("/invocations", "415", "other"): 1,
        ("/ping", "200", ""): 1,
        ("other", "404", ""): 1,
    }
    assert value(metrics, "ordergap_records", "ordergap_records_total") == 3
    duration = "ordergap_invocation_duration_seconds"
    assert value(metrics, duration, f"{duration}_count") == 4
    assert 0 < value(metrics, duration, f"{duration}_sum") < 10
    assert value(metrics, "ordergap_requests_in_flight") == 0


def test_metrics_name_the_model(bundle: Bundle, client: FlaskClient) -> None:
    (sample,) = families(client.get("/metrics").text)["ordergap_model_info"].samples
    assert sample.labels == {
        "version": bundle.manifest.model_version, "kind": "checksum", "trainer": "xgboost",
        "learnt_until": "2011-12-01",
    }  # fmt: skip


def test_accept_selects_open_metrics(client: FlaskClient) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = client.get("/metrics", headers=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert families(answer.text, open_metrics)["ordergap_model"].type == "info"


@given(st.lists(st.floats(0, 100), max_size=30))
def test_the_histogram_counts_requests_by_duration(bundle: Bundle, seconds: list[float]) -> None:
    counts = Counts()
    for each in seconds:
        counts.begin_invocation()
        counts.end_invocation(each, 1)
    metrics = families(Metrics(counts, bundle, bundle.manifest.as_of).write(None)[0].decode())
    name = "ordergap_invocation_duration_seconds"
    for end in SECONDS:
        quick = sum(each <= end for each in seconds)
        assert value(metrics, name, f"{name}_bucket", le=str(end)) == quick
    assert value(metrics, name, f"{name}_bucket", le="+Inf") == len(seconds)
    assert value(metrics, name, f"{name}_sum") == pytest.approx(sum(seconds))


def in_a_worker(counts: Counts, number: int, work: Callable[[], None]) -> None:
    """Let a forked process do the work, and end without a word."""
    counts.add_worker(number)
    if not (child := os.fork()):
        work()
        os._exit(0)
    os.waitpid(child, 0)


def test_counts_of_all_workers_add_up_and_outlive_them() -> None:
    counts = Counts(workers=2)

    def work() -> None:
        counts.begin_invocation()
        counts.end_invocation(0.5, 7)
        counts.begin_invocation()  # and dies over it
        counts.count_response("/invocations", 200, "text/csv")

    for number in range(1, 4):  # the third while the first two still have their seats
        in_a_worker(counts, number, work)
    assert counts.total().in_flight == 3
    for number in range(1, 4):
        counts.remove_worker(number)
    for number in range(4, 40):
        in_a_worker(counts, number, work)
        counts.remove_worker(number)
    total = counts.total()
    assert (total.records, total.in_flight) == (39 * 7, 0)
    assert total.requests == {("/invocations", "200", "text/csv"): 39}


def test_more_workers_than_there_are_rows_still_count() -> None:
    counts = Counts(workers=1)
    for number in range(5):
        in_a_worker(counts, number, lambda: counts.count_response("/ping", 200, ""))
    for number in range(5):
        counts.remove_worker(number)
    assert counts.total().requests == {("/ping", "200", ""): 5}


def test_the_fewest_connections_are_those_of_a_worker_that_accepts_more() -> None:
    counts = Counts(workers=3)
    assert counts.fewest_connections() == 0
    for number, connections in (1, 5), (2, 3), (3, None):
        in_a_worker(counts, number, partial(counts.set_connections, connections))
    assert counts.fewest_connections() == 3
    counts.remove_worker(2)
    assert counts.fewest_connections() == 5


def test_a_refused_request_is_counted(bundle: Bundle) -> None:
    counts = Counts()
    client = application.create_app(
        Forecaster(bundle), Settings(), lambda: bundle.manifest.as_of, counts
    ).test_client()
    answer = client.post(
        "/invocations",
        data=b"[]",
        environ_overrides={request_context.REFUSAL: request_context.FULL},
    )
    assert answer.status_code == 503
    assert counts.total().rejected == 1
