"""The runs whose requests to AWS are recorded, in the embedded AWS.

The template is deployed with its longest names and all that it can have, and the functions run from
their own zips. First come runs of the longest market and run id, until one is without faults: every
AWS call of a function fails once by every error that is worth a retry, and every training and
transform job once by SageMaker's own faults; the job that follows forecasts is not started again
within a run. Each keeps forecasts, a challenger's too, and finds drift. Then comes a run of each
other name of a market, with a secret of its own, and one of an invalid input. Waits are left out,
and retriers have attempts for all faults.
"""

from __future__ import annotations

import ast
import datetime
import itertools
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
from moto.sagemaker.models import sagemaker_backends

from infra import package
from infra.doctor.hooks import JOB_FAULTS, recorded_functions, recorded_states
from infra.doctor.recording import Recording, Request
from local import deployment, embedded, source
from local.aws import ACCOUNT, REGION, Aws
from local.deployment import Deployment
from local.runners import ROOT, Container, Launch, NoImage, Process

AS_OF = datetime.date(2011, 12, 9)
MARKET, RUN_ID = "m" * 20, 80
"""The longest name of a market, and the length of the longest id of a run."""
OTHERS = ("0", "uk-", "-uk")
"""The shortest name of a market, and two that the first check may accept and SageMaker may not."""
PREFIX, STACK = "abcdefghijkl", "s" * 25
"""The longest prefix, and the longest name of a stack that infra/deploy.sh takes everywhere."""
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECONDS = 300
FORGET_ATTEMPTS = 200


class Runner:
    """Runs this checkout's code as any image, once training and scoring failed by JOB_FAULTS."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []

    def start(self, launch: Launch) -> Container:
        """See `local.runners.Runner`."""
        happened = [fault for command, fault in self.started if command == launch.command]
        planted = {} if launch.command == "follow" else JOB_FAULTS
        fault = next((fault for fault in planted if fault not in happened), "")
        self.started.append((launch.command, fault))
        if fault:
            raise NoImage(JOB_FAULTS[fault])
        return Process(launch.image).start(launch)

    def given_up(self, began: int) -> Iterator[str]:
        """A sentence for each fault of a job started since the first `began` that had no other."""
        last = {command: number for number, (command, _) in enumerate(self.started)}
        for number, (command, fault) in list(enumerate(self.started))[began:]:
            if fault and number == last[command]:
                job = "training" if command == "train" else "transform"
                yield f"A {job} job that fails by {fault} is not started again"


def record() -> Recording:
    """Deploy, run and record. Builds the zips that are not up to date."""
    recording = Recording()
    for function in package.functions(ROOT):
        package.build(ROOT, function, ROOT / "dist")
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder, runner = Path(temporary), Runner()
        aws = stack.enter_context(embedded.start(folder, runner))
        database = source.Sqlite(folder / "shop.db", "SQLite")
        database.load("orders", _orders())
        secrets = [
            aws.secrets.create_secret(Name=name, SecretString=database.url)["ARN"]
            for name in ("ordergap-source", "ordergap-market")
        ]
        login = json.dumps({"username": "ordergap", "password": "recorded"})
        ec2 = aws._session.client("ec2", endpoint_url=aws.endpoint)  # noqa: SLF001
        recording.parameters = {
            "SubnetIds": ec2.describe_subnets()["Subnets"][0]["SubnetId"],
            "SecurityGroupIds": ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"],
            "Prefix": PREFIX,
            "MarketSecretArns": secrets[1],
            "SecretKeyArn": KEY,
            "MlflowTrackingUri": stack.enter_context(_mlflow()),
            "MlflowSecretArn": aws.secrets.create_secret(Name="mlflow", SecretString=login)["ARN"],
            "Shards": "2",
            "DriftState": "DISABLED",  # its run would be beside the one that finds drift
        }
        stack.enter_context(patch.object(deployment, "STACK", STACK))
        with patch.object(deployment, "substitute", _patient):
            deployed = deployment.deploy(aws, secrets[0], recording.parameters)
        _read_stack(recording, aws)
        roles = _roles(recording)
        stack.enter_context(recorded_functions(folder))
        stack.enter_context(recorded_states(recording, roles[deployed.pipeline]))
        _run(recording, deployed, runner, folder, secrets[1])
        for function, role in roles.items():
            calls = folder / f"{function}.calls"
            lines = calls.read_text(encoding="utf-8").splitlines() if calls.is_file() else []
            recording.requests += [Request(function, role, **json.loads(line)) for line in lines]
    recording.given_up = list(dict.fromkeys(recording.given_up))
    return recording


@contextmanager
def _mlflow() -> Iterator[str]:
    """The address of what answers as an MLflow server up to the model, and then no longer."""
    answer = json.dumps({"experiment": {"experiment_id": "1"}, "runs": []}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 - a name of http.server

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _orders() -> pl.DataFrame:
    """Some customers who order every few weeks, for twice as much of late."""
    rows = [
        (f"{customer}-{order}", f"c{customer:03}", AS_OF - datetime.timedelta(days), 1, amount)
        for customer in range(40)
        for order in range(22)
        for days in [(customer % 9 + 7) * order]
        for amount in [19.0 if days < 28 else 9.5]
    ]
    names = ["InvoiceNo", "CustomerID", "InvoiceDate", "Quantity", "UnitPrice"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _read_stack(recording: Recording, aws: Aws) -> None:
    """The physical ids of the stack's resources, and the policies of its roles."""
    iam = aws._session.client("iam", endpoint_url=aws.endpoint)  # noqa: SLF001
    pages = aws.cloudformation.get_paginator("list_stack_resources").paginate(
        StackName=deployment.STACK
    )
    for resource in (each for page in pages for each in page["StackResourceSummaries"]):
        name, identity = resource["LogicalResourceId"], resource["PhysicalResourceId"]
        recording.ids[name] = identity
        if resource["ResourceType"] == "AWS::IAM::Role":
            policies = iam.list_role_policies(RoleName=identity)["PolicyNames"]
            recording.policies[name] = []
            for policy in policies:
                text = iam.get_role_policy(RoleName=identity, PolicyName=policy)["PolicyDocument"]
                # The emulator gives the template's documents in Python's notation.
                statements = ast.literal_eval(str(text))["Statement"]
                recording.policies[name] += filter(None, statements)  # AWS::NoValue is None


