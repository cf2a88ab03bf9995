"""A market's endpoint: made, updated by a canary with alarms, read back, and removed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from infra.endpoint import alarms, configurations
from infra.endpoint.configurations import LIMIT, Wanted
from infra.endpoint.smoke import Smoke, Wrong, request
from infra.registered import Package, Refused, Stack

INSTANCE, INSTANCES = "ml.m5.large", 2
CHANGING = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
QUIET_SECONDS = 600
"""In which alarms from before an update must end."""


@dataclass
class Service:
    """The endpoint of a market.

    bake     seconds that alarms are looked at with the canary, and again with all requests
    seconds  between looks, with a smoke request each
    """

    stack: Stack
    cloudwatch: Any
    runtime: Any
    market: str
    bake: int = 300
    seconds: float = 1.0
    answered: Counter[str] = field(default_factory=Counter)
    """Version of a model -> the smoke requests of an update that it has answered."""
    wrong: list[str] = field(default_factory=list)
    """What was wrong with the others."""

    @property
    def name(self) -> str:
        """The endpoint's name, which is that of the market's group of model packages."""
        return self.stack.group(self.market)

    def serve(self, instance: str | None, instances: int | None) -> Iterator[str]:
        """Serve the newest approved package; yields what is done, in sentences.

        instance, instances  of the configuration; None for those in use, or the defaults

        Raises Refused; a first endpoint that fails is removed again, and an update that fails
        leaves the old configuration in use, unless the message says otherwise.
        """
        if "SageMakerRoleArn" not in self.stack.outputs:
            raise Refused("the stack is of an earlier version: make deploy")
        package = configurations.champion(self.stack, self.market)
        smoke = request(self.stack.s3, package)
        found = self._described()
        running = configurations.running(self.stack, found.get("EndpointConfigName", ""))
        wanted = Wanted(
            package.image,
            package.artifact,
            instance or (running and running.instance) or INSTANCE,
            instances or (running and running.instances) or INSTANCES,
        )
        if not found:
            yield from self._create(package, wanted, smoke)
        elif (status := found["EndpointStatus"]) != "InService":
            raise Refused(
                f"{self.name} is {status}{_because(found)}: wait until it is InService, or remove "
                "it with OFF=1"
            )
        elif running == wanted:
            yield f"{self.name} serves model {package.version} already: nothing was done"
        else:
            yield from self._update(package, wanted, smoke, found["EndpointConfigName"])

    def remove(self) -> Iterator[str]:
        """Delete the endpoint, its configurations, models and alarms. Raises Refused."""
        if found := self._described():
            if (status := found["EndpointStatus"]) in CHANGING:
                raise Refused(f"{self.name} is {status}: wait until it is not, then repeat OFF=1")
            self.stack.sagemaker.delete_endpoint(EndpointName=self.name)
            while self._described():
                time.sleep(self.seconds)
        configs, models = configurations.delete(self.stack, self.name, keep=set())
        watched = alarms.delete(self.cloudwatch, self.name)
        if not (found or configs or models or watched):
            yield f"there is no endpoint {self.name}: nothing was done"
            return
        counted = f"{bool(found):d} endpoint, {configs} configurations, {models} models"
        yield f"{self.name} is removed: {counted}, {watched} alarms"

    def _create(self, package: Package, wanted: Wanted, smoke: Smoke) -> Iterator[str]:
        yield f"{self.name}: {configurations.cost(wanted)}"
        try:
            name = configurations.create(self.stack, self.name, package.version, wanted)
            self._watch()
            self.stack.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=name)
            yield from self._wait(LIMIT)
            self._read_back(name)
            self._answers(package, smoke)
        except (Refused, ClientError) as error:
            yield from self.remove()
            raise Refused(f"{self.name} was not made: {error}") from error
        yield f"{self.name} serves model {package.version}"

    def _update(self, package: Package, wanted: Wanted, smoke: Smoke, old: str) -> Iterator[str]:
        yield f"{self.name}: {configurations.cost(wanted)}; twice as many during the update"
        self._watch()
        yield from self._quiet(smoke)
        name = configurations.create(self.stack, self.name, package.version, wanted)
        try:
            self.stack.sagemaker.update_endpoint(
                EndpointName=self.name,
                EndpointConfigName=name,
                DeploymentConfig=configurations.deployment(self.name, wanted.instances, self.bake),
            )
        except ClientError:
            configurations.delete(self.stack, self.name, keep={old})
            raise
        yield from self._wait(LIMIT + 2 * self.bake, smoke)
        try:
            self._read_back(name)
        except Refused as error:
            found = self._described()
            if (found.get("EndpointStatus"), found.get("EndpointConfigName")) == ("InService", old):
                configurations.delete(self.stack, self.name, keep={old})
                raise Refused(f"ROLLED BACK to {old}, which serves as before: {error}") from error
            raise
        self._answers(package, smoke)
        if self.wrong:
            raise Refused(
                f"{self.name} serves model {package.version}, but {len(self.wrong)} smoke requests "
                f"failed, the first: {self.wrong[0]}"
            )
        configurations.delete(self.stack, self.name, keep={name, old})
        counted = ", ".join(f"{many} by {version}" for version, many in self.answered.items())
        yield f"{self.name} serves model {package.version}; smoke requests answered: {counted}"

    def _read_back(self, name: str) -> None:
        """Raise Refused unless the endpoint has the configuration: a rollback is InService too."""
        found = self._described()
        status, config = found.get("EndpointStatus"), found.get("EndpointConfigName")
        if (status, config) == ("InService", name):
            return
        why = [f"{self.name} is {status} with {config}{_because(found)}"]
        if raised := alarms.raised(self.cloudwatch, self.name):
            why.append(f"raised are {', '.join(raised)}")
        raise Refused("; ".join([*why, *self.wrong[:1]]))

    def _answers(self, package: Package, smoke: Smoke) -> None:
        """Raise Refused unless the endpoint answers by the package's model."""
        try:
            version = smoke.ask(self.runtime, self.name)
        except Wrong as error:
            raise Refused(f"{self.name} does not answer: {error}") from error
        if version != package.version:
            raise Refused(f"{self.name} answers by model {version}, not {package.version}")

    def _watch(self) -> None:
        outputs = self.stack.outputs
        alarms.put(self.cloudwatch, self.name, outputs["TopicArn"], outputs["RunbookAddress"])

    def _quiet(self, smoke: Smoke) -> Iterator[str]:
        """Ask until no alarm is raised, which would end the update. Raises Refused."""
        end, said = time.monotonic() + QUIET_SECONDS, ""
        while raised := ", ".join(alarms.raised(self.cloudwatch, self.name)):
            if raised != said:
                yield f"waiting for the end of {raised}"
                said = raised
            if time.monotonic() > end:
                raise Refused(
                    f"{raised}: raised before the update, nothing was changed. See the runbook; "
                    "an endpoint that cannot be mended is removed with OFF=1"
                )
            try:
                smoke.ask(self.runtime, self.name)
            except Wrong as error:
                raise Refused(
                    f"{self.name} does not answer as it is, nothing was changed: {error}. See its "
                    "log, or remove it with OFF=1"
                ) from error
            time.sleep(self.seconds)

    def _wait(self, limit: float, smoke: Smoke | None = None) -> Iterator[str]:
        """Say what the endpoint does until it has changed, asking meanwhile. Raises Refused."""
        began, said = time.monotonic(), ""
        while (found := self._described()).get("EndpointStatus") in CHANGING:
            elapsed, stage = time.monotonic() - began, _stage(found)
            if stage != said:
                yield f"{elapsed:5.0f} s  {stage}"
                said = stage
            if elapsed > limit:
                raise Refused(
                    f"{self.name} is {stage} after {limit:,.0f} s, and nothing was removed: see "
                    f"aws sagemaker describe-endpoint --endpoint-name {self.name}"
                )
            if smoke is not None:
                self._ask(smoke)
            time.sleep(self.seconds)

    def _ask(self, smoke: Smoke) -> None:
        """A smoke request; a wrong answer raises the alarm on errors, so that AWS rolls back."""
        try:
            self.answered[smoke.ask(self.runtime, self.name)] += 1
        except Wrong as error:
            self.wrong.append(str(error))
            alarms.trip(self.cloudwatch, self.name, f"A smoke request failed: {error}")

    def _described(self) -> dict[str, Any]:
        """What AWS says of the endpoint; empty where there is none."""
        return configurations.described(self.stack, self.name)


def _because(found: dict[str, Any]) -> str:
    reason = found.get("FailureReason")
    return f" ({reason})" if reason else ""


def _stage(found: dict[str, Any]) -> str:
    """The endpoint's status, and what the variant of the new configuration is doing."""
    variants = found.get("PendingDeploymentSummary", {}).get("ProductionVariants", [])
    doing = [each["Status"] for variant in variants for each in variant.get("VariantStatus", [])]
    return ": ".join([found["EndpointStatus"], *doing[:1]])
