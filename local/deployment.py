"""The shipped template in the embedded AWS, as `aws cloudformation package` and `deploy` do it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from local.aws import Aws
from local.runners import ROOT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

TEMPLATE = ROOT / "infra" / "template.yaml"
STACK = "ordergap"
PACKAGES = "ordergap-packages"
LEFT_OUT = {
    "AWS::S3::BucketPolicy": "nobody is refused anything here",
    "AWS::Scheduler::Schedule": "the run is started by hand",
    "AWS::CloudWatch::Alarm": "no metrics are collected here",
}
"""Types of resources that the emulator passes over, and why the pipeline runs without them."""

Template = dict[str, Any]
_NOTHING = {"StartAt": "Nothing", "States": {"Nothing": {"Type": "Succeed"}}}


class NotDeployed(Exception):
    """The emulator did not take the whole template; the message says what it left out."""


@dataclass(frozen=True)
class Deployment:
    """What the deployed pipeline is called."""

    aws: Aws
    outputs: Mapping[str, str]
    """The template's outputs."""
    definition: str
    """The state machine's definition with its substitutions."""
    role: str
    """The state machine's role."""

    @property
    def bucket(self) -> str:
        """The bucket of the runs."""
        return self.outputs["BucketName"]

    @property
    def table(self) -> str:
        """The table of the forecasts."""
        return self.outputs["TableName"]

    @property
    def topic(self) -> str:
        """The ARN of the topic of the announcements."""
        return self.outputs["TopicArn"]

    @property
    def pipeline(self) -> str:
        """The ARN of the state machine."""
        return self.outputs["PipelineArn"]

    def create_state_machine(self, name: str, definition: str) -> str:
        """A state machine that is executed, with the pipeline's role; its ARN."""
        return self.aws.states.create_state_machine(
            name=name, definition=definition, roleArn=self.role
        )["stateMachineArn"]


def deploy(aws: Aws, secret: str, parameters: Mapping[str, str] | None = None) -> Deployment:
    """Deploy the template, its zips and its state machine.

    secret      ARN of the secret that holds the database's URL
    parameters  of the template, where its defaults do not suit

    Raises NotDeployed.
    """
    template = load(TEMPLATE)
    _upload_code(aws, template)
    # The emulator neither reads a definition from S3 nor executes what CloudFormation makes. Its
    # stand-in keeps the ARN; the real one is made below, of the substitutions as they come out.
    machine = _state_machine(template)
    substitutions = machine.pop("DefinitionSubstitutions")
    source = (TEMPLATE.parent / machine.pop("DefinitionS3Location")).resolve()
    machine["DefinitionString"] = json.dumps(_NOTHING)
    for key, value in substitutions.items():
        template["Outputs"][f"Substitution{key}"] = {"Value": value}
    template["Outputs"]["Role"] = {"Value": machine["RoleArn"]}
    given: list[ParameterTypeDef] = [
        {"ParameterKey": key, "ParameterValue": value}
        for key, value in {"SourceSecretArn": secret, **(parameters or {})}.items()
    ]
    aws.cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(template),
        Parameters=given,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    outputs = _outputs(aws)
    # The emulator forgets it.
    aws.s3.put_bucket_notification_configuration(
        Bucket=outputs["BucketName"], NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    _check_complete(aws, template)
    found = {
        key.removeprefix("Substitution"): outputs.pop(key)
        for key in list(outputs)
        if key.startswith("Substitution")
    }
    deployment = Deployment(
        aws, outputs, substitute(source.read_text(encoding="utf-8"), found), outputs.pop("Role")
    )
    deployment.create_state_machine(deployment.pipeline.rpartition(":")[2], deployment.definition)
    return deployment


def load(path: Path) -> Template:
    """A template as JSON knows it: `!Ref X` becomes {"Ref": "X"}, `!Sub` {"Fn::Sub": …}."""
    return dict(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506 - a safe loader


class _Loader(yaml.SafeLoader):
    """Knows CloudFormation's short forms."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, object]:
    if isinstance(node, yaml.ScalarNode):
        value: object = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)  # noqa: S101
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def substitute(definition: str, values: Mapping[str, str]) -> str:
    """The definition with its `${Name}` filled in; NotDeployed where one has no value.

    >>> substitute('{"Image": "${ImageUri}"}', {"ImageUri": "shop:1"})
    '{"Image": "shop:1"}'
    """
    names = set(re.findall(r"\$\{(\w+)\}", definition))
    if missing := names - values.keys():
        raise NotDeployed(f"the template has no substitution for {', '.join(sorted(missing))}")
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], definition)


def _upload_code(aws: Aws, template: Template) -> None:
    """Local zips become objects in a bucket, as `aws cloudformation package` leaves them."""
    aws.s3.create_bucket(Bucket=PACKAGES)
    for resource in template["Resources"].values():
        code = resource.get("Properties", {}).get("Code")
        if resource["Type"] != "AWS::Lambda::Function" or not isinstance(code, str):
            continue
        path = (TEMPLATE.parent / code).resolve()
        if not path.is_file():
            raise NotDeployed(f"{path.name} is not built: make package")
        aws.s3.upload_file(str(path), PACKAGES, path.name)
        resource["Properties"]["Code"] = {"S3Bucket": PACKAGES, "S3Key": path.name}


def _state_machine(template: Template) -> Template:
    """The properties of the only one there is."""
    [properties] = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
    ]
    return properties  # type: ignore[no-any-return]


def _outputs(aws: Aws) -> dict[str, str]:
    [stack] = aws.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise NotDeployed(f"the stack is {stack['StackStatus']}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _check_complete(aws: Aws, template: Template) -> None:
    """NotDeployed where a resource is missing whose type may not be left out."""
    pages = aws.cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    made = {one["LogicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}
    conditional = {
        name for name, resource in template["Resources"].items() if "Condition" in resource
    }
    missing = [
        f"{name} ({resource['Type']})"
        for name, resource in template["Resources"].items()
        if name not in made | conditional and resource["Type"] not in LEFT_OUT
    ]
    if missing:
        raise NotDeployed(
            f"the emulator passed over {', '.join(missing)}: give it an adapter in local/, or "
            "enter the type into LEFT_OUT with the reason why the pipeline runs without it"
        )
