"""The SageMaker Python SDK, version 3, drives the image in its local mode."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sagemaker.train", reason="version 3 of the SDK is not here: make e2e-sdk")

from sagemaker.core.local import LocalSession
from sagemaker.core.resources import HyperParameterTuningJob, TrainingJob
from sagemaker.train import defaults

from examples import with_boto3, with_sdk
from tests.sdk.forms import (
    AS_OF,
    RESOLVED,
    TYPED,
    check_transformed,
    forms,
    free_port,
    hyperparameters,
)

pytestmark = pytest.mark.docker

Run = Callable[..., Path]


@pytest.fixture(scope="module")
def run(folder: Path, image: str) -> Run:
    """A command of examples/with_sdk.py in local mode, in a folder of its own."""

    def run(name: str, *words: object) -> Path:
        with_sdk.main(
            ["--local", "--image", image, "--folder", str(folder / name), *map(str, words)]
        )
        return folder / name

    return run


def settings(hyperparameters: dict[str, object]) -> list[str]:
    return [
        word
        for name, value in hyperparameters.items()
        for word in ("--set", f"{name}={json.dumps(value)}")
    ]


@pytest.fixture(scope="module")
def trained(run: Run, shop: Path) -> Path:
    """What a training job leaves."""
    return run("trained3", "train", "--data", shop, *settings(TYPED))


@pytest.fixture(scope="module")
def model_data(trained: Path) -> str:
    return f"file://{trained}/compressed_artifacts/model.tar.gz"


def test_hyperparameters_of_every_python_type_reach_the_model(trained: Path) -> None:
    manifest = json.loads((trained / "artifacts/model/manifest.json").read_text())
    known = hyperparameters(manifest)
    assert {name: known[name] for name in RESOLVED} == RESOLVED
    assert (trained / "artifacts/output/data/report.html").is_file()


def test_a_failing_job_shows_our_reason(
    run: Run, shop: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError):
        run("failed3", "train", "--data", shop, *settings({"max_dept": 4}))
    assert "did you mean max_depth?" in capsys.readouterr().out
    failure = (folder / "failed3/artifacts/output/failure").read_text()
    assert failure.startswith("UserError")
    assert "did you mean max_depth?" in failure


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_a_batch_transform_answers_line_for_line(
    run: Run, model_data: str, records: Path, strategy: str
) -> None:
    words = ("--records", f"file://{records}", "--as-of", AS_OF, "--strategy", strategy)
    output = run(f"{strategy}3", "transform", "--model-data", model_data, *words)
    check_transformed(records, output / "forecasts")


def test_an_endpoint_answers_in_every_form(
    folder: Path, image: str, trained: Path, model_data: str
) -> None:
    session = LocalSession()
    root = folder / "endpoint3"
    root.mkdir()
    session.config = {"local": {"serving_port": free_port(), "container_root": str(root)}}
    client, runtime = session.sagemaker_client, session.sagemaker_runtime_client
    client.create_model(**with_boto3.model("m", image, with_sdk.NO_ROLE, model_data))
    variant = with_boto3.real_time("m") | {"InstanceType": "local"}
    configuration, body = with_boto3.endpoint("e", variant)
    client.create_endpoint_config(**configuration)
    client.create_endpoint(**body)
    try:
        manifest = json.loads((trained / "artifacts/model/manifest.json").read_text())
        for form in forms(manifest):
            answer = runtime.invoke_endpoint(
                EndpointName="e", ContentType=form.content_type, Accept=form.accept, Body=form.body
            )
            content = answer["Body"].read()
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200, content
            form.check(answer["ContentType"], content)
        wrong = {"ContentType": "text/csv", "Body": "a,b\n1,2\n"}
        refused = runtime.invoke_endpoint(EndpointName="e", **wrong)
        assert refused["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert "error" in refused["Body"].read().decode().lower()
    finally:
        client.delete_endpoint(EndpointName="e")


def test_the_example_deploys_and_asks(
    run: Run, model_data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("deployed3", "deploy", "--model-data", model_data)
    lines = [line for line in capsys.readouterr().out.splitlines() if '"predictions"' in line]
    (prediction,) = json.loads(lines[0])["predictions"]
    assert prediction["customer_id"] == with_boto3.ONE_CUSTOMER["customer_id"]


ACCOUNT = ("--image", "1.dkr.ecr.eu-west-1.amazonaws.com/ordergap:1", "--bucket", "shop",
           "--role", "arn:aws:iam::123456789012:role/SageMaker")  # fmt: skip


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No account: the SDK's check of the role, which would ask one, is left out."""

    def check(provided_role: str, **_: object) -> str:
        return provided_role

    monkeypatch.setattr(defaults, "resolve_and_validate_role", check)


