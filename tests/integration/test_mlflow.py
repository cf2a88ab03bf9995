"""Mirroring into a real MLflow server, which these tests start, and loading from it."""

import io
import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from moto import mock_aws
from ordergap.artifacts import Bundle
from ordergap.forecaster import Forecaster

from examples import with_mlflow
from lambdas.shared.errors import NotTracked
from lambdas.track_model.handler import TrackModel, track
from lambdas.track_model.mirror import mirror, point
from lambdas.track_model.model import Model
from lambdas.track_model.server import Server
from local.ports import free_port

PYTHON = Path(__file__).parents[2] / ".venv-mlflow/bin/python"
BUCKET = "shop"
ORDERS = pd.DataFrame({
    "CustomerID": ["a", "a", "a", "b", "b"],
    "InvoiceNo": ["1", "2", "3", "4", "5"],
    "InvoiceDate": ["2011-06-01", "2011-07-03", "2011-08-01", "2011-07-20", "2011-08-09"],
    "StockCode": ["x"] * 5,
    "Quantity": [1, 2, 1, 5, 6],
    "UnitPrice": [9.5, 2.0, 9.5, 1.0, 1.5],
})  # fmt: skip
LOAD = """
import sys, mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
params = {"as_of": "2011-08-20", "horizons": [10, 45], "explain": 2}
predicted = model.predict(pandas.read_json(sys.stdin, dtype=False), params=params)
sys.stdout.write(predicted.to_csv(index=False))
"""

pytestmark = [
    pytest.mark.skipif(
        not PYTHON.exists(), reason="MLflow is not installed: make .venv-mlflow/ready"
    ),
    pytest.mark.xdist_group("mlflow"),
]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty MLflow server on SQLite."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(PYTHON, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)),
                *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
                *("--artifacts-destination", str(folder / "artifacts")),
            ],
            env=os.environ | quiet,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + 240
            while not _answers(address):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.2)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(address: str) -> bool:
    try:
        Server(address).get("experiments/search", max_results="1")
    except NotTracked:
        return False
    return True


