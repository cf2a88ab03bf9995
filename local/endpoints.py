"""SageMaker's real-time endpoints, which moto only records, and their updates, which it lacks.

One container stands for all instances of an endpoint's first variant. An update is blue/green: the
new container gets the canary's share of the requests, then all, and takes over unless an alarm is
raised meanwhile. Waits last as long as on AWS. Moto evaluates no alarm: they are set by hand.

See docs/decisions/testing.md#an-endpoint-on-a-laptop-has-servers.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import unquote

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local.aws import ACCOUNT, REGION, Aws
from local.fleets import Answer, Endpoint, Fleet
from local.jobs import JobFailed
from local.runners import NoImage, Runner

CHANGING = {"Creating", "Updating", "RollingBack"}
SERVING = {"InService", "Updating", "RollingBack"}
LOOK_SECONDS = 0.05
"""Between looks at the alarms."""


class _Stopped(Exception):
    """The emulated AWS ends."""


class _Raised(Exception):
    """An alarm was raised; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Plan:
    """The steps of an update, each a percentage of the requests and seconds, and its alarms."""

    steps: list[tuple[int, float]]
    alarms: list[str]

    @classmethod
    def of(cls, deployment: Mapping[str, Any]) -> Self:
        """The plan of a DeploymentConfig. Raises ValidationError."""
        policy = deployment.get("BlueGreenUpdatePolicy", {})
        routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE"})
        alarms = deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        steps: list[tuple[int, float]] = [(100, policy.get("TerminationWaitInSeconds", 0))]
        if routing["Type"] == "CANARY":
            size = routing["CanarySize"]
            if size["Type"] != "CAPACITY_PERCENT" or size["Value"] > 50:
                raise ValidationError("A canary is emulated of at most 50 % of the capacity.")
            steps.insert(0, (size["Value"], routing["WaitIntervalInSeconds"]))
        elif routing["Type"] != "ALL_AT_ONCE" or "RollingUpdatePolicy" in deployment:
            raise ValidationError("Updates other than CANARY and ALL_AT_ONCE are not emulated.")
        return cls(steps, [each["AlarmName"] for each in alarms])


