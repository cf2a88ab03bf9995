"""Deploys the template to the embedded AWS as `aws cloudformation package` and `deploy` do."""

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
NOT_EMULATED = {
    "AWS::Budgets::Budget": "budget",
    "AWS::S3::BucketPolicy": "bucket policy",
    "AWS::SNS::TopicPolicy": "topic policy",
    "AWS::Scheduler::Schedule": "schedule",
    "AWS::CloudWatch::Alarm": "alarms",
}
"""Resource types that the emulator skips, and their names for the user."""

Template = dict[str, Any]
_PLACEHOLDER = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}


class NotDeployed(Exception):
    """The emulator did not create the whole stack; the message names what is missing."""


@dataclass(frozen=True)
class Deployment:
    """The names of the deployed pipeline's resources."""

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
        """Create a state machine that is executed, with the pipeline's role; returns its ARN."""
        return self.aws.states.create_state_machine(
            name=name, definition=definition, roleArn=self.role
        )["stateMachineArn"]


def deploy(aws: Aws, secret: str, parameters: Mapping[str, str] | None = None) -> Deployment:
    """Deploy the template, its zips and its state machine.

    secret      ARN of the secret that holds the database's URL
    parameters  of the template, where not its defaults

    Raises NotDeployed.
    """
    template = load(TEMPLATE)
    _upload_code(aws, template)
    # The emulator neither reads a definition from S3 nor executes what CloudFormation creates. Its
    # placeholder gets the ARN; the real one is created below, with the resolved substitutions.
    machine = _state_machine(template)
    substitutions = machine.pop("DefinitionSubstitutions")
    source = (TEMPLATE.parent / machine.pop("DefinitionS3Location")).resolve()
    machine["DefinitionString"] = json.dumps(_PLACEHOLDER)
    for key, value in substitutions.items():
        template["Outputs"][f"Substitution{key}"] = {"Value": value}
    template["Outputs"]["Role"] = {"Value": machine["RoleArn"]}
    stack_parameters: list[ParameterTypeDef] = [
        {"ParameterKey": key, "ParameterValue": value}
        for key, value in {"SourceSecretArn": secret, **(parameters or {})}.items()
    ]
    aws.cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(template),
        Parameters=stack_parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    outputs = _outputs(aws)
    # CloudFormation's emulation ignores these settings.
    aws.s3.put_bucket_notification_configuration(
        Bucket=outputs["BucketName"], NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    aws.s3.put_bucket_versioning(
        Bucket=outputs["BucketName"], VersioningConfiguration={"Status": "Enabled"}
    )
    _check_complete(aws, template)
    substitutions = {
        key.removeprefix("Substitution"): outputs.pop(key)
        for key in list(outputs)
        if key.startswith("Substitution")
    }
    deployment = Deployment(
        aws,
        outputs,
        substitute(source.read_text(encoding="utf-8"), substitutions),
        outputs.pop("Role"),
    )
    deployment.create_state_machine(deployment.pipeline.rpartition(":")[2], deployment.definition)
    return deployment


def load(path: Path) -> Template:
    """A template in JSON's form: `!Ref X` becomes {"Ref": "X"}, `!Sub` {"Fn::Sub": …}."""
    return dict(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506 - a safe loader


class _Loader(yaml.SafeLoader):
    """Parses CloudFormation's short forms."""


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
    """The definition with its `${Name}` replaced; NotDeployed where one has no value.

    >>> substitute('{"Image": "${ImageUri}"}', {"ImageUri": "shop:1"})
    '{"Image": "shop:1"}'
    """
    names = set(re.findall(r"\$\{(\w+)\}", definition))
    if missing := names - values.keys():
        raise NotDeployed(f"the template has no substitution for {', '.join(sorted(missing))}")
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], definition)


def _upload_code(aws: Aws, template: Template) -> None:
    """Upload the local zips to a bucket, as `aws cloudformation package` does."""
    aws.s3.create_bucket(Bucket=PACKAGES)
    for resource in template["Resources"].values():
        code = resource.get("Properties", {}).get("Code")
        if resource["Type"] != "AWS::Lambda::Function" or not isinstance(code, str):
            continue
        path = (TEMPLATE.parent / code).resolve()
        if not path.is_file():
            raise NotDeployed(f"{path.name} does not exist; run make package")
        aws.s3.upload_file(str(path), PACKAGES, path.name)
        resource["Properties"]["Code"] = {"S3Bucket": PACKAGES, "S3Key": path.name}


def _state_machine(template: Template) -> Template:
    """The properties of the only state machine."""
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
    """NotDeployed where a resource is missing whose type is not in NOT_EMULATED."""
    paginator = aws.cloudformation.get_paginator("list_stack_resources")
    created = {
        resource["LogicalResourceId"]
        for page in paginator.paginate(StackName=STACK)
        for resource in page["StackResourceSummaries"]
    }
    conditional = {
        name for name, resource in template["Resources"].items() if "Condition" in resource
    }
    missing = [
        f"{name} ({resource['Type']})"
        for name, resource in template["Resources"].items()
        if name not in created | conditional and resource["Type"] not in NOT_EMULATED
    ]
    if missing:
        raise NotDeployed(
            f"the emulator skipped {', '.join(missing)}; add an adapter to local/, or "
            "add the type to NOT_EMULATED"
        )
