"""What track_model does where the MLflow server is off, down, slow, refusing or another program.

A real server is in tests/integration/test_mlflow.py.
"""

import base64
import json
import math
import re
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lambdas.shared import clients
from lambdas.shared.errors import BadEvent, NotTracked
from lambdas.track_model.handler import OFF, _headers, handle
from lambdas.track_model.mirror import mirror
from lambdas.track_model.model import Model
from lambdas.track_model.server import Server, authorization

BUCKET = "ordergap-123456789012"
SECRET = "mlflow/pipeline"  # noqa: S105 - its name


@contextmanager
def answering(answer):
    """The address of a server, and the requests that it had; `answer` gets the handler of each."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            requests.append((f"{self.command} {self.path}", dict(self.headers), body))
            answer(self)

        do_GET = do_POST = do_PUT = handle_request  # noqa: N815 - names of http.server

        def log_message(self, *_):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}", requests
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def reply(status, body=b"", **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            handler.send_header(name.replace("_", "-"), str(value))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def drip(handler):
    """A byte now and then, each in time, without an end."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.01)


def close(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


REFUSAL = b'{"error_code": "PERMISSION_DENIED", "message": "no"}'
FAULTS = {
    "refused": (
        reply(403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}'),
        "403 PERM.* no",
    ),
    "fails": (reply(500, b"<html>Internal"), "answers 500 : <html>Internal"),
    "another program": (reply(200, b"<html>hello"), "does not answer as MLflow does"),
    "a list": (reply(200, b"[]"), "does not answer as MLflow does"),
    "another shape": (reply(200, b"{}"), "does not answer as MLflow does"),
    "elsewhere": (reply(302, Location="http://127.0.0.1:1/"), "answers 302"),
    "cut off": (reply(200, b"{}", Content_Length=9), "failed"),
    "closes": (close, "failed"),
    "never ends": (drip, "was not done in time"),
    "silent": (lambda _: time.sleep(0.5), "failed: .*timed out"),
    "too long": (reply(200, b" " * (5 << 20)), "more than"),
}


@pytest.fixture
def invoke(aws, monkeypatch, event, context):
    """Calls the function as it is deployed for a server at this address."""

    def call(uri="", secret=""):
        monkeypatch.setenv("ORDERGAP_MLFLOW_URI", uri)
        monkeypatch.setenv("ORDERGAP_MLFLOW_SECRET", secret)
        return handle(event("track_model"), context)

    return call


def asked(uri):
    """What is said of a server that answers so."""
    with pytest.raises(NotTracked) as refused:
        mirror(Server(uri, None, 0.2, 0.4), "g", "s3://b/m", lambda: Model({}), {})
    return str(refused.value)


# http.client leaves the end of a connection that broke off to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", FAULTS)
def test_a_server_at_fault_is_said(name):
    answer, said = FAULTS[name]
    with answering(answer) as (uri, _):
        assert re.search(said, asked(uri))


def test_a_server_that_is_down_is_said():
    with socket.socket() as bound:  # nobody listens there
        bound.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert re.search(f"GET {uri}.*mlflow.* failed: .*refused", asked(uri))


def test_a_fault_is_in_the_output_and_fails_nothing(invoke, capsys):
    with answering(reply(403, REFUSAL)) as (uri, _):
        output = invoke(uri)
    assert output["tracked"] is False
    assert output["sentence"].startswith("Not mirrored into MLflow: ")
    assert output["sentence"].endswith("answers 403 PERMISSION_DENIED: no")
    out = capsys.readouterr().out
    assert '"level":"ERROR"' in out
    assert '"ModelsNotTracked":[1.0]' in out


def test_without_an_address_nothing_is_read_or_asked(invoke, monkeypatch):
    monkeypatch.setattr(clients, "s3", None)
    assert invoke("") == {"tracked": False, "sentence": OFF}


@pytest.mark.parametrize("uri", ["mlflow:5000", "file:///etc", "http://", "http://a:b@host"])
def test_an_address_of_no_server_is_refused_without_its_password(uri):
    with pytest.raises(NotTracked, match="must be http://HOST:PORT") as refused:
        Server(uri)
    assert "a:b" not in str(refused.value)


def test_a_model_that_is_not_on_s3_is_said(invoke):
    with answering(empty_mlflow) as (uri, _):
        assert "there is no model at s3://" in invoke(uri)["sentence"]


def empty_mlflow(handler):
    """A server that has the experiment and no run."""
    known = {"experiment": {"experiment_id": "1"}, "registered_model": {}}
    reply(200, json.dumps(known).encode())(handler)


def test_an_error_of_aws_is_raised_for_the_state_machine_to_retry(invoke):
    with pytest.raises(ClientError):
        invoke("http://127.0.0.1:1", "missing")


def secrets(text):
    """Secrets Manager with one secret."""
    return SimpleNamespace(get_secret_value=lambda **_: {"SecretString": text})


BASIC = f"Basic {base64.b64encode('shop:p:ä'.encode()).decode()}"


@pytest.mark.parametrize(
    ("content", "header"),
    [({"username": "shop", "password": "p:ä"}, BASIC), ({"token": "t0ken"}, "Bearer t0ken")],
)
def test_the_secret_goes_along_with_each_request(content, header):
    headers = _headers(SECRET, secrets(json.dumps(content)))
    with answering(reply(200, b"{}")) as (uri, requests):
        server = Server(uri, headers)
        server.get("experiments/search")
        server.upload("mlflow-artifacts:/1/a", "model/a b", b"")
    assert [line for line, *_ in requests] == [
        "GET /api/2.0/mlflow/experiments/search?",
        "PUT /api/2.0/mlflow-artifacts/artifacts/1/a/model/a%20b",
    ]
    assert {sent["Authorization"] for _, sent, _ in requests} == {header}


@pytest.mark.parametrize(
    "text", ["hunter2", "[]", '{"user": "hunter2"}', '{"token": 2}', '{"token": "hunter2\\n"}']
)
def test_a_secret_that_is_none_is_said_without_its_content(text):
    with pytest.raises(NotTracked, match="must have") as refused:
        _headers(SECRET, secrets(text))
    assert str(refused.value).startswith(SECRET)
    assert "hunter2" not in str(refused.value)


def test_no_secret_is_no_header():
    assert authorization() == {}


def test_a_secret_does_not_follow_to_another_address():
    with answering(empty_mlflow) as (other, requests):
        moved = reply(307, Location=f"{other}/api/2.0/mlflow/experiments/search")
        with answering(moved) as (uri, _), pytest.raises(NotTracked, match="answers 307"):
            Server(uri, {"Authorization": "Bearer t"}).get("experiments/search")
    assert not requests


def test_artefacts_that_do_not_lie_behind_the_server_are_refused_with_the_remedy():
    server = Server("http://127.0.0.1:1")
    with pytest.raises(NotTracked, match=r"s3://shop/1/a.*--artifacts-destination"):
        server.upload("s3://shop/1/a", "model/MLmodel", b"")


@pytest.mark.parametrize("source", ["s3://b/it's", 's3://b/"'])
def test_an_artefact_that_mlflow_cannot_search_for_is_refused(source):
    with pytest.raises(NotTracked, match="quotation mark"):
        mirror(Server("http://127.0.0.1:1"), "g", source, lambda: Model({}), {})


def test_only_what_a_run_of_this_market_gives_is_accepted(invoke, event, context):
    with pytest.raises(BadEvent, match="prefix must be runs/nightly-2011-12-09/uk"):
        handle(event("track_model") | {"prefix": "runs/other/uk"}, context)


# The model in MLflow's terms.

NAMES = st.text(min_size=1, max_size=20)
SCORES = st.dictionaries(NAMES, st.none() | st.floats(), max_size=3)


def of(scores, hyperparameters=None):
    """A model with these scores: who -> metric -> value."""
    task = {"protocols": {"at order": {"scores": scores}}}
    metrics = {"trainer": "naive", "validated_after": "2011-09-06", "tasks": {"next_order": task}}
    card = {
        "model_version": "c0ffee", "as_of": "2011-12-09", "data_digest": "d1",
        "hyperparameters": hyperparameters or {}, "metrics": metrics,
    }  # fmt: skip
    return Model({"manifest.json": json.dumps(card).encode()})


@given(st.dictionaries(NAMES, SCORES, max_size=3))
def test_every_number_that_was_judged_is_a_metric_by_a_name_that_mlflow_takes(scores):
    numbers = sorted(
        value
        for values in scores.values()
        for value in values.values()
        if value is not None and math.isfinite(value)
    )
    metrics = of(scores).metrics
    assert all(re.fullmatch(r"[A-Za-z0-9_\-. :/]+", name) for name in metrics)
    if len(metrics) == len(numbers):
        assert sorted(metrics.values()) == numbers


def test_metrics_are_named_by_task_protocol_and_model():
    model = of({"BG/NBD + Gamma-Gamma": {"mae": 3.5, "auc": None}})
    assert model.metrics == {"next_order/at order/BG/NBD - Gamma-Gamma/mae": 3.5}


def test_hyperparameters_are_parameters_by_their_path():
    nested = {"value": "on", "horizons": [7, 30], "trainer": {"name": "xgboost", "eta": 0.05}}
    assert of({}, nested | {"long": "x" * 9000}).parameters == {
        "value": "on",
        "horizons": "[7, 30]",
        "trainer.name": "xgboost",
        "trainer.eta": "0.05",
        "long": "x" * 6000,
    }


@pytest.mark.parametrize("files", [{}, {"manifest.json": b"{"}, {"manifest.json": b"{}"}])
def test_a_model_without_a_manifest_is_refused(files):
    with pytest.raises(NotTracked, match=r"no manifest\.json that this version reads"):
        _ = Model(files).tags
