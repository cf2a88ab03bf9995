"""The definition, and moto's interpreter running it while a function stands in for the services."""

import datetime
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (  # noqa: E501
    DistributedIterationComponent,
    DistributedIterationComponentEvalInput,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (  # noqa: E501
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from lambdas.begin_follow.job import described
from lambdas.begin_run.handler import BeginRun
from lambdas.begin_run.request import checked
from lambdas.extract_orders.extraction import _channels
from lambdas.shared.errors import BadEvent, BadInput
from lambdas.shared.events import parse
from lambdas.shared.runs import Run
from tests.stack import FUNCTIONS

Json = dict[str, Any]
ASL = Path("stepfunctions/pipeline.asl.json")
REGION: Final = "eu-west-1"
AWS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": REGION,
}
# Names have the longest forms that are allowed, so that requests are tested with them.
VALUES = {
    **{
        f"{name}Arn": f"arn:aws:lambda:eu-west-1:123456789012:function:ordergap-{name}"
        for name in FUNCTIONS.values()
    },
    "Partition": "aws",
    "ImageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ordergap:1",
    "SageMakerRoleArn": "arn:aws:iam::123456789012:role/ordergap-sagemaker",
    "Bucket": "ordergap-bucket".ljust(63, "b"),
    "Prefix": "ordergapshop",
    "TrainInstanceType": "ml.m5.xlarge",
    "TrainVolumeGb": "30",
    "TransformInstanceType": "ml.m5.large",
    "TransformInstanceCount": "1",
    "FollowInstanceType": "ml.m5.xlarge",
    "StoreConcurrency": "3",
    "MarketConcurrency": "2",
}


@dataclass
class Refused(Exception):
    """The failure of a service: an error name as Step Functions sees it."""

    error: str
    cause: str = "because"


@dataclass
class Execution:
    status: str
    output: Json | None
    error: str | None
    cause: str | None
    calls: list[tuple[str, Json]]
    """Every attempt of every task: the state's name and its parameters."""
    waits: list[float]
    """Seconds that retriers and the state Wait would have waited."""

    def of(self, state: str) -> list[Json]:
        return [parameters for name, parameters in self.calls if name == state]

    def announced(self) -> list[Json]:
        names = ("AnnounceSuccess", "AnnounceFailure", "AnnounceStop", "AnnounceSuperseded")
        return [parameters["Payload"] for name in names for parameters in self.of(name)]


Service = Callable[[str, Json], Json]


def _beginning(parameters: Json) -> Json:
    """The function's own check of the input."""
    try:
        event = parse(BeginRun, parameters["Payload"])
        run = checked(event.input, event.started_at.date())
    except (BadEvent, BadInput) as error:
        raise Refused(type(error).__name__, str(error)) from error
    return {"Payload": {"run_id": event.run_id, **run.parameters()}}


def _extraction(parameters: Json) -> Json:
    event = parameters["Payload"]
    run = Run(VALUES["Bucket"], event["run_id"], event["market"]["name"])
    return {
        "Payload": {
            "bucket": run.bucket,
            "market": run.market,
            "prefix": run.prefix,
            "channels": _channels(run, attributes=event["market"]["name"] == "uk"),
            "scoring_uri": run.uri(run.score),
            "model_uri": run.uri(run.model),
            "predictions_prefix": run.predictions,
            "predictions_uri": run.uri(run.predictions.rstrip("/")),
            "hyperparameters": {"amount_column": "Amount"},
            "customers": 7,
        }
    }


def _feed(parameters: Json) -> Json:
    judged = {"train": True, "reason": "Trained: there is no approved model.", "settings": "5e77"}
    return {"Payload": judged | {"verdict": None, "volume": "7 orders in 7 days"}}


def _training(parameters: Json) -> Json:
    job = parameters["TrainingJobName"]
    artifact = f"{parameters['OutputDataConfig']['S3OutputPath']}/{job}/output/model.tar.gz"
    return {"TrainingJobName": job, "ModelArtifacts": {"S3ModelArtifacts": artifact}}


def _verdict(parameters: Json) -> Json:
    event = parameters["Payload"]
    return {
        "Payload": {
            "promoted": True,
            "reason": "The model beats naive.",
            "questions": {"value": "not judged."},
            "group": f"{VALUES['Prefix']}-{event['market']}",
            "artifact": event["artifact"],
            "image": event["image"],
            "model_version": "f8219c88b603",
            "metrics_uri": f"s3://{VALUES['Bucket']}/{event['prefix']}/metrics.json",
            "package_version": "7",
        }
    }


def _model(parameters: Json) -> Json:
    return {"ModelArn": f"arn:aws:sagemaker:{REGION}:123456789012:model/{parameters['ModelName']}"}


def _tracked(_: Json) -> Json:
    return {"Payload": {"tracked": False, "sentence": "No MLflow server is named."}}


def _counts(_: Json) -> Json:
    counts = {"extracted": 7, "scored": 7, "written": 7, "superseded": 0, "rejected": 0}
    counts |= {"stale": 0, "leads": 0}
    return {"Payload": counts | {"sentence": "7 customers extracted = 7 scored = 7 written."}}


def _following(parameters: Json) -> Json:
    event = parameters["Payload"]
    run = Run(VALUES["Bucket"], event["run_id"], event["market"])
    archives = {"champion": event["verdict"]["artifact"]}
    day = datetime.date(2011, 12, 9)
    rival = {
        "model_version": "0123456789ab",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ordergap:0",
        "artifact": f"s3://{run.bucket}/models/uk/earlier/job/output/model.tar.gz",
    }
    both = archives | {"challenger": rival["artifact"]}
    jobs = [described(run, day, each, has_cohorts=True).model_dump() for each in (archives, both)]
    asked = event["asked"]  # of a run that does not say it, forecasts are not due
    begun: Json = {"due": asked["follow"] is True, "shadow": asked["shadow"] is not False}
    begun |= {"sentence": "There is no challenger.", "report": None, "challenger": rival}
    begun |= {"challenger_uri": run.uri(run.challenger.rstrip("/"))}
    return {"Payload": begun | {"job": jobs[0], "with_challenger": jobs[1]}}


def _judged(parameters: Json) -> Json:
    event = parameters["Payload"]
    return {"Payload": {"sentence": f"No alarm. {event['challenger']}", "report": "s3://b/page"}}


ANSWERS = {
    "BeginRun": _beginning,
    "ExtractOrders": _extraction,
    "JudgeFeed": _feed,
    "Train": _training,
    "JudgeModel": _verdict,
    "TrackModel": _tracked,
    "CreateModel": _model,
    "Reconcile": _counts,
    "BeginFollow": _following,
    "CreateChallenger": _model,
    "JudgeForecasts": _judged,
}


def _answers(state: str, parameters: Json) -> Json:
    """The results of the services without failures, in AWS's shapes."""
    return ANSWERS[state](parameters) if state in ANSWERS else {}


@pytest.fixture(scope="session", name="answers")
def _answers_of_the_services() -> Service:
    return _answers


@pytest.fixture(scope="session", name="refused")
def _refused() -> type[Refused]:
    return Refused


@pytest.fixture(scope="session")
def machine() -> Json:
    """The definition."""
    definition: Json = json.loads(ASL.read_text(encoding="utf-8"))
    return definition


def _scopes(states: Json, start: str) -> Iterator[tuple[Json, str]]:
    """Every group of states in which one may follow another, with its first state."""
    yield states, start
    for state in states.values():
        inner = [*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])]
        for scope in inner:
            yield from _scopes(scope["States"], scope["StartAt"])


