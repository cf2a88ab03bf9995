"""The permissions in the template, compared with the calls of the code and the state machine."""

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint.data.AdditionalSpecs
import pytest
from botocore import xform_name

from infra import package
from tests.stack import FUNCTIONS, RESOURCES, ROOT, TEMPLATE

SERVICES = ("dynamodb", "s3", "sagemaker", "secretsmanager", "sns")

# Call -> its IAM action, where the names differ.
GRANTS = {
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
}
# Permissions of every function: its log and its traces.
EVERY = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
# Further permissions that a call needs. Without s3:ListBucket, a missing object is forbidden.
ALSO = {
    "s3:GetObject": {"s3:ListBucket"},
    "sns:Publish": {"kms:Decrypt", "kms:GenerateDataKey"},
}
# Permissions that the template grants under a condition.
CONDITIONAL = {
    "extract_orders": {
        "kms:Decrypt",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
    }
}
# Actions on `Resource: "*"` that support narrower ones, and why.
ON_EVERYTHING = {
    "cloudwatch:PutMetricData": "narrowed by the condition on its namespace",
    "ec2:CreateNetworkInterface": "Lambda tries it without a resource when it joins a VPC",
    "ec2:DeleteNetworkInterface": "the interfaces are Lambda's own, with names chosen by AWS",
    "kms:*": "a key's policy speaks of its own key",
    "kms:Decrypt": "a key's policy speaks of its own key",
    "kms:GenerateDataKey": "a key's policy speaks of its own key",
}
# The only actions with a `*`, and why.
WILDCARDS = {
    ("BucketPolicy", "s3:*"): "denies everything without TLS",
    (
        "TopicKey",
        "kms:*",
    ): "gives the account the right to govern the key; without it nobody has it",
}


def of_type(kind: str) -> dict[str, Any]:
    return {name: each for name, each in RESOURCES.items() if each["Type"] == kind}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(name: str) -> Iterator[dict[str, Any]]:
    """The statements of a role, a bucket's policy or a key's policy, conditional ones included."""
    properties = RESOURCES[name]["Properties"]
    documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
    documents += [
        properties[key]
        for key in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")
        if key in properties
    ]
    for document in documents:
        for each in document["Statement"]:
            yield each["Fn::If"][1] if "Fn::If" in each else each


def granted(name: str) -> set[str]:
    """The actions of the role, except for assuming it."""
    return {action for each in statements(name) for action in listed(each["Action"])} - {
        "sts:AssumeRole"
    }


