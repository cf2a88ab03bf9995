"""A stub of the AWS CLI and of Docker on PATH, which answers what AWS and Docker document.

The answers are data, so that a test can hold them against botocore's models.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
ACCOUNT = "123456789012"
REGION = "eu-west-1"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:shop-abcdef"
PASSWORD = "hunter2"  # noqa: S105
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/ordergap/0a1b2c3d"
CHANGE_SET_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/plan/4e5f6a7b"
IMAGE = "sha256:0123456789abcdef0123456789abcdef"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Failure:
    """A command that ends with a message and no answer."""

    message: str
    status: int = 254


def error(code: str, operation: str, message: str) -> Failure:
    """An error of AWS, as the CLI prints it."""
    return Failure(
        f"\nAn error occurred ({code}) when calling the {operation} operation: {message}\n"
    )


def denied(action: str) -> Failure:
    """A right that the caller lacks."""
    user = f"User: arn:aws:iam::{ACCOUNT}:user/sam is not authorized to perform: {action}"
    return error("AccessDeniedException", action.partition(":")[2], f"{user} on resource: *")


def stack(status: str, **fields: Any) -> Json:
    """The answer of describe-stacks."""
    made = {"StackName": "ordergap", "StackId": STACK_ID, "CreationTime": "2026-11-01T00:00:00Z"}
    return {"Stacks": [{**made, "StackStatus": status, **fields}]}


def quotas(**values: float) -> Json:
    """The answer of list-service-quotas: `training` and `transform` of ml.m5.xlarge."""
    return {
        "Quotas": [
            {
                "ServiceCode": "sagemaker",
                "QuotaName": f"ml.m5.xlarge for {job} job usage",
                "QuotaCode": f"L-{job.upper()}",
                "Value": value,
                "Adjustable": True,
            }
            for job, value in values.items()
        ]
    }


def changes(*changed: Json, status: str = "CREATE_COMPLETE", reason: str = "") -> Json:
    """The answer of describe-change-set."""
    return {
        "ChangeSetId": CHANGE_SET_ID,
        "StackId": STACK_ID,
        "Status": status,
        "Changes": [{"Type": "Resource", "ResourceChange": each} for each in changed],
        **({"StatusReason": reason} if reason else {}),
    }


ABSENT = error("ValidationError", "DescribeStacks", "Stack with id ordergap does not exist")
NO_REPOSITORY = error(
    "RepositoryNotFoundException",
    "DescribeRepositories",
    "The repository with name 'ordergap' does not exist",
)
_REVIEWED = ({"StackName": STACK_ID}, stack("REVIEW_IN_PROGRESS"))
_ADDED = {
    "Action": "Add",
    "LogicalResourceId": "Bucket",
    "ResourceType": "AWS::S3::Bucket",
}

Rules = list[tuple[Json, Any]]
"""Pairs of parameters that a call must have, and its answer; the first that fits holds."""

ANSWERS: dict[str, Any] = {
    "sts get-caller-identity": {
        "UserId": "AIDAEXAMPLE",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/sam",
    },
    "cloudformation describe-stacks": [_REVIEWED, ({}, ABSENT)],
    "cloudformation create-change-set": {"Id": CHANGE_SET_ID, "StackId": STACK_ID},
    "cloudformation describe-change-set": changes(_ADDED),
    "cloudformation describe-events": {
        "OperationEvents": [
            {
                "EventType": "VALIDATION_ERROR",
                "LogicalResourceId": "Repository",
                "ValidationStatus": "FAILED",
                "ValidationStatusReason": "ordergap already exists",
                "ValidationPath": "/Resources/Repository",
            }
        ]
    },
    "cloudformation describe-stack-resource": {
        "StackResourceDetail": {
            "LogicalResourceId": "Predictions",
            "PhysicalResourceId": "ordergap-Predictions-1",
            "ResourceType": "AWS::DynamoDB::Table",
            "LastUpdatedTimestamp": "2026-11-01T00:00:00Z",
            "ResourceStatus": "CREATE_COMPLETE",
        }
    },
    "cloudformation delete-change-set": {},
    "cloudformation delete-stack": {},
    "dynamodb describe-table": {
        "Table": {
            "TableName": "ordergap-Predictions-1",
            "GlobalSecondaryIndexes": [
                {"IndexName": name} for name in ("by_week", "by_probability", "by_risk")
            ],
        }
    },
    "stepfunctions validate-state-machine-definition": {"result": "OK", "diagnostics": []},
    "stepfunctions test-state": {"status": "SUCCEEDED", "output": "{}", "nextState": "Next"},
    "accessanalyzer validate-policy": {"findings": []},
    "iam simulate-custom-policy": {"EvaluationResults": []},
    "service-quotas list-aws-default-service-quotas": quotas(training=0, transform=0),
    "service-quotas list-service-quotas": quotas(training=4, transform=4),
    "lambda get-account-settings": {
        "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
    },
    "secretsmanager get-secret-value": {
        "ARN": SECRET,
        "Name": "shop",
        "SecretString": json.dumps({"url": f"postgresql://shop:{PASSWORD}@db:5432/shop"}),
    },
    "ecr describe-repositories": NO_REPOSITORY,
    "ecr describe-images": {
        "imageDetails": [
            {"imageTags": ["0123456789abcdef0123"], "imageManifestMediaType": MANIFEST}
        ]
    },
    "docker image": [{"Id": IMAGE, "Os": "linux", "Architecture": "amd64"}],
}
"""Command -> its answer, a `Failure`, a text that is no JSON, or `Rules`."""

_STUB = """#!{python} -SE
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
command = "docker image" if name == "docker" else " ".join(words[:2])
given = json.loads(words[words.index("--cli-input-json") + 1]) if name == "aws" else {{}}
with open(here + "/calls", "a") as file:
    file.write(json.dumps([command, given]) + "\\n")