@pytest.fixture(scope="session")
def scopes(machine: Json) -> list[tuple[Json, str]]:
    return list(_scopes(machine["States"], machine["StartAt"]))


@pytest.fixture(scope="session")
def states(scopes: list[tuple[Json, str]]) -> Json:
    """Every state by its name, which is unique in the whole machine."""
    pairs = [pair for scope, _ in scopes for pair in scope.items()]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.fixture(scope="session")
def tasks(states: Json) -> Json:
    return {name: state for name, state in states.items() if state["Type"] == "Task"}


@pytest.fixture(scope="session")
def functions(tasks: Json) -> dict[str, str]:
    """State -> folder in `lambdas`, for the states that invoke a function."""
    folders = {f"${{{name}Arn}}": folder for folder, name in FUNCTIONS.items()}
    names = {state: task["Parameters"].get("FunctionName") for state, task in tasks.items()}
    return {state: folders[name] for state, name in names.items() if name}


@pytest.fixture(scope="session")
def rendered() -> str:
    """The definition with every placeholder replaced, as CloudFormation does it."""
    return re.sub(r"\$\{(\w+)\}", lambda match: VALUES[match[1]], ASL.read_text(encoding="utf-8"))


def _failure(env: Environment, refused: Refused) -> FailureEventException:
    names = StatesErrorNameType
    if refused.error.startswith("States."):
        name: ErrorName = StatesErrorName(
            next(kind for kind in names if kind.to_name() == refused.error)
        )
    else:
        name = CustomErrorName(refused.error)
    details = TaskFailedEventDetails(error=refused.error, cause=refused.cause)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]
        )
    )