@pytest.fixture(scope="module")
def folder(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder."""
    place = tmp_path_factory.mktemp("model")
    Forecaster(bundle).save(place)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return with_mlflow.read(folder)


@pytest.fixture
def s3() -> Iterator[Any]:
    environment = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in environment.items():
            patch.setenv(name, value)
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def put_model(s3: Any, folder: Path, run_id: str) -> str:
    """What a training job leaves; its URI."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder, ".")
    key = f"models/uk/{run_id}/job/output/model.tar.gz"
    s3.put_object(Bucket=BUCKET, Key=key, Body=packed.getvalue())
    return f"s3://{BUCKET}/{key}"


def night(
    uri: str, s3: Any, run_id: str, champion: str, judged: str | None = None, group: str = "g-uk"
) -> str:
    """The sentence about a run."""
    if judged:
        record = json.dumps({"judged": judged, "reason": "as it is"}).encode()
        s3.put_object(Bucket=BUCKET, Key=f"runs/{run_id}/uk/verdict.json", Body=record)
    verdict = {"reason": f"why in {run_id}", "group": group, "artifact": champion}
    event = {"run_id": run_id, "market": "uk", "prefix": f"runs/{run_id}/uk", "verdict": verdict}
    return track(TrackModel.model_validate(event), BUCKET, s3, Server(uri, seconds=60))


def versions(uri: str, name: str) -> list[dict[str, Any]]:
    """Oldest first, with their tags as a dictionary."""
    found = Server(uri).get("model-versions/search", filter=f"name='{name}'")["model_versions"]
    for each in found:
        each["tags"] = {tag["key"]: tag["value"] for tag in each["tags"]}
    return sorted(found, key=lambda each: int(each["version"]))


def champion_of(uri: str, name: str) -> str:
    alias = Server(uri).get("registered-models/alias", name=name, alias="champion")
    return str(alias["model_version"]["version"])


def test_nights_of_a_market_are_mirrored_and_the_alias_follows_the_registry(
    uri: str, s3: Any, folder: Path, model: Model
) -> None:
    first, second = (put_model(s3, folder, f"night-{n}") for n in (1, 2))
    assert night(uri, s3, "night-1", first, judged=first) == (
        "In MLflow version 1 of g-uk is the champion."
    )
    said = night(uri, s3, "night-2", first, judged=second)
    assert said == "In MLflow version 1 of g-uk is the champion, version 2 is not promoted."
    assert night(uri, s3, "night-2", first, judged=second) == said  # a retry
    assert champion_of(uri, "g-uk") == "1"
    assert night(uri, s3, "night-3", second) == "In MLflow version 2 of g-uk is the champion."
    assert champion_of(uri, "g-uk") == "2"  # promoted by hand, in a night without training
    one, two = versions(uri, "g-uk")
    assert one["tags"]["run_id"] == "night-1"
    assert (one["tags"]["promoted"], two["tags"]["promoted"]) == ("true", "false")
    assert one["tags"] | {"run_id": "", "promoted": ""} == {
        "run_id": "", "promoted": "", "market": "uk", **model.tags
    }  # fmt: skip
    assert two["description"] == "why in night-2"
    assert two.get("current_stage", "None") == "None"


def test_a_champion_that_mlflow_lacks_is_mirrored_too(uri: str, s3: Any, folder: Path) -> None:
    old, new = (put_model(s3, folder, f"before-{n}") for n in (1, 2))
    said = night(uri, s3, "late", old, judged=new, group="g-late")
    assert "champion, version" in said
    mirrored = {each["version"]: each["tags"]["run_id"] for each in versions(uri, "g-late")}
    assert mirrored[champion_of(uri, "g-late")] == "before-1"
    assert sorted(mirrored.values()) == ["before-1", "before-2"]


class Unanswered(Server):
    """A server whose answer to the request with this number, from 1, is lost."""

    def __init__(self, uri: str, lost: int) -> None:
        super().__init__(uri, seconds=60)
        self._left = lost

    def _request(self, *request: Any) -> bytes:
        answer = super()._request(*request)
        self._left -= 1
        if not self._left:
            raise NotTracked("lost")
        return answer


def test_wherever_it_was_broken_off_it_is_completed_and_is_there_once(
    uri: str, model: Model
) -> None:
    small = Model({name: content for name, content in model.files.items() if "report" not in name})
    name, broken = "broken-off", 0

    def attempt(lost: int) -> None:
        server = Unanswered(uri, lost)
        point(server, name, mirror(server, name, "s3://b/m.tar.gz", lambda: small, {}, "why"))

    for lost in range(1, 100):
        try:
            attempt(lost)
        except NotTracked:
            broken += 1
        else:
            break
    assert broken > 12  # every kind of request
    attempt(0)
    (version,) = versions(uri, name)
    assert champion_of(uri, name) == version["version"]
    server = Server(uri)
    experiment = server.get("experiments/get-by-name", experiment_name=name)["experiment"]
    found = server.post("runs/search", experiment_ids=[experiment["experiment_id"]])["runs"]
    (run,) = found
    assert run["info"]["status"] == "FINISHED"
    logged = {each["key"]: each["value"] for each in run["data"]["metrics"]}
    assert logged == pytest.approx(small.metrics)
    key = next(iter(logged))
    history = server.get("metrics/get-history", run_id=version["run_id"], metric_key=key)
    assert len(history["metrics"]) == 1
    parameters = {each["key"]: each["value"] for each in run["data"]["params"]}
    assert parameters == small.parameters


def test_a_deleted_experiment_is_refused_with_mlflows_words(uri: str, model: Model) -> None:
    server = Server(uri)
    made = server.post("experiments/create", name="deleted")
    server.post("experiments/delete", experiment_id=made["experiment_id"])
    with pytest.raises(NotTracked, match=r"answers 400 \w+: .*active"):
        mirror(server, "deleted", "s3://b/m", lambda: model, {})


def test_the_command_mirrors_once_and_mlflow_loads_and_predicts(
    uri: str, folder: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--uri", uri, "--model", str(folder), "--name", "laptop", "--champion"]
    assert with_mlflow.main(arguments) == with_mlflow.main(arguments) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == out[1]
    assert out[0].startswith("version 1 of laptop is model ")
    expected = Forecaster(Bundle.load(folder)).predict(
        ORDERS, "2011-08-20", [10, 45], explain=2, quiet=True
    )
    assert loaded(uri, "models:/laptop@champion", root) == expected.to_csv(index=False)


def loaded(uri: str, name: str, root: Path) -> str:
    """What MLflow's own client loads by the name and predicts, in its environment."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(root / "container")}
    done = subprocess.run(
        [PYTHON, "-c", LOAD, uri, name],
        input=ORDERS.to_json(),
        env=os.environ | quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_mlflow_loads_has_no_pickle(model: Model) -> None:
    names = model.artifacts("model", "run")
    assert {Path(name).suffix for name in names} <= {"", ".json", ".html", ".ubj", ".safetensors"}
    card = json.loads(names["model/MLmodel"])
    assert card["flavors"]["python_function"]["loader_module"] == "ordergap.pyfunc"
    assert names.keys() == {"model/MLmodel", *(f"model/data/{path}" for path in model.files)}
