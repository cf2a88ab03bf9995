"""`make plan` with a recorded AWS CLI: what passes, every refusal, and what is left behind."""

import functools
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from infra.plan import __main__ as plan
from infra.plan import changes as deployed
from infra.plan import machine, policies
from infra.plan.policies import RIGHTS
from infra.rendering import Stack
from local.deployment import load
from tests import recorded_aws
from tests.recorded_aws import (
    ACCOUNT,
    ANSWERS,
    CHANGE_SET_ID,
    PASSWORD,
    REGION,
    SECRET,
    STACK_ID,
    Failure,
    Recorded,
    changes,
    denied,
    error,
    quotas,
)

ROOT = Path(__file__).resolve().parents[3]
CHECKS = {check.name: check for check in plan.CHECKS}
TEMPLATE = load(ROOT / "infra/template.yaml")
STACK = Stack("ordergap", ACCOUNT, REGION, "aws", TEMPLATE, {"SourceSecretArn": SECRET})
OF_CHECK = {
    "quotas": [
        "service-quotas list-aws-default-service-quotas",
        "service-quotas list-service-quotas",
    ],
    "concurrency": ["lambda get-account-settings"],
    "secrets": ["secretsmanager get-secret-value"],
    "image": ["docker image"],
    "repository": ["ecr describe-repositories", "ecr describe-images"],
    "policies": ["accessanalyzer validate-policy"],
    "rights": ["iam simulate-custom-policy"],
    "definition": ["stepfunctions validate-state-machine-definition"],
    "states": ["stepfunctions test-state"],
    "indexes": ["cloudformation describe-stack-resource", "dynamodb describe-table"],
    "changes": [
        "cloudformation create-change-set",
        "cloudformation describe-change-set",
        "cloudformation describe-events",
        "cloudformation delete-change-set",
        "cloudformation delete-stack",
    ],
}  # fmt: skip
BEGINNING = ["sts get-caller-identity", "cloudformation describe-stacks"]
"""The commands that a plan begins with."""
OLD = recorded_aws.stack(
    "UPDATE_COMPLETE",
    Parameters=[
        {"ParameterKey": "SourceSecretArn", "ParameterValue": SECRET},
        {"ParameterKey": "ImageTag", "ParameterValue": "old"},
        {"ParameterKey": "GoneSince", "ParameterValue": "1"},
    ],
)
THERE = {
    "repositories": [
        {
            "repositoryName": "ordergap",
            "repositoryArn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/x",
        }
    ]
}