def _roles(recording: Recording) -> dict[str, str]:
    """Physical id of a function or state machine -> its role in the template."""
    resources = deployment.load(deployment.TEMPLATE)["Resources"]
    roles = {}
    for name, resource in resources.items():
        for key in ("Role", "RoleArn"):
            if role := resource["Properties"].get(key):
                roles[recording.ids[name]] = role["Fn::GetAtt"][0]
    return roles


def _run(
    recording: Recording, deployed: Deployment, runner: Runner, folder: Path, secret: str
) -> None:
    machine = deployed.pipeline
    market = {"name": MARKET, "incremental": True}
    asked = {"markets": [market], "train": True, "follow": True, "shadow": True}
    for number in itertools.count():
        began, before = len(runner.started), _faults(folder, runner)
        seed = {"hyperparameters": {"seed": str(number)}}  # so that there is another model
        _execute(recording, deployed, machine, f"{number:0{RUN_ID}}", **asked, **seed)
        recording.given_up += runner.given_up(began)
        if _faults(folder, runner) == before:  # this run was without any
            break
    if not (ended := [*recording.ended.values()][-1]).startswith("SUCCEEDED"):
        recording.given_up.append(f"A run without faults does not succeed: {ended}")
    _forget(deployed, undo=False)  # after which an extraction reads the list
    forgetful = {"markets": [market], "accept_past": True}  # one of 40 is a part of the past
    _execute(recording, deployed, machine, f"{number + 1:0{RUN_ID}}", **forgetful)
    _forget(deployed, undo=True)
    before = len(recording.given_up)
    for name in OTHERS:
        market = {"name": name, "secret_id": secret}
        _execute(recording, deployed, machine, f"market{name}", markets=[market])
    _execute(recording, deployed, machine, "invalid", as_of=17)
    # A name or an input that is refused is no fault.
    later = [each for each in recording.given_up[before:] if "planted" in each]
    recording.given_up[before:] = later


def _forget(deployed: Deployment, *, undo: bool) -> None:
    """Forget a customer, as often as it takes: no state of the machine retries this function."""
    client = deployed.aws._session.client("lambda", endpoint_url=deployed.aws.endpoint)  # noqa: SLF001
    event = {"market": MARKET, "customer": "c001", "undo": undo}
    for _ in range(FORGET_ATTEMPTS):
        answer = client.invoke(
            FunctionName=deployed.outputs["ForgetFunction"], Payload=json.dumps(event).encode()
        )
        if "errorType" not in (content := json.loads(answer["Payload"].read())):
            return
    raise RuntimeError(f"forget_customer fails: {content}")


def _faults(folder: Path, runner: Runner) -> int:
    """The number of faults that have happened."""
    jobs = sum(bool(fault) for _, fault in runner.started)
    return jobs + len(list((folder / "faults").glob("*/*")))


def _patient(definition: str, values: Mapping[str, str]) -> str:
    """The definition with its substitutions, and attempts for all faults."""
    return re.sub(r'("MaxAttempts":) [1-9]\d*', r"\1 50", _substitute(definition, values))


_substitute = deployment.substitute


def _execute(
    recording: Recording, deployed: Deployment, machine: str, name: str, **given: Any
) -> None:
    states = deployed.aws.states
    for model in sagemaker_backends[ACCOUNT][REGION]._models.values():  # noqa: SLF001
        model.creation_time -= datetime.timedelta(10_000)  # those of earlier runs are old
    execution = states.start_execution(
        stateMachineArn=machine,
        name=name,
        input=json.dumps({"as_of": AS_OF.isoformat(), "trainer": "naive", **given}),
    )["executionArn"]
    end = time.monotonic() + SECONDS
    while (ended := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        if time.monotonic() > end:
            states.stop_execution(executionArn=execution)
            break
        time.sleep(0.05)
    recording.ended[name] = " ".join(filter(None, [ended["status"], ended.get("cause")]))
