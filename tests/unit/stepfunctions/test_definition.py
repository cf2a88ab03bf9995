"""The definition as text: what holds for every state, and what it shares with the code."""

import ast
import datetime
import functools
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import hypothesis
import pytest
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws
from ordergap.contract.hyperparameters import parse
from pydantic import BaseModel, TypeAdapter

from lambdas.begin_follow.handler import Begun
from lambdas.extract_orders.request import Extraction, Request
from lambdas.judge_feed.handler import Judged
from lambdas.judge_forecasts.handler import Judged as Followed
from lambdas.reconcile.account import Counts
from lambdas.shared import errors, events
from lambdas.shared.registry import Verdict
from local.deployment import load

TEMPLATE = Path("infra/template.yaml")
README = Path("stepfunctions/README.md")
OUTPUTS: dict[str, type[BaseModel]] = {
    "ExtractOrders": Extraction,
    "JudgeFeed": Judged,
    "JudgeModel": Verdict,
    "Reconcile": Counts,
    "BeginFollow": Begun,
    "JudgeForecasts": Followed,
}
LAMBDA = "arn:${Partition}:states:::lambda:invoke"
DOCUMENTED = {
    # Step Functions developer guide, "Handle transient Lambda service exceptions".
    "Lambda.ClientExecutionTimeoutException": (LAMBDA,),
    "Lambda.ServiceException": (LAMBDA,),
    "Lambda.AWSLambdaException": (LAMBDA,),
    "Lambda.SdkClientException": (LAMBDA,),
    "Lambda.TooManyRequestsException": (LAMBDA,),
    # Lambda API reference, Invoke, and Lambda developer guide, "Lambda function states": a function
    # in a network that was not called for weeks refuses calls until it has its connection again.
    "Lambda.ResourceNotReadyException": (LAMBDA,),
    "Lambda.ResourceConflictException": (LAMBDA,),
    "Lambda.ENINotReadyException": (LAMBDA,),
    "Lambda.EC2ThrottledException": (LAMBDA,),
    "Lambda.EC2UnexpectedException": (LAMBDA,),
    # The guide of Step Functions, "Handling errors": a function that ran out of time or memory.
    "Lambda.Unknown": (LAMBDA,),
    "Sandbox.Timedout": (LAMBDA,),
    # Optimized integrations are Service.AmazonServiceException, throttling among them, and the
    # service's own exceptions: "AWS Step Functions Data Science SDK", workflow recipes.
    "SageMaker.AmazonSageMakerException": ("arn:${Partition}:states:::sagemaker:",),
    # "Handling errors": the list of the input of a distributed Map could not be read.
    "States.ItemReaderFailed": ("Map",),
}

NETWORK = {
    f"Lambda.{name}Exception"
    for name in (
        "ResourceNotReady", "ResourceConflict", "ENINotReady", "EC2Throttled", "EC2Unexpected"
    )
}  # fmt: skip


def _targets(state: dict) -> Iterator[str]:
    for part in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (part[key] for key in ("Next", "Default") if key in part)


def test_moto_accepts_it(rendered):
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        boto3.client("stepfunctions", region_name="eu-west-1").create_state_machine(
            name="ordergap", definition=rendered, roleArn="arn:aws:iam::123456789012:role/pipeline"
        )


def test_every_state_can_be_reached_and_every_target_exists(scopes):
    for states, start in scopes:
        reached = [start]
        for name in reached:
            reached += [target for target in _targets(states[name]) if target not in reached]
        assert set(reached) == set(states)


def test_every_task_has_a_timeout_a_retry_and_a_catch(tasks):
    for name, task in tasks.items():
        assert 0 < task["TimeoutSeconds"] <= 4 * 3600, name
        assert task["Retry"], name
        # A child execution fails as a whole, and the Map that started it catches.
        assert "Catch" in task or name == "StoreObject", name


def test_every_error_is_caught(states):
    for name, state in states.items():
        if catchers := state.get("Catch"):
            assert catchers[-1]["ErrorEquals"] == ["States.ALL"], name
    caught = {name for name, state in states.items() if "Catch" in state}
    assert {"BeginRun", "Markets", "StorePredictions"} <= caught


