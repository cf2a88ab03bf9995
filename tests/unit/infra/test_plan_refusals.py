"""`make plan` with a recorded AWS CLI: every refusal, and every question without an answer."""

from collections.abc import Callable
from typing import Any

import pytest

from infra.plan import __main__ as plan
from tests.recorded_aws import Failure, Recorded, denied, error
from tests.recorded_plan import (
    ABSENT,
    ANSWERS,
    BEGINNING,
    OF_CHECK,
    OLD,
    SECRET,
    STACK_ID,
    THERE,
    changes,
    decisions,
    quotas,
    stack,
)

Asked = Callable[..., tuple[int, str]]
CHECKS = {check.name: check for check in plan.CHECKS}
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
        "by_probability, by_risk, by_value: one index can be added or removed in a deployment",
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
        {"cloudformation describe-stacks": stack("ROLLBACK_COMPLETE")},
        "the stack is ROLLBACK_COMPLETE and takes no change set. Delete it",
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
                ({"StackName": STACK_ID}, stack("CREATE_IN_PROGRESS")),
                ({}, ABSENT),
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


def test_what_is_left_is_said_beside_what_was_not_answered(ask: Asked, aws: Recorded) -> None:
    aws["cloudformation describe-change-set"] = denied("cloudformation:DescribeChangeSet")
    aws["cloudformation delete-change-set"] = denied("cloudformation:DeleteChangeSet")
    code, printed = ask("changes")
    assert code == 1
    remedy = f"aws cloudformation delete-stack --stack-name {STACK_ID}"
    assert f"wrong: a stack without resources is left: {remedy}" in printed
    assert "not checked: needs cloudformation:DescribeChangeSet" in printed


def test_a_stack_whose_answer_was_lost_is_named(
    ask: Asked, aws: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws["cloudformation create-change-set"] = "half an answ"
    code, printed = ask("changes")
    assert (code, "is left" in printed) == (1, False)
    begin = plan._plan

    def begun(options: Any) -> Any:
        """The plan, after which the stack is there."""
        made = begin(options)
        aws["cloudformation describe-stacks"] = stack("REVIEW_IN_PROGRESS")
        return made

    monkeypatch.setattr(plan, "_plan", begun)
    code, printed = ask("changes")
    assert code == 1
    assert f"delete-stack --stack-name {STACK_ID}" in printed


def test_every_check_has_a_refusal() -> None:
    assert {check for check, _, _ in REFUSALS} == {*CHECKS} == {*OF_CHECK}


def camel(command: str) -> str:
    """The API's operation of a command."""
    return "".join(word.title() for word in command.partition(" ")[2].split("-"))


WITHOUT_ANSWER: dict[str, Callable[[str], tuple[Any, str]]] = {
    "a right is missing": lambda action: (denied(action), f"not checked: needs {action}"),
    "throttled": lambda action: (
        error("ThrottlingException", action.partition(":")[2], "Rate exceeded"),
        "not checked: AWS does not answer for now; run the plan again later: ThrottlingException",
    ),
    "a fault of AWS": lambda action: (
        error("ServiceException", action.partition(":")[2], "an internal error"),
        "not checked: AWS does not answer for now",
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
    service = {
        "accessanalyzer": "access-analyzer",
        "service-quotas": "servicequotas",
        "s3api": "s3",
    }
    name = first.partition(" ")[0]
    action = f"{service.get(name, name)}:{camel(first)}"
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
    nothing = {"cloudformation delete-change-set", "cloudformation delete-stack"}
    if command in nothing or command.startswith("s3api"):
        return  # answer with nothing that is read
    (check,) = [name for name, commands in OF_CHECK.items() if command in commands]
    if command in {"ecr describe-images", *OF_CHECK["indexes"]}:
        aws["cloudformation describe-stacks"] = OLD
        aws["ecr describe-repositories"] = THERE
    if command == "cloudformation describe-events":
        aws["cloudformation describe-change-set"] = changes(status="FAILED", reason="x")
    aws[command] = [{}] if command == "docker image" else {}
    code, printed = ask(check)
    if command in {"ecr describe-repositories", "cloudformation describe-type"}:
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
    aws[command], expected = WITHOUT_ANSWER[reason](f"sts:{camel(command)}")
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
