"""The requests of `make endpoint`, held against AWS's models, and what it takes for an answer."""

from __future__ import annotations

import ast
import datetime
import io
import json
import re
import string
import tarfile
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ordergap.contract.hyperparameters import parse
from ordergap.serving.formats.records import Rules, read

from docs.links import anchors
from infra.doctor import shapes
from infra.doctor.runs import MARKET, PREFIX
from infra.endpoint import alarms, configurations
from infra.endpoint.configurations import Wanted
from infra.endpoint.service import Service
from infra.endpoint.smoke import Smoke, Wrong, request
from infra.registered import Package, Refused, Stack
from tests.stack import ROOT, TEMPLATE

CODE = {path: path.read_text() for path in (ROOT / "infra/endpoint").glob("*.py")}
OUTPUTS = {"SageMakerRoleArn": "arn:aws:iam::123456789012:role/sagemaker"}
ARTIFACT = "s3://shop/models/uk/model.tar.gz"
MARKETS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", fullmatch=True)


def stack(sagemaker: Any) -> Stack:
    return Stack(Mock(), sagemaker, Mock(), Mock(), {**OUTPUTS})


def sent(client: Mock) -> Iterator[tuple[str, dict[str, Any]]]:
    """Operation and parameters of the requests to a client."""
    for name, _, parameters in client.method_calls:
        yield name.title().replace("_", ""), parameters


@given(st.integers(1, 100), st.integers(0, 3600))
def test_an_update_is_what_aws_takes(instances: int, bake: int) -> None:
    config = configurations.deployment("shop-uk", instances, bake)
    names = {"EndpointName": "shop-uk", "EndpointConfigName": "new", "DeploymentConfig": config}
    assert not list(shapes.problems("sagemaker", "UpdateEndpoint", names))
    policy = config["BlueGreenUpdatePolicy"]
    routing = policy["TrafficRoutingConfiguration"]
    assert routing["Type"] == ("CANARY" if instances > 1 else "ALL_AT_ONCE")
    assert ("CanarySize" in routing) == (instances > 1)
    waits = routing["WaitIntervalInSeconds"] + policy["TerminationWaitInSeconds"]
    assert policy["MaximumExecutionTimeoutInSeconds"] > waits + 600
    assert [each["AlarmName"] for each in config["AutoRollbackConfiguration"]["Alarms"]] == [
        "shop-uk-errors", "shop-uk-latency", "shop-uk-silent",
    ]  # fmt: skip


def test_alarms_are_of_the_endpoint_and_link_to_the_runbook() -> None:
    cloudwatch = Mock()
    runbook = TEMPLATE["Parameters"]["Runbook"]["Default"]
    alarms.put(cloudwatch, "shop-uk", "arn:topic", runbook)
    lines = anchors((ROOT / runbook).read_text())
    made = {}
    for operation, each in sent(cloudwatch):
        assert not list(shapes.problems("cloudwatch", operation, each))
        assert each["AlarmDescription"].rpartition("#")[2] in lines
        assert {pair["Name"]: pair["Value"] for pair in each["Dimensions"]} == {
            "EndpointName": "shop-uk",
            "VariantName": "AllTraffic",
        }
        made[each["AlarmName"]] = each
    assert list(made) == alarms.names("shop-uk")
    silent = made["shop-uk-silent"]
    assert (silent["MetricName"], silent["TreatMissingData"]) == ("Invocations", "breaching")
    told = {name for name, each in made.items() if each["AlarmActions"]}
    assert told == {"shop-uk-errors", "shop-uk-latency"}


@pytest.mark.parametrize("version", ["62cbd49dd35c", "arn:aws:sagemaker:x:1:model-package/shop/1"])
def test_the_longest_names_fit(version: str) -> None:
    sagemaker, endpoint = Mock(), f"{PREFIX}-{MARKET}"
    wanted = Wanted("image", ARTIFACT, "ml.m5.large", 2)
    name = configurations.create(stack(sagemaker), endpoint, version, wanted)
    requests = list(sent(sagemaker))
    assert [operation for operation, _ in requests] == ["CreateModel", "CreateEndpointConfig"]
    for operation, parameters in requests:
        assert not list(shapes.problems("sagemaker", operation, parameters))
        assert name in parameters.values()
    names = {"EndpointName": endpoint, "EndpointConfigName": name}
    assert not list(shapes.problems("sagemaker", "CreateEndpoint", names))


@settings(max_examples=20)
@given(MARKETS, MARKETS)
@example("uk", "uk")
@example("uk", "uk-62cbd49dd35c")
@example("uk-62cbd49dd35c", "uk")
def test_only_what_was_made_for_the_market_is_deleted(market: str, other: str) -> None:
    wanted = Wanted("image", ARTIFACT, "ml.m5.large", 2)
    own, kept, foreign = (
        configurations.create(stack(Mock()), f"shop-{name}", "62cbd49dd35c", wanted)
        for name in (market, market, other)
    )
    of_run = f"shop-{market}-2011-12-09-3f2a9c1b7d04"
    sagemaker = Mock()
    names = [own, kept, foreign, of_run]
    sagemaker.get_paginator.return_value.paginate.return_value = [
        {
            "EndpointConfigs": [{"EndpointConfigName": each} for each in names],
            "Models": [{"ModelName": each} for each in names],
        }
    ]
    expected = {own} | ({foreign} if market == other else set())
    counts = configurations.delete(stack(sagemaker), f"shop-{market}", keep={kept})
    assert counts == (len(expected), len(expected))
    configs = {
        call.kwargs["EndpointConfigName"] for call in sagemaker.delete_endpoint_config.mock_calls
    }
    models = {call.kwargs["ModelName"] for call in sagemaker.delete_model.mock_calls}
    assert configs == models == expected


