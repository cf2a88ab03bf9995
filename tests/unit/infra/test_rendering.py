"""The rendered template, held against moto's CloudFormation; and what the plan makes of it."""

import ast
import doctest
import json
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws

from infra.plan import machine
from infra.plan.policies import RIGHTS
from infra.rendering import Stack, Unrenderable
from tests.recorded_aws import ACCOUNT, REGION
from tests.recorded_plan import SECRET, TEMPLATE
from tests.stack import ROOT

GIVEN = {
    "SourceSecretArn": SECRET,
    "MarketSecretArns": f"{SECRET},{SECRET}-2",
    "SubnetIds": "subnet-1,subnet-2",
    "Prefix": "shop",
}
STACK = Stack("Shop", ACCOUNT, REGION, "aws", TEMPLATE, GIVEN)
KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}

# Actions that have no resource in a run: logs of the state machine, traces, networks.
WITHOUT_RESOURCE = re.compile(r"xray:|ec2:|logs:\w*(LogDelivery|LogDeliveries|Polic|LogGroups)")
DEPLOYED = ("AWS::IAM::Role", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SNS::Topic",
            "AWS::DynamoDB::Table", "AWS::ECR::Repository", "AWS::Logs::LogGroup")  # fmt: skip


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    with patch.dict("os.environ", KEYS):
        yield


def test_roles_are_what_cloudformation_makes_of_them() -> None:
    """Of moto, for the roles that name no function: physical names are put in for stand-ins."""
    names = {name for name, each in TEMPLATE["Resources"].items() if each["Type"] in DEPLOYED}
    names -= {"PipelineRole", "StarterRole"}
    template = {
        **{key: TEMPLATE[key] for key in ("Parameters", "Conditions")},
        "Resources": {name: TEMPLATE["Resources"][name] for name in names},
    }
    with mock_aws():
        cloudformation, iam = boto3.client("cloudformation"), boto3.client("iam")
        cloudformation.create_stack(
            StackName="Shop",
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in GIVEN.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        listed = cloudformation.describe_stack_resources(StackName="Shop")["StackResources"]
        physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}
        for role in STACK.roles.keys() & names:
            [name] = iam.list_role_policies(RoleName=physical[role])["PolicyNames"]
            answer = iam.get_role_policy(RoleName=physical[role], PolicyName=name)
            # Of moto, a text; without the ":*" of a log group; what has no value is there as None.
            made = re.sub(r"(log-group:/aws/lambda/[\w-]+)", r"\1:*", str(answer["PolicyDocument"]))
            made = made.replace(" None,", "")
            [own] = [each["PolicyDocument"] for each in STACK.roles[role]["Policies"]]
            text = json.dumps(own)
            for logical in ("Bucket", "Predictions", "TopicKey", "Topic"):
                standin = f"shop-{logical.lower()}"
                actual = physical[logical].rpartition(":")[2]
                text = re.sub(rf"{standin}(?![\w-])", actual, text)
            assert json.loads(text) == ast.literal_eval(made), role


def test_conditions_hold_as_the_parameters_say() -> None:
    secrets = [
        each["Resource"]
        for each in STACK.roles["ExtractOrdersRole"]["Policies"][0]["PolicyDocument"]["Statement"]
        if each["Action"] == "secretsmanager:GetSecretValue"
    ]
    assert secrets == [SECRET, [SECRET, f"{SECRET}-2"]]
    alone = Stack("Shop", ACCOUNT, REGION, "aws-cn", TEMPLATE, {"SourceSecretArn": SECRET})
    text = json.dumps(alone.roles)
    assert "ec2:CreateNetworkInterface" not in text
    assert "arn:aws:" not in text.replace(SECRET, "")
    assert "amazonaws.com.cn/shop" not in alone.definition("${ImageUri}")
    assert alone.definition("${ImageUri}").endswith(".amazonaws.com.cn/ordergap:latest")


def test_nothing_is_left_to_put_in() -> None:
    definition = STACK.definition((ROOT / "stepfunctions/pipeline.asl.json").read_text("utf-8"))
    json.loads(definition)
    for text in (definition, json.dumps(STACK.roles)):
        assert "${" not in text
        assert "Fn::" not in text


@pytest.mark.parametrize(
    "unknown", [{"Fn::GetAZs": ""}, {"Fn::GetAtt": ["Topic", "TopicName"]}, {"Fn::Select": [0, []]}]
)
def test_what_is_unknown_is_refused(unknown: dict[str, Any]) -> None:
    with pytest.raises(Unrenderable):
        STACK.render(unknown)


def test_every_action_of_a_role_is_asked_about() -> None:
    for role, properties in STACK.roles.items():
        granted = {
            action
            for policy in properties["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in (
                statement["Action"]
                if isinstance(statement["Action"], list)
                else [statement["Action"]]
            )
        }
        asked = {
            action
            for right in RIGHTS
            if right.role == role and right.allowed
            for action in right.actions.split()
        }
        assert asked == {each for each in granted if not WITHOUT_RESOURCE.match(each)}, role


def test_the_sample_has_all_that_the_states_refer_to() -> None:
    """By moto's interpreter: each state alone, as the plan asks Step Functions to try it."""
    definition = STACK.definition((ROOT / "stepfunctions/pipeline.asl.json").read_text("utf-8"))
    tried = list(machine.tested(json.loads(definition)))
    assert {state["Type"] for _, state in tried} == {"Choice", "Fail", "Pass", "Succeed"}
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client = boto3.client("stepfunctions")
        for number, (name, state) in enumerate(tried):
            alone = json.loads(machine.without_context(state))
            targets = set(re.findall(r'"(?:Next|Default)": "(\w+)"', json.dumps(alone))) - {name}
            ends = {target: {"Type": "Succeed"} for target in targets}
            arn = client.create_state_machine(
                name=f"state-{number}",
                definition=json.dumps({"StartAt": name, "States": {name: alone, **ends}}),
                roleArn=f"arn:aws:iam::{ACCOUNT}:role/pipeline",
            )["stateMachineArn"]
            run = client.start_execution(stateMachineArn=arn, input=json.dumps(machine.SAMPLE))
            while True:
                done: Any = client.describe_execution(executionArn=run["executionArn"])
                if done["status"] != "RUNNING":
                    break
            assert done.get("error") == state.get("Error"), (name, done.get("cause"))


def test_the_examples_of_the_code_hold() -> None:
    assert doctest.testmod(machine) == (0, 2)
