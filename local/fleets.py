"""The containers behind an endpoint of the emulated AWS, and which of them gets a request."""

from __future__ import annotations

import datetime
import http.client
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from moto.sagemaker.models import FakeEndpoint

from local.aws import Aws
from local.ports import free_port
from local.runners import Container, Launch, Runner
from local.transform import unpack, wait_for_ping

STOP_SECONDS = 30
INVOCATION_SECONDS = 60
_FORWARDED = {"content-type", "accept", "x-amzn-sagemaker-custom-attributes"}
_RETURNED = ("Content-Type", "X-Amzn-SageMaker-Custom-Attributes")

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@dataclass
class Fleet:
    """The container of an endpoint's configuration, and how many requests it is answering."""

    container: Container
    port: int
    opt_ml: Path
    requests: int = 0

    @classmethod
    def start(
        cls, aws: Aws, runner: Runner, config: Mapping[str, Any], wait: Callable[[float], object]
    ) -> Self:
        """A container of the first variant's model that has answered a ping.

        It waits by `wait` of some seconds. Raises JobFailed, NoImage, and as `wait`.
        """
        variant = config["ProductionVariants"][0]
        described = aws.sagemaker.describe_model(ModelName=variant["ModelName"])
        model = described["PrimaryContainer"]
        opt_ml, port = Path(tempfile.mkdtemp(prefix="endpoint-", dir=aws.folder)), free_port()
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, opt_ml)
            unpack(aws.s3, model["ModelDataUrl"], opt_ml)
            with (aws.folder / f"{config['EndpointConfigName']}.log").open("wb") as log:
                environment = model.get("Environment", {})
                launch = Launch(model["Image"], "serve", opt_ml, environment, log, port)
                container = runner.start(launch)
            undo.callback(container.stop, STOP_SECONDS)
            wait_for_ping(container.process, port, wait)
            undo.pop_all()
        return cls(container, port, opt_ml)

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """The container's answer to an invocation; 502 where there is none."""
        sent = {name: value for name, value in headers.items() if name.lower() in _FORWARDED}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=INVOCATION_SECONDS)
        try:
            connection.request("POST", "/invocations", body, sent)
            answer = connection.getresponse()
            found = {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
            return answer.status, found, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 502, {}, f"{type(error).__name__}: {error}".encode()
        finally:
            connection.close()


@dataclass
class Endpoint:
    """An endpoint: moto's record of it, the fleet in use, and the one that is to replace it."""

    record: FakeEndpoint
    blue: Fleet | None = None
    green: Fleet | None = None
    percent: int = 0
    """The share of the requests that the green fleet gets."""
    asked: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def fleet(self) -> Iterator[Fleet]:
        """The fleet of the next request, which is not stopped before the request has ended."""
        with self.changed:
            self.asked += 1
            of_green = self.asked * self.percent // 100 > (self.asked - 1) * self.percent // 100
            fleet = self.green if of_green else self.blue
            assert fleet is not None  # noqa: S101 - it is in service
            fleet.requests += 1
        try:
            yield fleet
        finally:
            with self.changed:
                fleet.requests -= 1
                self.changed.notify_all()

    def end_update(self, *, succeeded: bool) -> None:
        """One of the fleets gets all requests; the other answers those that it has, and stops."""
        with self.changed:
            left = self.green
            if succeeded:
                left, self.blue = self.blue, self.green
            self.green, self.percent = None, 0
        self.retire(left)

    def retire(self, fleet: Fleet | None) -> None:
        """Stop a fleet that gets no more requests, once it has answered those that it has."""
        if fleet is not None:
            with self.changed:
                self.changed.wait_for(lambda: not fleet.requests, INVOCATION_SECONDS)
            fleet.container.stop(STOP_SECONDS)
            shutil.rmtree(fleet.opt_ml)

    def note(self, status: str, **more: object) -> None:
        """Write the status, and `more`, into the record; None leaves a field out."""
        now = datetime.datetime.now(datetime.UTC)
        vars(self.record).update(endpoint_status=status, last_modified_time=now, **more)

    def stage(self, config: str, status: str) -> None:
        """Write what the variant of a new configuration is doing into the record."""
        name = self.record.production_variants[0]["VariantName"]
        variant = {"VariantName": name, "VariantStatus": [{"Status": status}]}
        pending = {"EndpointConfigName": config, "ProductionVariants": [variant]}
        self.note("Updating", pending_deployment_summary=pending)