def package(**fields: Any) -> Package:
    made = datetime.datetime(2024, 12, 31, 4, tzinfo=datetime.UTC)
    return Package("arn", "62cbd49dd35c", "Approved", made, ARTIFACT, "", None, "", "", {})


def holding(**files: bytes) -> Any:
    """An S3 with an archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return Mock(**{"get_object.return_value": {"Body": io.BytesIO(archive.getvalue())}})


@given(
    st.dates(datetime.date(1901, 1, 1), datetime.date(2199, 1, 1)),
    st.lists(st.text(string.ascii_letters, min_size=1), max_size=3),
)
def test_the_smoke_request_is_one_that_the_model_must_answer(
    as_of: datetime.date, hashed: list[str]
) -> None:
    learnt = parse({"hashed_columns": ",".join(hashed)})
    about = {"as_of": str(as_of), "hyperparameters": learnt.model_dump(mode="json")}
    smoke = request(holding(manifest_json=json.dumps(about).encode()), package())
    content = json.loads(smoke.body)
    histories, days = read(content["instances"], 0, rules=Rules.of(learnt))
    assert len(histories) == 3
    assert days.tolist() == [(as_of - datetime.date(1970, 1, 1)).days]
    assert smoke.as_of == as_of


def test_an_artefact_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refused, match="model 62cbd49dd35c cannot be read"):
        request(holding(other=b""), package())
    with pytest.raises(Refused, match="model 62cbd49dd35c cannot be read"):
        request(holding(manifest_json=b"{"), package())
    assert str(request(holding(manifest_json=b"{}"), package()).as_of) == "2024-12-31"


GOOD = {"customer_id": "smoke-test", "next_order_date": "2025-01-09", "model_version": "a"}


def ask(text: str) -> str:
    runtime = Mock(**{"invoke_endpoint.return_value": {"Body": io.BytesIO(text.encode())}})
    return Smoke(datetime.date(2024, 12, 31), b"{}").ask(runtime, "shop-uk")


def test_an_answer_is_a_forecast_of_the_customer() -> None:
    assert ask(json.dumps({"predictions": [GOOD]})) == "a"
    wrong = [
        {**GOOD, "customer_id": "another"},
        {**GOOD, "next_order_date": "2024-12-30"},
        {**GOOD, "next_order_date": None},
        {name: value for name, value in GOOD.items() if name != "model_version"},
    ]
    texts = [json.dumps({"predictions": [each]}) for each in wrong]
    texts += [
        json.dumps({"predictions": [GOOD, GOOD]}),
        '{"predictions": []}',
        "[]",
        "body",
        "null",
    ]
    for text in texts:
        with pytest.raises(Wrong, match="is no forecast"):
            ask(text)
    error = ClientError({"Error": {"Code": "ModelError", "Message": "500"}}, "InvokeEndpoint")
    runtime = Mock(**{"invoke_endpoint.side_effect": error})
    with pytest.raises(Wrong, match="ModelError"):
        Smoke(datetime.date(2024, 12, 31), b"{}").ask(runtime, "shop-uk")


@pytest.mark.parametrize(
    ("status", "config", "said", "deleted"),
    [
        ("InService", "old", "^ROLLED BACK to old", True),
        ("UpdateRollbackFailed", "old", "^shop-uk is UpdateRollbackFailed", False),
        ("OutOfService", "new", "^shop-uk is OutOfService", False),
    ],
)
def test_only_an_endpoint_that_serves_the_old_model_is_called_rolled_back(
    monkeypatch: pytest.MonkeyPatch, status: str, config: str, said: str, deleted: bool
) -> None:
    found = {"EndpointStatus": status, "EndpointConfigName": config, "FailureReason": "capacity"}
    delete, made = Mock(), stack(Mock())
    made.outputs.update(ModelGroupPrefix="shop", TopicArn="", RunbookAddress="")
    monkeypatch.setattr(configurations, "create", lambda *_: "new")
    monkeypatch.setattr(configurations, "described", lambda *_: found)
    monkeypatch.setattr(configurations, "delete", delete)
    monkeypatch.setattr(alarms, "raised", lambda *_: [])
    service = Service(made, Mock(), Mock(), "uk", seconds=0)
    wanted = Wanted("image", ARTIFACT, "ml.m5.large", 2)
    with pytest.raises(Refused, match=rf"{said}.*\(capacity\)"):
        list(service._update(package(), wanted, Smoke(datetime.date(2024, 12, 31), b"{}"), "old"))
    assert delete.called == deleted


def test_the_price_is_said_where_it_is_known() -> None:
    assert "$0.23 an hour" in configurations.cost(Wanted("", "", "ml.m5.large", 2))
    for instance in ("ml.m5", "ml.c5.large"):
        assert "not known" in configurations.cost(Wanted("", "", instance, 2))


def test_the_page_names_the_rights_of_every_call() -> None:
    """A right that is missing there ends an update in the middle."""
    page = (ROOT / "docs/sagemaker.md").read_text()
    [listed] = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    words = set(re.findall(r"\w+", listed))
    clients = {"sagemaker", "cloudwatch", "runtime"}
    called = {
        node.func.attr
        for text in CODE.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value).rpartition(".")[2] in clients
    }
    listings = set(re.findall(r'get_paginator\("(\w+)"\)', "".join(CODE.values())))
    needed = {name.title().replace("_", "") for name in called - {"get_paginator"} | listings}
    assert {"UpdateEndpoint", "PutMetricAlarm", "ListModels"} <= needed
    assert not needed - words