def test_every_failure_is_announced_with_the_name_of_its_state(states):
    announcing = {"AnnounceFailure", "AnnounceStop", "AnnounceSuperseded"}
    catching = {name for name, state in states.items() if "Catch" in state}
    beside = {"TrackModel", "BeginFollow", "CreateChallenger", "ScoreChallenger"}
    beside |= {"FollowForecasts", "JudgeForecasts"}  # a market goes on without these
    for name in catching - announcing - {"AnnounceSuccess", "AnnounceWait"} - beside:
        catcher = states[name]["Catch"][-1]
        announcement = states[catcher["Next"]]
        assert announcement["Parameters"]["state"] == name
        assert announcement["Next"] in announcing | {"JobFailed"}
    assert states["JobFailed"]["Default"] == "AnnounceFailure"


def test_every_retry_backs_off_with_jitter(states):
    for name, state in states.items():
        for retry in state.get("Retry", ()):
            assert retry["BackoffRate"] > 1, name
            assert retry["JitterStrategy"] == "FULL", name
            assert retry["IntervalSeconds"] < retry["MaxDelaySeconds"], name
            assert retry["MaxAttempts"] > 0, name


def _raised(function: str) -> set[str]:
    """The names of the classes that the code of a function raises."""
    trees = (ast.parse(path.read_bytes()) for path in Path("lambdas", function).glob("*.py"))
    raises = (n.exc for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Raise))
    called = (call.func if isinstance(call, ast.Call) else call for call in raises)
    return {name.id for name in called if isinstance(name, ast.Name)}


def test_every_error_that_is_retried_exists(states, functions):
    for name, state in states.items():
        kind = state["Resource"] if state["Type"] == "Task" else state["Type"]
        for error in (error for retry in state.get("Retry", ()) for error in retry["ErrorEquals"]):
            if error in DOCUMENTED:
                assert kind.startswith(DOCUMENTED[error]), (name, error)
            else:
                assert issubclass(getattr(errors, error), Exception)
                raised = _raised("shared") | _raised(functions[name])
                assert error in raised, (name, error)


def test_what_passes_by_itself_is_retried_in_every_function(tasks, functions):
    for name in functions:
        (retry,) = (r for r in tasks[name]["Retry"] if "Unavailable" in r["ErrorEquals"])
        assert retry["MaxAttempts"] == 6


def test_lambdas_own_passing_errors_are_retried(tasks, functions):
    invoke = get_session().get_service_model("lambda").operation_model("Invoke")
    assert {f"Lambda.{shape.name}" for shape in invoke.error_shapes} >= NETWORK
    in_network = {
        Path(resource["Properties"]["Code"]).stem
        for resource in load(TEMPLATE)["Resources"].values()
        if "VpcConfig" in resource["Properties"]
    }
    for name, function in functions.items():
        retried = {error for retry in tasks[name]["Retry"] for error in retry["ErrorEquals"]}
        assert retried >= {
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
        }
        assert retried & NETWORK == (NETWORK if function in in_network else set()), name