def decisions(*refused: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What IAM decides on each right; those in `refused` the other way round."""
    answers = []
    for right in RIGHTS:
        resource = STACK.text(right.resource)
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "allowed"
                if right.allowed != (f"{right.role} {action}" in refused)
                else "implicitDeny",
            }
            for action in right.actions.split()
        ]
        policies = [json.dumps(p["PolicyDocument"]) for p in STACK.roles[right.role]["Policies"]]
        when = {
            "PolicyInputList": policies,
            "ActionNames": right.actions.split(),
            "ResourceArns": [resource],
        }
        answers.append((when, {"EvaluationResults": results, "IsTruncated": False}))
    return answers


def state_tests() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What Step Functions answers for each state, Fail states with their error."""
    definition = (ROOT / "stepfunctions/pipeline.asl.json").read_text(encoding="utf-8")
    failing = [
        (
            {"definition": machine.without_context(state)},
            {"status": "FAILED", "error": state["Error"], "cause": "because"},
        )
        for _, state in machine.tested(json.loads(STACK.definition(definition)))
        if state["Type"] == "Fail"
    ]
    return [*failing, ({}, ANSWERS["stepfunctions test-state"])]


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in [*os.environ]:
        if name.startswith("AWS_") or name in {"STACK", "REGION", "PARAMETERS", "IMAGE"}:
            monkeypatch.delenv(name)
    # The plan sets these: what is set here is undone after the test.
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(
        "PARAMETERS", f'SourceSecretArn={SECRET} "ScheduleExpression=cron(0 2 * * ? *)"'
    )
    monkeypatch.setattr(deployed, "POLL_SECONDS", 0)
    recorded = Recorded(folder)
    recorded["iam simulate-custom-policy"] = decisions()
    recorded["stepfunctions test-state"] = state_tests()
    return recorded


Asked = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(aws: Recorded, capsys: pytest.CaptureFixture[str]) -> Asked:
    """Runs some checks, or all; the exit code and all that is printed."""

    def ask(*checks: str) -> tuple[int, str]:
        chosen = [word for check in checks for word in ("--only", check)]
        code = plan.main(["--region", REGION, *chosen])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return ask


@functools.cache
def operation(command: str) -> OperationModel:
    """The API's operation behind a command of the CLI."""
    service, _, name = command.partition(" ")
    model = botocore.session.get_session().get_service_model(service)
    (found,) = [each for each in model.operation_names if xform_name(each, "-") == name]
    return model.operation_model(found)


def mistakes(value: Any, shape: Any) -> str:
    """What is wrong with a value by a model; empty where nothing is."""
    return ParamValidator().validate(value, shape).generate_report() if shape else ""


def test_a_plan_without_a_problem_passes_and_leaves_nothing(ask: Asked, aws: Recorded) -> None:
    code, printed = ask()
    assert code == 0, printed
    assert f"{len(CHECKS)} checks passed" in printed
    assert printed.count("  passed\n") == len(CHECKS)
    for check in CHECKS.values():
        assert f"{check.name}: asks {check.asks}; {check.costs}" in printed
    assert "Estimated costs on AWS" in printed
    assert PASSWORD not in printed
    (made,) = aws.of("cloudformation create-change-set")
    assert made["ChangeSetType"] == "CREATE"
    given = {each["ParameterKey"]: each["ParameterValue"] for each in made["Parameters"]}
    assert given == {
        "SourceSecretArn": SECRET,
        "ScheduleExpression": "cron(0 2 * * ? *)",
        "ImageTag": "0123456789abcdef0123",
    }
    assert len(made["TemplateBody"]) <= 51_200
    assert "../" not in made["TemplateBody"]
    assert aws.of("cloudformation delete-change-set") == [{"ChangeSetName": CHANGE_SET_ID}]
    assert aws.of("cloudformation delete-stack") == [{"StackName": STACK_ID}]
    assert not [command for command, _ in aws.calls() if "execute" in command]


def test_every_call_is_one_of_the_api(ask: Asked, aws: Recorded) -> None:
    """Its options are the API's parameters, and the recorded answers are the API's."""
    aws["cloudformation describe-change-set"] = changes(status="FAILED", reason="Early validation")
    ask()
    aws["ecr describe-repositories"] = THERE
    aws["cloudformation describe-stacks"] = OLD
    ask("changes", "indexes", "repository")
    called = {command for command, _ in aws.calls()}
    assert called == {*BEGINNING, *itertools.chain(*OF_CHECK.values())} == {*ANSWERS}
    for command, given in aws.calls():
        if command == "docker image":
            continue
        shape = operation(command).input_shape
        assert not mistakes(given, shape), command
        for name, value in given.items():
            enum = getattr(shape.members[name], "enum", None) if shape else None
            assert not enum or value in enum, (command, name)


@pytest.mark.skipif(not shutil.which("aws"), reason="the AWS CLI is not installed")
def test_the_cli_takes_every_command(
    ask: Asked, aws: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real one checks the options before it fails to connect to a port that is closed."""
    monkeypatch.setattr(policies, "RIGHTS", RIGHTS[:1])
    aws["cloudformation describe-change-set"] = changes(status="FAILED", reason="Early validation")
    ask()
    aws["ecr describe-repositories"] = THERE
    aws["cloudformation describe-stacks"] = OLD
    ask("indexes", "repository")
    (aws.folder / "aws").unlink()
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1"}
    commands = {command: given for command, given in aws.calls() if command != "docker image"}
    assert commands.keys() | {"docker image"} == ANSWERS.keys()
    for command, given in commands.items():
        done = subprocess.run(
            ["aws", *command.split(), "--cli-input-json", json.dumps(given),
             "--endpoint-url", "http://127.0.0.1:1"],
            env={**os.environ, **keys},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert "Could not connect to the endpoint URL" in done.stderr, (command, done.stderr)


def test_every_recorded_answer_is_one_of_the_api(aws: Recorded) -> None:
    extra = {
        "cloudformation describe-stacks": OLD,
        "ecr describe-repositories": THERE,
        "cloudformation describe-change-set": changes(status="FAILED", reason="x"),
    }
    answers = [*aws.answers.items(), *extra.items()]
    for command, answer in answers:
        if command == "docker image":
            continue
        for _, each in recorded_aws.rules(command, answer):
            if isinstance(each, Failure):
                code = each.message.partition("(")[2].partition(")")[0]
                errors = {shape.name for shape in operation(command).error_shapes}
                assert code in errors | {"ValidationError"}, command
            else:
                assert not mistakes(each, operation(command).output_shape), command


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    (
        "quotas",
        {"service-quotas list-service-quotas": quotas(training=0, transform=4)},
        "--service-code sagemaker --quota-code L-TRAINING --desired-value 2",
    ),
    (
        "quotas",
        {"service-quotas list-service-quotas": {"Quotas": []}},
        "'ml.m5.xlarge for transform job usage' is 0",
    ),
    (
        "quotas",
        {
            "service-quotas list-service-quotas": {"Quotas": []},
            "service-quotas list-aws-default-service-quotas": {"Quotas": []},
        },
        "no quota 'ml.m5.xlarge for training job usage' here: see the type in TrainInstanceType",
    ),
    (
        "concurrency",
        {"lambda get-account-settings": {"AccountLimit": {"UnreservedConcurrentExecutions": 7}}},
        "7 functions may run at once, and MarketConcurrency × StoreConcurrency are 8",
    ),
    (
        "secrets",
        {"secretsmanager get-secret-value": {"SecretString": '{"token": "x"}'}},
        f"the secret {SECRET} holds no database URL",
    ),
    (
        "secrets",
        {
            "secretsmanager get-secret-value": error(
                "ResourceNotFoundException", "GetSecretValue", "Secrets Manager can't find it."
            )
        },
        f"there is no secret {SECRET}; create it or correct its name",
    ),
    (
        "secrets",
        {
            "secretsmanager get-secret-value": error(
                "DecryptionFailure", "GetSecretValue", "the key is disabled"
            )
        },
        "DecryptionFailure: the key is disabled",
    ),
    (
        "image",
        {"docker image": Failure("Error response from daemon: No such image: ordergap:latest", 1)},
        "there is no image ordergap: make image",
    ),
    (
        "image",
        {"docker image": [{"Id": "sha256:1", "Os": "linux", "Architecture": "arm64"}]},
        "the image is for linux/arm64, and the instances are linux/amd64",
    ),
    (
        "image",
        {
            "docker image": [
                {
                    "Id": "sha256:1",
                    "Os": "linux",
                    "Architecture": "amd64",
                    "Descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json"},
                }
            ]
        },
        "the image's manifest is application/vnd.oci.image.index.v1+json",
    ),
    (
        "repository",
        {"ecr describe-repositories": THERE},
        "the repository ordergap exists without the stack",
    ),
    (
        "repository",
        {
            "ecr describe-repositories": THERE,
            "cloudformation describe-stacks": OLD,
            "ecr describe-images": {
                "imageDetails": [
                    {"imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"}
                ]
            },
        },
        "the image's manifest is application/vnd.oci.image.manifest.v1+json",
    ),
    (
        "policies",
        {
            "accessanalyzer validate-policy": {
                "findings": [
                    {
                        "findingType": "ERROR",
                        "issueCode": "INVALID_ACTION",
                        "findingDetails": "The action s3:GetObjekt does not exist.",
                        "learnMoreLink": "https://docs.aws.amazon.com/IAM/",
                        "locations": [],
                    }
                ]
            }
        },
        "ExtractOrdersRole: INVALID_ACTION: The action s3:GetObjekt does not exist.",
    ),
    (
        "rights",
        {"iam simulate-custom-policy": decisions("PipelineRole sagemaker:CreateModel")},
        "model/ordergap-uk-2011-12-09-3f2a9c1b7d04 is implicitDeny, and must be allowed",
    ),
    (
        "rights",
        {"iam simulate-custom-policy": decisions("ReconcileRole s3:PutObject")},
        "runs/first-run/uk/_SUCCESS is allowed, and must not be allowed",
    ),
    (
        "rights",
        {"iam simulate-custom-policy": {"EvaluationResults": []}},
        "IAM decided on 0 of",
    ),
    (
        "definition",
        {
            "stepfunctions validate-state-machine-definition": {
                "result": "FAIL",
                "diagnostics": [
                    {
                        "severity": "ERROR",
                        "code": "SCHEMA_VALIDATION_FAILED",
                        "message": "The field Next is missing",
                        "location": "/States/Begin",
                    }
                ],
            }
        },
        "/States/Begin SCHEMA_VALIDATION_FAILED: The field Next is missing",
    ),
    (
        "definition",
        {"stepfunctions validate-state-machine-definition": {"result": "FAIL", "diagnostics": []}},
        "the result is FAIL, without a reason",
    ),
    (
        "states",
        {
            "stepfunctions test-state": {
                "status": "FAILED",
                "error": "States.Runtime",
                "cause": "The JSONPath '$.given' could not be found",
            }
        },
        "Begin ends with States.Runtime: The JSONPath '$.given' could not be found",
    ),
    (
        "indexes",
        {
            "cloudformation describe-stacks": OLD,
            "dynamodb describe-table": {
                "Table": {"GlobalSecondaryIndexes": [{"IndexName": "by_week"}]}
            },
        },
        "by_probability, by_risk: one index can be added or removed in a deployment",
    ),
    (
        "changes",
        {"cloudformation describe-change-set": changes(status="FAILED", reason="Early validation")},
        "Repository/Resources/Repository: ordergap already exists",
    ),
    (
        "changes",
        {
            "cloudformation create-change-set": error(
                "ValidationError", "CreateChangeSet", "Template format error: unsupported structure"
            )
        },
        "ValidationError: Template format error: unsupported structure",
    ),
    (
        "changes",
        {"cloudformation describe-stacks": recorded_aws.stack("ROLLBACK_COMPLETE")},
        "the stack is ROLLBACK_COMPLETE and takes no deployment: aws cloudformation delete-stack",
    ),
    (
        "changes",
        {
            "cloudformation describe-stacks": OLD,
            "cloudformation describe-change-set": changes(
                {
                    "Action": "Modify",
                    "LogicalResourceId": "Predictions",
                    "ResourceType": "AWS::DynamoDB::Table",
                    "Replacement": "True",
                }
            ),
        },
        "Predictions is replaced by an empty one; the old one stays",
    ),
    (
        "changes",
        {"cloudformation delete-stack": denied("cloudformation:DeleteStack")},
        f"aws cloudformation delete-stack --stack-name {STACK_ID}",
    ),
    (
        "changes",
        {
            "cloudformation describe-stacks": [
                ({"StackName": STACK_ID}, recorded_aws.stack("CREATE_IN_PROGRESS")),
                ({}, recorded_aws.ABSENT),
            ]
        },
        "the stack became CREATE_IN_PROGRESS meanwhile, and was not deleted",
    ),
]


@pytest.mark.parametrize(("check", "answers", "expected"), REFUSALS)
def test_a_refusal_is_a_problem_with_its_remedy(
    check: str, answers: dict[str, Any], expected: str, ask: Asked, aws: Recorded
) -> None:
    for command, answer in answers.items():
        aws[command] = answer
    code, printed = ask(check)
    assert code == 1, printed
    assert f"1 of 1 checks did not pass: {check}" in printed
    lines = [each for each in printed.splitlines() if expected in each]
    assert lines
    assert all(each.startswith("  wrong: ") for each in lines)


def test_every_check_has_a_refusal() -> None:
    assert {check for check, _, _ in REFUSALS} == {*CHECKS} == {*OF_CHECK}


WITHOUT_ANSWER: dict[str, Callable[[str], tuple[Any, str]]] = {
    "a right is missing": lambda action: (denied(action), f"not checked: needs {action}"),
    "throttled": lambda action: (
        error("ThrottlingException", action.partition(":")[2], "Rate exceeded"),
        "not checked: AWS throttles",
    ),
    "no JSON": lambda _: ("<html>a proxy</html>", "is no JSON object"),
    "no object": lambda _: ("[1]", "is no JSON object"),
    "an old CLI": lambda _: (
        Failure("aws: error: argument operation: Invalid choice, valid choices are:", 252),
        "not checked: needs a newer AWS CLI",
    ),
    "no connection": lambda _: (
        Failure('Could not connect to the endpoint URL: "https://…/"', 253),
        "not checked: Could not connect to the endpoint URL",
    ),
    "expired": lambda action: (
        error("ExpiredTokenException", action.partition(":")[2], "The security token is expired"),
        "not checked: needs valid credentials",
    ),
}


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        *((check, "a right is missing") for check in CHECKS if check != "image"),
        *(("concurrency", reason) for reason in WITHOUT_ANSWER),
    ],
)
def test_a_question_without_an_answer_is_not_passed(
    check: str, reason: str, ask: Asked, aws: Recorded
) -> None:
    aws["cloudformation describe-stacks"] = OLD
    aws["ecr describe-repositories"] = THERE
    first = OF_CHECK[check][0]
    service = {"accessanalyzer": "access-analyzer", "service-quotas": "servicequotas"}
    name = first.partition(" ")[0]
    action = f"{service.get(name, name)}:{operation(first).name}"
    aws[first], expected = WITHOUT_ANSWER[reason](action)
    other = "concurrency" if check != "concurrency" else "secrets"
    code, printed = ask(check, other)
    assert code == 1, printed
    assert expected in printed
    assert f"1 of 2 checks did not pass: {check}" in printed
    assert "html" not in printed


@pytest.mark.parametrize("command", [each for each in ANSWERS if each not in BEGINNING])
def test_a_field_that_an_answer_lacks_is_not_a_pass(
    command: str, ask: Asked, aws: Recorded
) -> None:
    if command in {"cloudformation delete-change-set", "cloudformation delete-stack"}:
        return  # answer with nothing
    (check,) = [name for name, commands in OF_CHECK.items() if command in commands]
    if command in {"ecr describe-images", *OF_CHECK["indexes"]}:
        aws["cloudformation describe-stacks"] = OLD
        aws["ecr describe-repositories"] = THERE
    if command == "cloudformation describe-events":
        aws["cloudformation describe-change-set"] = changes(status="FAILED", reason="x")
    aws[command] = [{}] if command == "docker image" else {}
    code, printed = ask(check)
    if command == "ecr describe-repositories":
        return  # only whether it is there is asked
    assert code == 1, printed


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("cloudformation describe-stacks", "a right is missing"),
        *((BEGINNING[0], each) for each in ("expired", "no JSON")),
    ],
)
def test_a_plan_that_cannot_begin_says_why(
    command: str, reason: str, ask: Asked, aws: Recorded
) -> None:
    aws[command], expected = WITHOUT_ANSWER[reason](f"sts:{operation(command).name}")
    code, printed = ask()
    assert code == 2
    assert "The plan cannot begin: " in printed
    assert expected.removeprefix("not checked: ") in printed


def test_without_credentials_nothing_begins(ask: Asked, aws: Recorded) -> None:
    aws["sts get-caller-identity"] = Failure(
        'Unable to locate credentials. You can configure credentials by running "aws configure".',
        253,
    )
    code, printed = ask()
    assert (code, len(aws.of("sts get-caller-identity"))) == (2, 1)
    assert "needs credentials, such as by aws configure" in printed


@pytest.mark.parametrize("program", ["aws", "docker"])
def test_a_missing_program_is_named(
    program: str, ask: Asked, aws: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    (aws.folder / program).unlink()
    monkeypatch.setenv("PATH", str(aws.folder))
    code, printed = ask("image")
    assert code == (2 if program == "aws" else 1)
    assert f"needs the program {program}, which is not installed" in printed


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PARAMETERS": ""}, "set SourceSecretArn in PARAMETERS"),
        ({"PARAMETERS": "Nonsense=1"}, "Nonsense=1 is no NAME=VALUE"),
        ({"PARAMETERS": "SourceSecretArn"}, "SourceSecretArn is no NAME=VALUE"),
    ],
)
def test_wrong_parameters_are_named(
    variables: dict[str, str], expected: str, ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, printed = ask()
    assert code == 2
    assert expected in printed


def test_a_missing_region_is_an_error(aws: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    (aws.folder / "aws").write_text("#!/bin/sh\nexit 1\n")
    assert plan.main([]) == 2
    assert "No region: set REGION" in capsys.readouterr().err


def test_help_lists_what_is_asked_and_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plan.main(["--help"])
    printed = capsys.readouterr().out
    for check in CHECKS.values():
        assert f"{check.asks} ({check.costs})" in printed


def test_a_secret_elsewhere_is_named(
    ask: Asked, aws: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARAMETERS", f"SourceSecretArn={SECRET.replace(REGION, 'us-east-1')}")
    code, printed = ask("secrets")
    assert code == 1
    assert f"is in us-east-1, and extract_orders in {REGION}" in printed


def test_an_update_keeps_the_stack_and_what_is_not_named(ask: Asked, aws: Recorded) -> None:
    aws["cloudformation describe-stacks"] = OLD
    code, printed = ask("changes")
    assert code == 0, printed
    (made,) = aws.of("cloudformation create-change-set")
    assert made["ChangeSetType"] == "UPDATE"
    kept = [each["ParameterKey"] for each in made["Parameters"] if "UsePreviousValue" in each]
    assert kept == []  # all that it has are named, and GoneSince is no longer declared
    assert aws.of("cloudformation delete-change-set")
    assert not aws.of("cloudformation delete-stack")


def test_parameters_of_the_stack_stay(
    ask: Asked, aws: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARAMETERS", "")
    aws["cloudformation describe-stacks"] = OLD
    assert ask("changes", "secrets")[0] == 0
    (made,) = aws.of("cloudformation create-change-set")
    assert {"ParameterKey": "SourceSecretArn", "UsePreviousValue": True} in made["Parameters"]
    assert aws.of("secretsmanager get-secret-value") == [{"SecretId": SECRET}]


def test_nothing_to_change_is_no_problem(ask: Asked, aws: Recorded) -> None:
    aws["cloudformation describe-stacks"] = OLD
    aws["cloudformation describe-change-set"] = changes(
        status="FAILED", reason="The submitted information didn't contain changes."
    )
    code, printed = ask("changes")
    assert code == 0
    assert "nothing changes" in printed


def test_a_plan_that_is_stopped_leaves_nothing(
    ask: Asked, aws: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    aws["cloudformation describe-change-set"] = changes(status="CREATE_IN_PROGRESS")
    stopped = SimpleNamespace(sleep=interrupt, time_ns=time.time_ns)
    monkeypatch.setattr(deployed, "time", stopped)
    with pytest.raises(KeyboardInterrupt):
        ask("changes")
    assert aws.of("cloudformation delete-change-set")
    assert aws.of("cloudformation delete-stack") == [{"StackName": STACK_ID}]


def test_a_stack_in_review_that_was_there_stays(ask: Asked, aws: Recorded) -> None:
    aws["cloudformation describe-stacks"] = recorded_aws.stack("REVIEW_IN_PROGRESS")
    code, printed = ask("changes")
    assert code == 0, printed
    assert aws.of("cloudformation create-change-set")[0]["ChangeSetType"] == "CREATE"
    assert not aws.of("cloudformation delete-stack")


def test_markets_that_would_wait_are_a_note(ask: Asked, aws: Recorded) -> None:
    aws["service-quotas list-service-quotas"] = quotas(training=1, transform=4)
    code, printed = ask("quotas")
    assert code == 0
    assert "is 1: markets wait for one another" in printed