def with_policies() -> list[str]:
    kinds = ("AWS::IAM::Role", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::KMS::Key")
    return [name for kind in kinds for name in of_type(kind)]


@functools.cache
def operations() -> dict[str, str]:
    """boto3's method -> ``service:Operation``, for the services in use."""
    session = botocore.session.get_session()
    return {
        xform_name(each): f"{service}:{each}"
        for service in SERVICES
        for each in session.get_service_model(service).operation_names
    }


def called(function: str) -> set[str]:
    """``service:Operation`` of every AWS call in the function's code, known by capital keywords."""
    names, calls = operations(), set()
    for path in package.modules(ROOT, function):
        if not path.is_relative_to(ROOT / "lambdas"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name, keywords = node.func.attr, [each.arg or "" for each in node.keywords]
            if name in {"get_paginator", "get_waiter"} and isinstance(node.args[0], ast.Constant):
                calls.add(names[str(node.args[0].value)])
            elif name in names and any(word[:1].isupper() for word in keywords):
                calls.add(names[name])
            assert name not in {
                "upload_file",
                "upload_fileobj",
                "download_file",
                "download_fileobj",
            }
    return calls


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_the_permissions_of_its_calls_and_no_others(function: str) -> None:
    calls = {GRANTS.get(each, each) for each in called(function)}
    assert calls
    needed = EVERY | calls | set().union(*(ALSO.get(each, set()) for each in calls))
    role = f"{FUNCTIONS[function]}Role"
    assert granted(role) == needed | CONDITIONAL.get(function, set())
    assert RESOURCES[FUNCTIONS[function]]["Properties"]["Role"] == {"Fn::GetAtt": [role, "Arn"]}


@pytest.mark.parametrize("name", with_policies())
def test_no_policy_allows_every_action_or_more_than_needed_on_all_resources(name: str) -> None:
    specs = Path(cfnlint.data.AdditionalSpecs.__file__).parent / "Policies.json"
    service_actions = json.loads(specs.read_text())
    for each in statements(name):
        for action in listed(each["Action"]):
            assert "*" not in action or (name, action) in WILDCARDS
            if "*" not in listed(each.get("Resource", [])):
                continue
            service, _, operation = action.partition(":")
            narrower = service_actions[service]["Actions"].get(operation.lower()) or {}
            assert action in ON_EVERYTHING or not narrower.get("Resources"), action


def test_the_exceptions_are_needed() -> None:
    used = {
        action
        for name in with_policies()
        for each in statements(name)
        if each.get("Resource") == "*"
        for action in listed(each["Action"])
    }
    assert set(ON_EVERYTHING) <= used
    assert set(WILDCARDS) <= {
        (name, action)
        for name in with_policies()
        for each in statements(name)
        for action in listed(each["Action"])
    }


def test_the_state_machine_has_the_permissions_of_its_states() -> None:
    """Of `arn:…:states:::sagemaker:createModel` and its kind; .sync also watches and stops."""
    definition = (ROOT / "stepfunctions/pipeline.asl.json").read_text()
    resources = set(re.findall(r'"Resource": "arn:aws:states:::([^"]+)"', definition))
    expected = {
        "lambda:invoke": {"lambda:InvokeFunction"},
        "s3:listObjectsV2": {"s3:ListBucket"},
        "sagemaker:createModel": {"sagemaker:CreateModel", "sagemaker:AddTags"},
        "aws-sdk:sagemaker:createModelPackage": {
            "sagemaker:CreateModelPackage",
            "s3:GetObject",
            "ecr:BatchGetImage",
        },
        "sagemaker:createTrainingJob.sync": {
            f"sagemaker:{verb}TrainingJob" for verb in ("Create", "Describe", "Stop")
        },
        "sagemaker:createTransformJob.sync": {
            f"sagemaker:{verb}TransformJob" for verb in ("Create", "Describe", "Stop")
        },
    }
    assert resources == set(expected)
    of_every_machine = {
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
        "iam:PassRole",
        "sagemaker:AddTags",
        "sagemaker:ListTags",
        "states:DescribeExecution",
        "states:StartExecution",
        "states:StopExecution",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    assert granted("PipelineRole") == of_every_machine.union(*expected.values())


def test_services_take_roles_for_this_account_alone() -> None:
    """Lambda is not known to say for whom it takes a role, and takes those of its account only."""
    for name in of_type("AWS::IAM::Role"):
        (trust,) = RESOURCES[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if trust["Principal"] != {"Service": "lambda.amazonaws.com"}:
            assert trust["Condition"] == {
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
            }, name


def test_no_arn_is_of_one_partition() -> None:
    """`arn:aws:` would be wrong in China and in GovCloud."""
    for path in ("template.yaml", "deploy.sh", "teardown.sh"):
        assert "arn:aws:" not in (ROOT / "infra" / path).read_text(), path


def test_only_sagemaker_can_be_passed_the_role_of_its_jobs() -> None:
    (passing,) = [each for each in statements("PipelineRole") if each["Action"] == "iam:PassRole"]
    assert passing["Resource"] == {"Fn::GetAtt": ["SageMakerRole", "Arn"]}
    assert passing["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }


def test_names_of_jobs_and_models_fit_and_match_the_roles() -> None:
    definition = (ROOT / "stepfunctions/pipeline.asl.json").read_text()
    names = re.findall(r"\"(?:\w+JobName|ModelName)\.\$\": \"States\.Format\('(.*?)'", definition)
    assert names
    longest = re.search(r"\{0,(\d+)\}", TEMPLATE["Parameters"]["Prefix"]["AllowedPattern"])
    assert longest
    for name in names:
        assert name == "${Prefix}-{}-{}-{}"  # market, as_of, the last twelve digits of a UUID
    assert 1 + int(longest[1]) + len("-") + 20 + len("-2011-12-09-") + 12 <= 63
    for each in statements("PipelineRole"):
        if str(each["Action"]).find("Job") >= 0:
            assert "/${Prefix}-*" in str(each["Resource"])


def test_schedule_and_rule_start_this_state_machine_and_can_start_no_other() -> None:
    (allowed,) = [each for each in statements("StarterRole") if "Resource" in each]
    assert allowed == {
        "Effect": "Allow",
        "Action": "states:StartExecution",
        "Resource": {"Ref": "Pipeline"},
    }
    targets = [
        RESOURCES["Schedule"]["Properties"]["Target"],
        *RESOURCES["Arrival"]["Properties"]["Targets"],
    ]
    for target in targets:
        assert target["Arn"] == {"Ref": "Pipeline"}
        assert target["RoleArn"] == {"Fn::GetAtt": ["StarterRole", "Arn"]}
        assert json.loads(target["Input"]).keys() <= {"as_of"}
