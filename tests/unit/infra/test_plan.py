"""`make plan` with a recorded AWS CLI: what passes, what is asked, and what is left behind."""

import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from infra.plan import __main__ as plan
from infra.plan import changes as deployed
from infra.plan import policies
from infra.plan.policies import RIGHTS
from tests.recorded_aws import ACCOUNT, REGION, Failure, Recorded, error, rules
from tests.recorded_plan import (
    ANSWERS,
    BEGINNING,
    CHANGE_SET_ID,
    OF_CHECK,
    OLD,
    PASSWORD,
    SECRET,
    STACK_ID,
    THERE,
    changes,
    quotas,
    stack,
)

Asked = Callable[..., tuple[int, str]]
CHECKS = {check.name: check for check in plan.CHECKS}


@functools.cache
def operation(command: str) -> OperationModel:
    """The API's operation behind a command of the CLI."""
    service, _, name = command.replace("s3api", "s3").partition(" ")
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
    (template,) = aws.of("s3api put-object")
    assert "../" not in template["Body"]
    bucket = f"ordergap-artefacts-{ACCOUNT}-{REGION}"
    assert made["TemplateURL"] == f"https://{bucket}.s3.{REGION}.amazonaws.com/{template['Key']}"
    there = {"Bucket": bucket, "ExpectedBucketOwner": ACCOUNT}
    assert aws.of("s3api delete-object") == [{**there, "Key": template["Key"]}]
    assert aws.of("s3api delete-bucket") == [there]
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
    del commands["s3api put-object"]["Body"]  # is of an option of its own
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
        for _, each in rules(command, answer):
            if isinstance(each, Failure):
                code = each.message.partition("(")[2].partition(")")[0]
                errors = {shape.name for shape in operation(command).error_shapes}
                # A HEAD has no body, so its code is the status.
                assert code in errors | {"ValidationError", "404"}, command
            else:
                assert not mistakes(each, operation(command).output_shape), command


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


def test_a_type_that_the_region_lacks_is_left_out(ask: Asked, aws: Recorded) -> None:
    assert ask("changes")[0] == 0
    aws["cloudformation describe-type"] = error(
        "TypeNotFoundException", "DescribeType", "The type 'AWS::Budgets::Budget' cannot be found."
    )
    assert ask("changes")[0] == 0
    whole, without = (each["Body"] for each in aws.of("s3api put-object"))
    assert "AWS::Budgets::Budget" in whole
    assert "AWS::Budgets::Budget" not in without


def test_a_bucket_that_is_there_stays(ask: Asked, aws: Recorded) -> None:
    aws["s3api head-bucket"] = {}
    assert ask("changes")[0] == 0
    assert not aws.of("s3api create-bucket") + aws.of("s3api delete-bucket")


@pytest.mark.parametrize("command", ["delete-object", "delete-bucket"])
def test_a_template_that_cannot_be_removed_is_named(
    command: str, ask: Asked, aws: Recorded
) -> None:
    aws[f"s3api {command}"] = error("AccessDenied", "Delete", "no")
    code, printed = ask("changes")
    assert code == 1
    assert re.search(r"wrong: ordergap-artefacts-\S+ is left with plan-\d+.json", printed)
    assert aws.of("cloudformation delete-change-set")


def test_a_bucket_of_another_account_is_no_place_for_a_template(ask: Asked, aws: Recorded) -> None:
    aws["s3api head-bucket"] = error("403", "HeadBucket", "Forbidden")
    code, printed = ask("changes")
    assert code == 1
    assert "wrong: 403: Forbidden" in printed
    assert not aws.of("s3api put-object")


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
    aws["cloudformation describe-stacks"] = stack("REVIEW_IN_PROGRESS")
    code, printed = ask("changes")
    assert code == 0, printed
    assert aws.of("cloudformation create-change-set")[0]["ChangeSetType"] == "CREATE"
    assert not aws.of("cloudformation delete-stack")


def test_an_answer_of_another_form_is_not_a_pass(ask: Asked, aws: Recorded) -> None:
    aws["cloudformation describe-stacks"] = OLD
    aws["ecr describe-repositories"] = THERE
    aws["ecr describe-images"] = {"imageDetails": []}
    code, printed = ask("repository")
    assert code == 1
    assert "not checked: the answer is of another form" in printed


def test_markets_that_would_wait_are_a_note(ask: Asked, aws: Recorded) -> None:
    aws["service-quotas list-service-quotas"] = quotas(training=1, transform=4, processing=4)
    code, printed = ask("quotas")
    assert code == 0
    assert "is 1: markets wait for one another" in printed