with open(here + "/answers") as file:
    rules = json.load(file)[command]
fits = (each for when, each in rules if all(given.get(key) == when[key] for key in when))
stdout, stderr, status = next(fits)
sys.stderr.write(stderr)
sys.stdout.write(stdout)
sys.exit(status)
"""


@dataclass
class Recorded:
    """The stubs in a folder, with the answers of a test."""

    folder: Path
    answers: dict[str, Any] = field(default_factory=lambda: dict(ANSWERS))

    def __post_init__(self) -> None:
        for name in ("aws", "docker"):
            stub = self.folder / name
            stub.write_text(_STUB.format(python=sys.executable), encoding="utf-8")
            stub.chmod(0o755)
        self.write()

    def __setitem__(self, command: str, answer: Any) -> None:
        self.answers[command] = answer
        self.write()

    def write(self) -> None:
        """Let the stubs know the answers."""
        texts = {command: _rules(command, answer) for command, answer in self.answers.items()}
        (self.folder / "answers").write_text(json.dumps(texts), encoding="utf-8")

    def calls(self) -> list[tuple[str, Json]]:
        """Every call until now: the command and its parameters."""
        log = self.folder / "calls"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [(command, given) for command, given in map(json.loads, lines)]

    def of(self, command: str) -> list[Json]:
        """The parameters of every call of a command."""
        return [given for each, given in self.calls() if each == command]


def environment(folder: Path) -> dict[str, str]:
    """The environment of a shell with these stubs and no settings of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def rules(command: str, answer: Any) -> Rules:
    """An answer as pairs of what a call must have and the answer to it."""
    return [({}, answer)] if command == "docker image" or not isinstance(answer, list) else answer


def _rules(command: str, answer: Any) -> list[tuple[Json, tuple[str, str, int]]]:
    return [(when, _printed(each)) for when, each in rules(command, answer)]


def _printed(answer: Any) -> tuple[str, str, int]:
    if isinstance(answer, Failure):
        return "", answer.message, answer.status
    # The CLI prints nothing for an answer without fields.
    return (answer if isinstance(answer, str) else json.dumps(answer) if answer else ""), "", 0