def test_the_example_starts_the_tuning_job_that_boto3_would(
    account: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, Any] = {}
    monkeypatch.setattr(HyperParameterTuningJob, "create", lambda **words: sent.update(words))
    with_sdk.main([*ACCOUNT, "tune", "--data", "s3://shop/orders/", "--set", "horizons=[14, 30]"])
    config = sent["hyper_parameter_tuning_job_config"]
    objective = config.hyper_parameter_tuning_job_objective
    assert (objective.type, objective.metric_name) == ("Minimize", with_boto3.OBJECTIVE)
    ranges = config.parameter_ranges
    named = [
        *ranges.continuous_parameter_ranges,
        *ranges.integer_parameter_ranges,
        *ranges.categorical_parameter_ranges,
    ]
    assert {entry.name for entry in named} == {
        entry["Name"] for kind in with_boto3.RANGES.values() for entry in kind
    }
    definition = sent["training_job_definition"]
    metrics = definition.algorithm_specification.metric_definitions
    assert {metric.name for metric in metrics} == {metric["Name"] for metric in with_boto3.METRICS}
    assert json.loads(definition.static_hyper_parameters["horizons"]) == [14, 30]


def test_the_example_starts_a_training_job_on_an_account(
    account: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sent(Exception):
        pass

    def create(**words: object) -> None:
        raise Sent(words)

    monkeypatch.setattr(TrainingJob, "create", create)
    with pytest.raises(Sent) as sent:
        with_sdk.main([*ACCOUNT, "train", "--data", "s3://shop/orders/", "--set", "trainer=lstm"])
    (words,) = sent.value.args
    assert words["hyper_parameters"] == {"trainer": "lstm"}
    assert words["enable_network_isolation"] is True
    assert words["input_data_config"][0].data_source.s3_data_source.s3_uri == "s3://shop/orders/"


@pytest.mark.parametrize("more", [(), ("--serverless",)], ids=["real-time", "serverless"])
def test_the_example_isolates_a_model_unless_its_endpoint_is_serverless(
    account: None, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    sent: dict[str, Any] = {}

    class Client:
        def __getattr__(self, name: str) -> Any:
            return lambda **body: sent.setdefault(name, body)

        def get_waiter(self, name: str) -> Any:
            raise StopIteration(name)

    class Account:
        sagemaker_client = Client()

    monkeypatch.setattr(with_sdk, "Session", Account)
    with pytest.raises(StopIteration):
        with_sdk.main([*ACCOUNT, "deploy", "--model-data", "s3://shop/model.tar.gz", *more])
    (variant,) = sent["create_endpoint_config"]["ProductionVariants"]
    assert ("ServerlessConfig" in variant) == bool(more)
    assert sent["create_model"]["EnableNetworkIsolation"] is not bool(more)


@pytest.mark.parametrize(
    "words",
    [("tune", "--data", "s3://b/o"), ("deploy", "--serverless", "--model-data", "s3://b/m")],
)
def test_what_local_mode_cannot_is_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        with_sdk.main(["--local", "--image", "ordergap", *words])
    assert "local mode" in capsys.readouterr().err