def _own_errors() -> set[str]:
    tree = ast.parse(Path(errors.__file__).read_bytes())
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def test_the_readme_has_a_remedy_for_every_error(states):
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w.]+)`", text, re.MULTILINE))
    raised = {state["Error"] for state in states.values() if state["Type"] == "Fail"}
    retried = {e for s in states.values() for r in s.get("Retry", ()) for e in r["ErrorEquals"]}
    assert named >= raised | _own_errors() | retried


def test_the_readme_names_every_state_that_does_something(states):
    text = README.read_text(encoding="utf-8")
    doing = {n for n, s in states.items() if s["Type"] in {"Task", "Map", "Parallel"}}
    assert {name for name in doing if f"`{name}`" not in text} == set()


def test_the_inputs_in_the_readme_are_accepted(run):
    text = README.read_text(encoding="utf-8")
    inputs = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert inputs
    for example in inputs:
        execution = run(json.loads(example))
        for extract in execution.of("ExtractOrders"):
            Request.model_validate(extract["Payload"])
        for train in execution.of("Train"):
            parse(train["HyperParameters"])
        assert execution.status == "SUCCEEDED", execution.cause


def test_every_selected_field_is_in_the_output(tasks):
    for name, model in OUTPUTS.items():
        for taken in tasks[name]["ResultSelector"].values():
            field = taken.removeprefix("$.Payload.")
            fields = model.model_fields | model.model_computed_fields
            assert field in fields, (name, field)


def test_a_job_ends_before_its_state_does(tasks):
    for name in ("Train", "FollowForecasts"):
        limit = tasks[name]["Parameters"]["StoppingCondition"]["MaxRuntimeInSeconds"]
        assert limit < tasks[name]["TimeoutSeconds"]


PREFIX = re.compile(r"[a-z][a-z0-9]{0,11}")
MARKET = re.compile(TypeAdapter(events.Market).json_schema()["pattern"])
NAMES = {
    "Train": "TrainingJobName",
    "CreateModel": "ModelName",
    "ScoreCustomers": "TransformJobName",
    "CreateChallenger": "ModelName",
    "ScoreChallenger": "TransformJobName",
    "FollowForecasts": "ProcessingJobName",
}
CALLS = {
    "Train": "CreateTrainingJob",
    "ScoreCustomers": "CreateTransformJob",
    "CreateChallenger": "CreateModel",
    "ScoreChallenger": "CreateTransformJob",
    "FollowForecasts": "CreateProcessingJob",
}


@functools.cache
def _of_sagemaker(operation: str, field: str) -> re.Pattern[str]:
    """SageMaker's pattern for a name, which allows 63 characters."""
    model = get_session().get_service_model("sagemaker").operation_model(operation)
    assert model.input_shape
    metadata = model.input_shape.members[field].metadata
    assert metadata["max"] == 63
    return re.compile(metadata["pattern"])


@settings(max_examples=100)
@given(
    prefix=st.from_regex(PREFIX, fullmatch=True),
    market=st.from_regex(MARKET).map(str.strip),
    day=st.dates(),
    random=st.uuids(version=4),
)
@hypothesis.example("a" * 12, "0" + "-" * 18 + "0", datetime.date(2011, 12, 9), uuid.UUID(int=0))
def test_every_name_is_valid_for_sagemaker(tasks, prefix, market, day, random):
    group = _of_sagemaker("CreateModelPackageGroup", "ModelPackageGroupName")
    assert group.fullmatch(f"{prefix}-{market}")
    for state, field in NAMES.items():
        form = tasks[state]["Parameters"][f"{field}.$"]
        call = re.fullmatch(r"States.Format\('([^']+)', (.+)\)", form)
        assert call
        pattern, arguments = call.groups()
        last = "States.ArrayGetItem(States.StringSplit(States.UUID(), '-'), 4)"
        assert arguments == f"$.market.name, $.as_of, {last}"
        values = (market, day.isoformat(), str(random).split("-")[4])
        name = pattern.replace("${Prefix}", prefix).format(*values)
        assert len(name) <= 63
        assert _of_sagemaker(CALLS.get(state, state), field).fullmatch(name)


def test_the_prefix_that_names_are_tested_with_is_the_templates():
    text = TEMPLATE.read_text(encoding="utf-8")
    assert f"AllowedPattern: ^{PREFIX.pattern}$" in text


def _paths(node: object, key: str = "") -> Iterator[str]:
    """Every path in the definition, also among the arguments of functions."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _paths(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _paths(value, key)
    elif isinstance(node, str) and (key.endswith((".$", "Path")) or key == "Variable"):
        text = re.sub(r"'[^']*'", "", node)
        yield from re.findall(r"\$[^\s,)]*(?:\([^)]*\)[^\s,)]*)?", text)


PLAIN = re.compile(r"\$\$?(\.\w+)*")
# Of the outcomes of the markets, which are one or more, and each have these fields.
LISTS = {"$.outcomes[*].status", "$.markets[*].sentence"}


def test_no_path_can_be_read_in_two_ways(machine):
    """Interpreters differ in what a filter, `..`, an index or `[*]` gives for one match or none."""
    paths = set(_paths(machine))
    assert {"$$.Execution.Name", "$.extract.channels"} <= paths
    assert {path for path in paths if not PLAIN.fullmatch(path)} == LISTS
    for outcome in ("MarketSucceeded", "MarketFailed"):
        state = machine["States"]["Markets"]["ItemProcessor"]["States"][outcome]
        assert {"status", "sentence.$"} <= state["Parameters"].keys()


@pytest.mark.parametrize(
    "path", ["$.given[0]", "$.all[*].*", "$.a[?(@.b=='c')].d", "$..name", "$['a']", "$.a[-1:]"]
)
def test_other_paths_are_found(path):
    found = [*_paths({"Parameters": {"x.$": f"States.Format('{{}}', {path})", "y.$": path}})]
    assert len(found) == 2
    assert not any(PLAIN.fullmatch(each) for each in found)