class Endpoints:
    """The endpoints of an emulated AWS. As a context it handles their calls and stops them."""

    def __init__(self, aws: Aws, runner: Runner) -> None:
        self._aws, self._runner = aws, runner
        self._endpoints: dict[str, Endpoint] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        create, delete = SageMakerResponse.create_endpoint, SageMakerResponse.delete_endpoint
        self._replace(
            SageMakerResponse, "create_endpoint", lambda response: self._create(response, create)
        )
        self._replace(SageMakerResponse, "update_endpoint", self._update)
        self._replace(
            SageMakerResponse, "delete_endpoint", lambda response: self._delete(response, delete)
        )
        self._replace(SageMakerRuntimeResponse, "invoke_endpoint", self._invoke)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for endpoint in self._endpoints.values():
            endpoint.retire(endpoint.blue)

    def _replace(self, responses: type[Any], name: str, handle: Callable[[Any], object]) -> None:
        def replacement(response: object) -> object:  # a function: it becomes a method
            return handle(response)

        self._stack.enter_context(patch.object(responses, name, replacement, create=True))

    def _create(
        self, response: SageMakerResponse, create: Callable[[SageMakerResponse], ActionResult]
    ) -> ActionResult:
        name = json.loads(response.body)["EndpointName"]
        if name in self._endpoints:
            raise ValidationError(f"Cannot create already existing endpoint {name}.")
        result = create(response)
        endpoint = Endpoint(response.sagemaker_backend.endpoints[name])
        self._endpoints[name] = endpoint
        endpoint.note("Creating")
        self._begin(self._run_creation, endpoint)
        return result

    def _update(self, response: SageMakerResponse) -> ActionResult:
        request = json.loads(response.body)
        endpoint = self._found(request["EndpointName"], "update")
        name = request["EndpointConfigName"]
        config = response.sagemaker_backend.describe_endpoint_config(name)
        plan = Plan.of(request.get("DeploymentConfig", {}))
        endpoint.note("Updating", failure_reason=None)
        endpoint.stage(name, "Creating")
        self._begin(self._run_update, endpoint, config, plan)
        return ActionResult({"EndpointArn": endpoint.record.arn})

    def _delete(
        self, response: SageMakerResponse, delete: Callable[[SageMakerResponse], ActionResult]
    ) -> ActionResult:
        name = json.loads(response.body)["EndpointName"]
        endpoint = self._found(name, "delete")
        delete(response)
        del self._endpoints[name]
        endpoint.retire(endpoint.blue)
        return EmptyResult()

    def _found(self, name: str, action: str) -> Endpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise ValidationError(f'Could not find endpoint "{name}".')
        if (status := endpoint.record.endpoint_status) in CHANGING:
            raise ValidationError(f'Cannot {action} endpoint "{name}", which is {status}.')
        return endpoint

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run_creation(self, endpoint: Endpoint) -> None:
        name = endpoint.record.endpoint_config_name
        config = self._aws.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        try:
            endpoint.blue = Fleet.start(self._aws, self._runner, config, self._wait)
        except (JobFailed, NoImage, _Stopped) as error:
            endpoint.note("Failed", failure_reason=str(error))
        else:
            endpoint.note("InService")

    def _run_update(self, endpoint: Endpoint, config: Mapping[str, Any], plan: Plan) -> None:
        name = config["EndpointConfigName"]
        try:
            endpoint.green = Fleet.start(self._aws, self._runner, config, self._wait)
            for percent, seconds in plan.steps:
                endpoint.stage(name, "Baking")
                endpoint.percent = percent
                self._bake(plan.alarms, seconds)
        except (JobFailed, NoImage, _Raised, _Stopped) as error:
            endpoint.note("RollingBack")
            endpoint.end_update(succeeded=False)
            endpoint.note("InService", failure_reason=str(error), pending_deployment_summary=None)
        else:
            endpoint.end_update(succeeded=True)
            variants = endpoint.record._process_production_variants(  # noqa: SLF001
                config["ProductionVariants"]
            )
            endpoint.note(
                "InService",
                endpoint_config_name=name,
                production_variants=variants,
                pending_deployment_summary=None,
            )

    def _bake(self, alarms: list[str], seconds: float) -> None:
        """Wait. Raises _Raised where an alarm is raised or missing, and _Stopped."""
        end = time.monotonic() + seconds
        while True:
            known = cloudwatch_backends[ACCOUNT][REGION].alarms
            raised = [n for n in alarms if n not in known or known[n].state_value == "ALARM"]
            if raised:
                raise _Raised(f"One or more alarms are in the state ALARM: {', '.join(raised)}")
            if time.monotonic() >= end:
                return
            self._wait(LOOK_SECONDS)

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _Stopped

    def _invoke(self, response: SageMakerRuntimeResponse) -> Answer:
        name = unquote(response.path.split("/")[2])
        endpoint = self._endpoints.get(name)
        if endpoint is None or endpoint.record.endpoint_status not in SERVING:
            said = f"Endpoint {name} of account {ACCOUNT} not found."
            return _error(400, "ValidationError", Message=said)
        with endpoint.fleet() as fleet:
            status, headers, body = fleet.post(response.headers, response.raw_body)
        if status != 200:
            text = body.decode(errors="replace")
            said = f"Received error ({status}) from primary with message {text!r}."
            return _error(
                424, "ModelError", Message=said, OriginalStatusCode=status, OriginalMessage=text
            )
        variant = endpoint.record.production_variants[0]["VariantName"]
        return 200, {**headers, "x-Amzn-Invoked-Production-Variant": variant}, body


def _error(status: int, code: str, **content: object) -> Answer:
    headers = {"status": str(status), "x-amzn-ErrorType": code, "Content-Type": "application/json"}
    return status, headers, json.dumps(content).encode()
