"""The paths beside /invocations, what the settings change, and what importing costs."""

import datetime
import gc
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from ordergap.artifacts import Bundle
from ordergap.errors import NotAcceptable, UnsupportedMediaType
from ordergap.forecaster import Forecaster
from ordergap.serving import server
from ordergap.serving.app.application import create_app
from ordergap.serving.app.counts import OTHER, PATHS
from ordergap.settings import Settings

ANA = {"customer_id": "ana", "orders": [{"date": "2011-12-01", "amount": 5}]}


def client_of(bundle: Bundle, settings: Settings) -> FlaskClient:
    return create_app(
        Forecaster(bundle), settings, lambda: datetime.date(2011, 12, 9)
    ).test_client()


@pytest.mark.point(47)
def test_ping_is_green_and_empty(client: FlaskClient) -> None:
    response = client.get("/ping")
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.point(68)
def test_execution_parameters_are_those_of_the_settings(bundle: Bundle) -> None:
    settings = Settings(max_payload_mb=20, max_concurrent_transforms=4)
    assert client_of(bundle, settings).get("/execution-parameters").get_json() == {
        "MaxConcurrentTransforms": 4,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 20,
    }


@pytest.mark.parametrize(
    ("workers", "payload", "transforms"),
    [(4, 6, 4), (96, 6, 16), (96, 20, 5), (4, 100, 1), (4, 0, 1), (1, 6, 1)],
)
def test_a_batch_transform_sends_a_request_to_each_worker(
    bundle: Bundle, workers: int, payload: int, transforms: int
) -> None:
    """SageMaker refuses a job whose requests at once may have more than 100 MB together."""
    settings = Settings(workers=workers, max_payload_mb=payload)
    answer = client_of(bundle, settings).get("/execution-parameters").get_json()
    assert answer["MaxConcurrentTransforms"] == transforms


@pytest.mark.point(54, 55)
def test_default_forms_come_from_the_settings(bundle: Bundle) -> None:
    plain = client_of(bundle, Settings())
    assert plain.post("/invocations", data=b"[]").get_json()["predictions"] == []
    settings = Settings(
        default_content_type="application/jsonlines", default_accept="text/csv; header=present"
    )
    client = client_of(bundle, settings)
    assert client.post("/invocations", data=b"[]").status_code == 400  # a list is no line
    response = client.post("/invocations", json=ANA, headers={"Content-Type": "application/json"})
    assert response.headers["Content-Type"] == "text/csv; header=present"
    headers = {"Content-Type": "application/json", "Accept": "*/*"}
    assert client.post("/invocations", json=ANA, headers=headers).data == response.data


def test_a_default_form_that_cannot_be_given_is_refused_at_the_start(bundle: Bundle) -> None:
    words = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT = 'image/png' is not one of application/json, "
    with pytest.raises(NotAcceptable, match=words):
        create_app(Forecaster(bundle), Settings(default_accept="image/png"), datetime.date.today)


def test_the_day_is_asked_for_at_every_request(bundle: Bundle) -> None:
    days = iter([datetime.date(2011, 12, 9), datetime.date(2011, 12, 10)])
    client = create_app(Forecaster(bundle), Settings(), lambda: next(days)).test_client()
    answers = [client.post("/invocations", json=ANA).get_json() for _ in range(2)]
    assert [answer["predictions"][0]["as_of"] for answer in answers] == ["2011-12-09", "2011-12-10"]


def test_a_server_starts_without_what_only_training_or_tables_need(root: Path) -> None:
    heavy = "polars pandas pyarrow sklearn torch xgboost scipy.optimize"
    script = (
        "import sys, ordergap.serving.server;"
        f"print(*(name for name in {heavy.split()!r} if name in sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def test_the_library_of_a_model_comes_before_the_fork_and_nothing_it_would_bring(
    root: Path,
) -> None:
    """So that the workers share its memory."""
    script = (
        "import sys; from ordergap.models.kinds import model_class; model_class('hazard');"
        "print(*({'xgboost', 'sklearn', 'pandas', 'pyarrow', 'scipy.stats'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == ["xgboost"]


def test_a_server_collects_garbage_though_its_start_did_not(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "check", lambda _: bundle.manifest)
    monkeypatch.setattr(server.Server, "run", lambda _: None)
    monkeypatch.setattr(server, "_listen", lambda _: socket.socket())
    gc.disable()
    try:
        server.serve(Path("model"), Settings(), lambda: datetime.date(2011, 12, 9))
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.point(70, 71)
def test_in_batch_transform_an_answer_in_json_is_an_object_and_a_newline(bundle: Bundle) -> None:
    answer = client_of(bundle, Settings(batch=True)).post("/invocations", json=ANA).data
    assert answer.count(b"\n") == answer.endswith(b"}\n") == 1
    assert client_of(bundle, Settings()).post("/invocations", json=ANA).data + b"\n" == answer


@pytest.mark.parametrize("path", ["/invocations/", "/invocations//", "/report//x", ""])
def test_a_path_that_resembles_one_is_not_found_and_not_redirected(
    client: FlaskClient, path: str
) -> None:
    answer = client.get("/", environ_overrides={"PATH_INFO": path})
    assert (answer.status_code, answer.get_json()["error"]["type"]) == (404, "NotFound")


def test_every_path_is_counted_by_its_name(client: FlaskClient) -> None:
    paths = {rule.rule for rule in client.application.url_map.iter_rules()}
    assert paths == {*PATHS} - {OTHER}


def test_an_unknown_default_content_type_is_refused_at_the_start(
    bundle: Bundle,
) -> None:
    with pytest.raises(UnsupportedMediaType, match="ORDERGAP_DEFAULT_CONTENT_TYPE"):
        create_app(
            Forecaster(bundle), Settings(default_content_type="image/png"), datetime.date.today
        )