_map_run = DistributedIterationComponent._map_run


def _intolerant(
    component: DistributedIterationComponent,
    env: Environment,
    eval_input: DistributedIterationComponentEvalInput,
) -> None:
    """Fail a distributed Map when an item fails, as AWS does and moto does not."""
    _map_run(component, env, eval_input)
    if eval_input.map_run_record.item_counter.failed.get():
        raise _failure(env, Refused("States.ExceedToleratedFailureThreshold"))


@pytest.fixture(scope="module")
def run(rendered: str) -> Iterator[Callable[..., Execution]]:
    """Runs the machine on an input; `played` stands in for every service that it calls."""
    service: Service = _answers
    calls: list[tuple[str, Json]] = []
    waits: list[float] = []
    nights = itertools.count(1)

    def play(task: StateTaskServiceCallback, env: Environment) -> None:
        parameters = task._eval_parameters(env=env)
        calls.append((task.name, parameters))
        try:
            env.stack.append(service(task.name, parameters))
        except Refused as refused:
            raise _failure(env, refused) from refused

    with (
        patch.dict(os.environ, AWS),
        mock_aws(config={"stepfunctions": {"execute_state_machine": True}}),
        patch.object(StateTaskServiceCallback, "_eval_execution", play),
        patch.object(StateTaskServiceCallback, "_is_integration_pattern", lambda _: False),
        patch.object(DistributedIterationComponent, "_map_run", _intolerant),
        patch.object(retrier_decl, "time", SimpleNamespace(sleep=waits.append)),
        patch.object(
            WaitFunction,
            "_wait_interval",
            lambda *_, wait_seconds, **__: waits.append(wait_seconds),
        ),
    ):
        s3, client = boto3.client("s3"), boto3.client("stepfunctions")
        s3.create_bucket(
            Bucket=VALUES["Bucket"], CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        machine = client.create_state_machine(
            name="ordergap",
            definition=rendered,
            roleArn="arn:aws:iam::123456789012:role/ordergap-pipeline",
        )["stateMachineArn"]

        def execute(
            execution_input: object, played: Service = _answers, files: int = 2
        ) -> Execution:
            nonlocal service
            service = played
            calls.clear()
            waits.clear()
            name = f"night-{next(nights)}".ljust(80, "x")
            for market in ("default", "uk", "de", "a" * 20):
                for part in range(files):
                    key = f"runs/{name}/{market}/predictions/part-{part:05d}.jsonl.out"
                    s3.put_object(Bucket=VALUES["Bucket"], Key=key, Body=b"{}\n")
            arn = client.start_execution(
                stateMachineArn=machine, name=name, input=json.dumps(execution_input)
            )["executionArn"]
            description: Json = {"status": "RUNNING"}
            until = time.monotonic() + 120
            while description["status"] == "RUNNING" and time.monotonic() < until:
                time.sleep(0.05)
                description = {**client.describe_execution(executionArn=arn)}
            output = json.loads(description["output"]) if "output" in description else None
            error, cause = (description.get(key) for key in ("error", "cause"))
            status = description["status"]
            return Execution(status, output, error, cause, calls.copy(), waits.copy())

        yield execute
