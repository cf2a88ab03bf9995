"""What endpoints run: SageMaker's configurations and models of a market, made and deleted."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from infra.costs import PRICES, REGION, money
from infra.endpoint.alarms import VARIANT, names
from infra.registered import Package, Refused, Stack
from lambdas.shared.registry import MISSING

CANARY_PERCENT = 10
LIMIT = 1800
"""Seconds that a creation may take, and an update beside its waits."""
ENVIRONMENT = {"ORDERGAP_VALUE": "on"}
"""As in the nightly run, so that answers are those of the table."""


class Wanted(NamedTuple):
    """What an endpoint is to run, or runs."""

    image: str
    artifact: str
    instance: str
    instances: int


def create(stack: Stack, endpoint: str, version: str, wanted: Wanted) -> str:
    """Make a model and a configuration, of one name, which is returned."""
    digits = re.sub("[^a-z0-9]", "", version)[-12:]
    name = f"{endpoint}-{digits}-{uuid.uuid4().hex[:8]}"
    stack.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=stack.outputs["SageMakerRoleArn"],
        PrimaryContainer={
            "Image": wanted.image,
            "ModelDataUrl": wanted.artifact,
            "Environment": ENVIRONMENT,
        },
        EnableNetworkIsolation=True,
    )
    variant: Any = {  # which types there are is for AWS to say
        "VariantName": VARIANT,
        "ModelName": name,
        "InstanceType": wanted.instance,
        "InitialInstanceCount": wanted.instances,
    }
    stack.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return name


def delete(stack: Stack, endpoint: str, keep: set[str]) -> tuple[int, int]:
    """Delete the endpoint's configurations and models but some; how many of each."""
    sagemaker = stack.sagemaker
    pattern = re.compile(re.escape(endpoint) + "-[a-z0-9]{1,12}-[0-9a-f]{8}")
    configs = [
        each["EndpointConfigName"]
        for page in sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=endpoint)
        for each in page["EndpointConfigs"]
    ]
    models = [
        each["ModelName"]
        for page in sagemaker.get_paginator("list_models").paginate(NameContains=endpoint)
        for each in page["Models"]
    ]
    old_configs, old_models = (
        [each for each in listed if pattern.fullmatch(each) and each not in keep]
        for listed in (configs, models)
    )
    for each in old_configs:
        sagemaker.delete_endpoint_config(EndpointConfigName=each)
    for each in old_models:
        sagemaker.delete_model(ModelName=each)
    return len(old_configs), len(old_models)


def described(stack: Stack, endpoint: str) -> dict[str, Any]:
    """What AWS says of an endpoint; empty where there is none."""
    try:
        return dict(stack.sagemaker.describe_endpoint(EndpointName=endpoint))
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return {}


def behind(stack: Stack, market: str) -> Iterator[str]:
    """The command to run where the market's endpoint serves another model than the champion."""
    name = stack.group(market)
    if not (found := described(stack, name)):
        return
    package, now = champion(stack, market), running(stack, found["EndpointConfigName"])
    if now is None or (now.image, now.artifact) != (package.image, package.artifact):
        yield (
            f"The endpoint {name} serves another model still. To serve {package.version} there as "
            f"well: make endpoint MARKET={market}"
        )


def deployment(name: str, instances: int, bake: int) -> Any:
    """How an update shifts requests, and the alarms that end it.

    AWS takes a canary of at most half of the instances, so that a single one has none.
    """
    routing: dict[str, Any] = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": bake}
    if instances > 1:
        size = {"Type": "CAPACITY_PERCENT", "Value": CANARY_PERCENT}
        routing = {**routing, "Type": "CANARY", "CanarySize": size}
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": bake,
            "MaximumExecutionTimeoutInSeconds": LIMIT + 2 * bake,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": each} for each in names(name)]},
    }


def cost(wanted: Wanted) -> str:
    """What it costs an hour, asked or not."""
    running = f"{wanted.instances} × {wanted.instance}"
    if not PRICES["endpoint"].meaning.startswith(f"{wanted.instance} "):
        return f"{running}, whose price is not known here, until it is removed with OFF=1"
    dollars = money(PRICES["endpoint"].value * wanted.instances)
    return f"{running}, {dollars} an hour ({REGION}) until it is removed with OFF=1"


def champion(stack: Stack, market: str) -> Package:
    """The newest approved package. Raises Refused where there is none."""
    found = next((p for p in stack.packages(market) if p.status == "Approved"), None)
    if found is None:
        raise Refused(f"{stack.group(market)} has no approved model to serve")
    return found


def running(stack: Stack, config: str) -> Wanted | None:
    """What a configuration runs; None where it, or its model, is not there."""
    if not config:
        return None
    try:
        found = stack.sagemaker.describe_endpoint_config(EndpointConfigName=config)
        variant = found["ProductionVariants"][0]
        model = stack.sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None
    instance, instances = variant.get("InstanceType", ""), variant.get("InitialInstanceCount", 0)
    return Wanted(model["Image"], model["ModelDataUrl"], instance, instances)
