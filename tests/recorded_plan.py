"""What AWS answers to `python -m infra.plan` where nothing is wrong, and other answers of it."""

import json
from typing import Any

from infra.plan import machine
from infra.plan.policies import RIGHTS
from infra.rendering import Stack
from local.deployment import load
from tests.recorded_aws import ACCOUNT, REGION, Json, Rules, error
from tests.stack import ROOT

SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:shop-abcdef"
PASSWORD = "hunter2"  # noqa: S105
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/ordergap/0a1b2c3d"
CHANGE_SET_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/plan/4e5f6a7b"
IMAGE = "sha256:0123456789abcdef0123456789abcdef"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TEMPLATE = load(ROOT / "infra/template.yaml")
STACK = Stack("ordergap", ACCOUNT, REGION, "aws", TEMPLATE, {"SourceSecretArn": SECRET})


def stack(status: str, **fields: Any) -> Json:
    """The answer of describe-stacks."""
    made = {"StackName": "ordergap", "StackId": STACK_ID, "CreationTime": "2026-11-01T00:00:00Z"}
    return {"Stacks": [{**made, "StackStatus": status, **fields}]}


def quotas(**values: float) -> Json:
    """The answer of list-service-quotas: kind of job -> that of ml.m5.xlarge."""
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

ANSWERS: dict[str, Any] = {
    "sts get-caller-identity": {
        "UserId": "AIDAEXAMPLE",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/sam",
    },
    "cloudformation describe-stacks": [_REVIEWED, ({}, ABSENT)],
    "cloudformation describe-type": {"Type": "RESOURCE", "TypeName": "AWS::Budgets::Budget"},
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
    "s3api head-bucket": error("404", "HeadBucket", "Not Found"),
    "s3api create-bucket": {"Location": "/ordergap-artefacts"},
    "s3api put-object": {"ETag": '"0"'},
    "s3api delete-object": {},
    "s3api delete-bucket": {},
    "cloudformation delete-change-set": {},
    "cloudformation delete-stack": {},
    "dynamodb describe-table": {
        "Table": {
            "TableName": "ordergap-Predictions-1",
            "GlobalSecondaryIndexes": [
                {"IndexName": name} for name in ("by_week", "by_probability", "by_risk", "by_value")
            ],
        }
    },
    "stepfunctions validate-state-machine-definition": {"result": "OK", "diagnostics": []},
    "stepfunctions test-state": {"status": "SUCCEEDED", "output": "{}", "nextState": "Next"},
    "accessanalyzer validate-policy": {"findings": []},
    "iam simulate-custom-policy": {"EvaluationResults": []},
    "service-quotas list-aws-default-service-quotas": quotas(training=0, transform=0, processing=0),
    "service-quotas list-service-quotas": quotas(training=4, transform=4, processing=4),
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
        *(f"s3api {each}-bucket" for each in ("head", "create", "delete")),
        "s3api put-object",
        "s3api delete-object",
        "cloudformation create-change-set",
        "cloudformation describe-type",
        "cloudformation describe-change-set",
        "cloudformation describe-events",
        "cloudformation delete-change-set",
        "cloudformation delete-stack",
    ],
}  # fmt: skip
BEGINNING = ["sts get-caller-identity", "cloudformation describe-stacks"]
"""The commands that a plan begins with."""
OLD = stack(
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


def decisions(*refused: str) -> Rules:
    """What IAM decides on each right; those in `refused` the other way round."""
    answers: Rules = []
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


def state_tests() -> Rules:
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
