"""`make endpoint` on the laptop's AWS: servers behind an endpoint, updates that end well or not.

The stack is its outputs alone, and alarms are set by hand, since moto evaluates none.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ordergap.contract.hyperparameters import Hyperparameters

from infra.endpoint import alarms, service
from infra.endpoint.__main__ import main
from infra.endpoint.configurations import behind
from infra.endpoint.service import Service
from infra.endpoint.smoke import Smoke, request
from infra.registered import Refused, Stack, connect
from local.aws import REGION, Aws
from local.runners import IMAGE, Container, Launch, Process
from tests.shop import shop, write_csv
from tests.trained import train

pytestmark = pytest.mark.xdist_group("embedded-aws")

STACK, PREFIX, BUCKET = "endpoints", "shop", "endpoint-models"
ARN = "arn:aws:{}:us-east-1:123456789012:{}"
OUTPUTS = {
    "ModelGroupPrefix": PREFIX,
    "RunbookAddress": "docs/operations.md",
    "SageMakerRoleArn": "arn:aws:iam::123456789012:role/sagemaker",
    "TopicArn": ARN.format("sns", "alarms"),
}
SECONDS = 60
OLD, NEW = "0" * 12, "1" * 12
SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
about = json.load(open(sys.argv[1] + "/model/manifest.json"))
version = about["model_version"]
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not body:
            return self.answer(400, b"no body")
        [record] = json.loads(body)["instances"]
        date = about["answer"] or record["as_of"]
        answer = {"next_order_date": date, "model_version": version, **record}
        self.answer(200, json.dumps({"predictions": [answer]}).encode())
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
"""Serves /opt/ml/model, which is a manifest that says what to answer."""


def small(version: str, answer: str = "") -> dict[str, bytes]:
    """A model for SERVER: its files."""
    about = {"model_version": version, "as_of": "2024-12-30", "answer": answer}
    return {"manifest.json": json.dumps(about).encode()}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run SERVER, which starts at once."""

    def start(self: Process, launch: Launch) -> Container:
        words = [sys.executable, "-c", SERVER, str(launch.opt_ml), str(launch.port)]
        process = subprocess.Popen(words, stdout=launch.log, stderr=launch.log)
        return Container(process, process.kill)

    monkeypatch.setattr(Process, "start", start)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Version -> files of two models that differ."""
    models = {}
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp("model")
        orders = write_csv(shop(30, seed=seed), folder / "orders.csv")
        settings = Hyperparameters(trainer="naive", outlier_contamination=0)
        version = train(settings, orders, folder / "model").model_version
        paths = [path for path in (folder / "model").rglob("*") if path.is_file()]
        models[version] = {
            str(path.relative_to(folder / "model")): path.read_bytes() for path in paths
        }
    return models


@pytest.fixture(scope="module")
def clients(aws: Aws) -> Iterator[tuple[Stack, Any, Any]]:
    """A stack with the outputs that the command reads, and clients of two services."""
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in OUTPUTS.items()},
    }
    aws.cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    aws.s3.create_bucket(Bucket=BUCKET)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "local")
        yield (
            connect(STACK, REGION, aws.endpoint),
            aws._session.client("cloudwatch", endpoint_url=aws.endpoint),
            aws._session.client("sagemaker-runtime", endpoint_url=aws.endpoint),
        )


class Market:
    """A market's packages, and its endpoint."""

    def __init__(self, aws: Aws, clients: tuple[Stack, Any, Any], name: str) -> None:
        self.aws, self.name, self.endpoint = aws, name, f"{PREFIX}-{name}"
        self.stack, self.cloudwatch, self.runtime = clients
        aws.sagemaker.create_model_package_group(ModelPackageGroupName=self.endpoint)

    def register(self, version: str, files: Mapping[str, bytes], status: str = "Approved") -> str:
        """Register a model; the ARN of its package."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        key = f"models/{self.name}/{version}/model.tar.gz"
        self.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=archive.getvalue())
        artifact = f"s3://{BUCKET}/{key}"
        return self.aws.sagemaker.create_model_package(
            ModelPackageGroupName=self.endpoint,
            ModelApprovalStatus=status,  # type: ignore[arg-type]
            InferenceSpecification={
                "Containers": [{"Image": IMAGE, "ModelDataUrl": artifact}],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            CustomerMetadataProperties={"model_version": version, "artifact": artifact},
        )["ModelPackageArn"]

    def serve(
        self, bake: int = 0, instance: str | None = None, instances: int | None = None
    ) -> str:
        made = Service(self.stack, self.cloudwatch, self.runtime, self.name, bake, seconds=0.02)
        return "\n".join(made.serve(instance, instances))

    def remove(self) -> str:
        made = Service(self.stack, self.cloudwatch, self.runtime, self.name, seconds=0.02)
        return " ".join(made.remove())

    def smoke(self) -> Smoke:
        return request(self.aws.s3, self.stack.packages(self.name)[-1])

    def ask(self, body: bytes) -> str:
        """The version of the model that answers."""
        answer = self.runtime.invoke_endpoint(
            EndpointName=self.endpoint, ContentType="application/json", Body=body
        )
        return str(json.loads(answer["Body"].read())["predictions"][0]["model_version"])

    def described(self) -> dict[str, Any]:
        return dict(self.aws.sagemaker.describe_endpoint(EndpointName=self.endpoint))

    def config(self) -> str:
        return str(self.described()["EndpointConfigName"])

    def configs(self) -> set[str]:
        listed = self.aws.sagemaker.list_endpoint_configs(NameContains=f"{self.endpoint}-")
        return {each["EndpointConfigName"] for each in listed["EndpointConfigs"]}

    def models(self) -> set[str]:
        listed = [each["ModelName"] for each in self.aws.sagemaker.list_models()["Models"]]
        return {name for name in listed if name.startswith(f"{self.endpoint}-")}

    def bake(self) -> None:
        """Wait until an update looks at alarms."""
        end = time.monotonic() + SECONDS
        while "Baking" not in str(found := self.described()):
            assert time.monotonic() < end, found
            time.sleep(0.01)

    @contextmanager
    def clients(self) -> Iterator[Counter[str]]:
        """Two clients that ask without a pause; who answered, or the error."""
        answers, stopping, body = Counter[str](), threading.Event(), self.smoke().body

        def run() -> None:
            while not stopping.is_set():
                try:
                    answers[self.ask(body)] += 1
                except Exception as error:  # noqa: BLE001 - counted, and shown by the test
                    answers[repr(error)] += 1

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            stopping.set()
            for thread in threads:
                thread.join()


@pytest.fixture
def market(aws: Aws, clients: tuple[Stack, Any, Any], request: pytest.FixtureRequest) -> Market:
    return Market(aws, clients, f"m{sum(map(ord, request.node.name))}")


def test_an_update_under_load_loses_no_request_and_one_that_cannot_load_is_rolled_back(
    market: Market, trained: dict[str, dict[str, bytes]]
) -> None:
    (old, files), (new, more) = trained.items()
    market.register(old, files)
    assert market.serve().endswith(f"{market.endpoint} serves model {old}")
    before = market.config()
    market.register(new, more)
    with market.clients() as answers:
        said = market.serve()
        end = time.monotonic() + SECONDS
        while not answers[new]:
            assert time.monotonic() < end, answers
            time.sleep(0.01)
    assert f"{market.endpoint} serves model {new}" in said
    assert set(answers) == {old, new}, answers
    now = market.config()
    assert market.configs() == market.models() == {before, now}

    damaged = {name: content if name == "manifest.json" else b"" for name, content in more.items()}
    market.register("damaged", damaged)
    with (
        market.clients() as answers,
        pytest.raises(Refused, match=rf"ROLLED BACK to {now}.*ended with exit code 1 before"),
    ):
        market.serve()
    assert set(answers) == {new}, answers
    found = market.described()
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", now)
    assert market.configs() == market.models() == {now}
    assert "1 endpoint, 1 configurations, 1 models, 3 alarms" in market.remove()


def test_an_alarm_during_the_canary_rolls_back(market: Market, servers: None) -> None:
    market.register(OLD, small(OLD))
    market.serve()
    before, body = market.config(), market.smoke().body
    market.register(NEW, small(NEW))
    counted = Counter[str]()

    def raise_alarm() -> None:
        market.bake()
        counted.update(market.ask(body) for _ in range(100))
        market.cloudwatch.set_alarm_state(
            AlarmName=f"{market.endpoint}-latency", StateValue="ALARM", StateReason="by hand"
        )

    thread = threading.Thread(target=raise_alarm)
    thread.start()
    with pytest.raises(Refused, match=rf"ROLLED BACK to {before}.*raised are \S+-latency"):
        market.serve(bake=SECONDS)
    thread.join()
    assert 5 <= counted[NEW] <= 15, counted  # other requests come between
    assert counted[OLD] == 100 - counted[NEW]
    assert (market.described()["EndpointStatus"], market.config()) == ("InService", before)
    assert market.ask(body) == OLD
    assert market.configs() == {before}
    # The next try asks until no alarm is raised, and one that stays ends it before any change.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alarms, "put", lambda *_: None)  # moto's resets the state
        patch.setattr(service, "QUIET_SECONDS", 0.1)
        with pytest.raises(Refused, match="-latency: raised before the update, nothing was"):
            market.serve()
    assert market.configs() == {before}
    market.remove()


@pytest.mark.parametrize("instances", [1, 2])
def test_a_wrong_answer_rolls_back(market: Market, servers: None, instances: int) -> None:
    market.register(OLD, small(OLD))
    market.serve(instances=instances)
    before = market.config()
    market.register(NEW, small(NEW, answer="tomorrow"))
    with pytest.raises(
        Refused, match=rf"ROLLED BACK to {before}.*-errors.*is no forecast.*tomorrow"
    ):
        market.serve(bake=SECONDS)
    assert market.ask(market.smoke().body) == OLD
    assert market.remove().count("1 configurations") == 1


def test_a_first_endpoint_that_fails_leaves_nothing(market: Market, servers: None) -> None:
    market.register(NEW, small(NEW, answer="tomorrow"))
    with pytest.raises(Refused, match=r"was not made: .* does not answer: .*tomorrow"):
        market.serve()
    market.register(NEW, {**small(NEW), "manifest.json": b"{}"})  # with which SERVER ends
    with pytest.raises(Refused, match=r"is Failed with .*exit code 1 before it answered"):
        market.serve()
    with pytest.raises(ClientError, match="Could not find"):
        market.described()
    assert not market.configs() | market.models()
    left = market.cloudwatch.describe_alarms(AlarmNames=alarms.names(market.endpoint))
    assert not left["MetricAlarms"]


def test_the_champion_is_served_by_the_instances_that_are_asked_for(
    market: Market, servers: None, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--stack", STACK, "--region", REGION, "--endpoint-url", market.aws.endpoint]
    where += ["--market", market.name]
    with pytest.raises(Refused, match="has no model"):
        market.serve()
    rejected = market.register(NEW, small(NEW), "Rejected")
    with pytest.raises(Refused, match="has no approved model"):
        market.serve()
    approved = market.register(OLD, small(OLD))
    assert not [*behind(market.stack, market.name)]
    with pytest.raises(SystemExit):
        main([*where, "--instances", "0"])

    assert "3 × ml.m5.large, $0.35 an hour" in market.serve(instances=3)
    said = market.serve()  # with the instances that it has
    assert said == f"{market.endpoint} serves model {OLD} already: nothing was done"
    known = {package.arn: package.known for package in market.stack.packages(market.name)}
    for arn, status in ((rejected, "Approved"), (approved, "Rejected")):
        market.aws.sagemaker.update_model_package(
            ModelPackageArn=arn,
            ModelApprovalStatus=status,  # type: ignore[arg-type]
            CustomerMetadataProperties=known[arn],
        )
    [said] = behind(market.stack, market.name)
    assert f"To serve {NEW} there as well: make endpoint MARKET={market.name}" in said
    assert "3 × ml.c5.large, whose price is not known here" in market.serve(instance="ml.c5.large")
    assert market.ask(market.smoke().body) == NEW
    assert not [*behind(market.stack, market.name)]
    before = market.config()
    market.serve(instance="ml.m5.large")
    assert market.configs() == market.models() == {before, market.config()}

    assert main([*where, "--off"]) == 0
    removed = "is removed: 1 endpoint, 2 configurations, 2 models, 3 alarms"
    assert removed in capsys.readouterr().out
    assert "there is no endpoint" in market.remove()


def test_the_emulated_api_refuses_as_aws_does(market: Market, servers: None) -> None:
    sagemaker, name = market.aws.sagemaker, market.endpoint
    with pytest.raises(ClientError, match=r"ValidationException.*Could not find"):
        sagemaker.delete_endpoint(EndpointName=name)
    with pytest.raises(ClientError, match=r"ValidationError.*not found"):
        market.runtime.invoke_endpoint(EndpointName=name, Body=b"")
    market.register(OLD, small(OLD))
    market.serve()
    config = market.config()
    with pytest.raises(ClientError, match="already existing"):
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    for size in (51, 100):
        canary: Any = {"Type": "CANARY", "WaitIntervalInSeconds": 0}
        canary["CanarySize"] = {"Type": "CAPACITY_PERCENT", "Value": size}
        with pytest.raises(ClientError, match="at most 50 %"):
            sagemaker.update_endpoint(
                EndpointName=name,
                EndpointConfigName=config,
                DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": canary}},
            )
    with pytest.raises(ClientError, match=r"ModelError.*no body") as refused:
        market.runtime.invoke_endpoint(EndpointName=name, Body=b"")
    assert refused.value.response.get("OriginalStatusCode") == 400
    rolled: Any = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": SECONDS,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"{name}-errors"}]},
    }
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, DeploymentConfig=rolled)
    with pytest.raises(ClientError, match=r"delete .*which is Updating"):
        sagemaker.delete_endpoint(EndpointName=name)
    with pytest.raises(ClientError, match=r"update .*which is Updating"):
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    with pytest.raises(Refused, match="is Updating: wait until it is InService"):
        market.serve()
    with pytest.raises(Refused, match="is Updating: wait until it is not"):
        market.remove()
    market.cloudwatch.delete_alarms(AlarmNames=[f"{name}-errors"])  # as one that is raised
    end = time.monotonic() + SECONDS
    while market.described()["EndpointStatus"] != "InService":
        assert time.monotonic() < end
        time.sleep(0.01)
    assert f"{name}-errors" in market.described()["FailureReason"]
    market.remove()
