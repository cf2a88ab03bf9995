"""The permissions in the template; `make doctor` compares those of roles with what runs ask."""

import datetime
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint.data.AdditionalSpecs
import pytest

from lambdas.begin_run.request import checked
from tests.stack import RESOURCES, ROOT, TEMPLATE

# Actions on `Resource: "*"` that support narrower ones, and why.
ON_EVERYTHING = {
    "cloudwatch:PutMetricData": "narrowed by the condition on its namespace",
    "ec2:CreateNetworkInterface": "Lambda tries it without a resource when it joins a VPC",
    "ec2:AssignPrivateIpAddresses": "the interfaces are Lambda's own, with names chosen by AWS",
    "ec2:UnassignPrivateIpAddresses": "the interfaces are Lambda's own, with names chosen by AWS",
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


def with_policies() -> list[str]:
    kinds = ("AWS::IAM::Role", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::KMS::Key")
    return [name for kind in kinds for name in of_type(kind)]


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


MARKETS = '[{"name": "uk", "customers_query": "SELECT 1 AS customer_id, 2 AS x"}]'


@pytest.mark.parametrize("given", [{}, {"Markets": MARKETS, "Hyperparameters": '{"seed": "7"}'}])
def test_schedule_and_rule_pass_an_input_with_what_they_may_pass_twice(
    given: dict[str, str],
) -> None:
    def text(form: dict[str, str]) -> str:
        """A form of Fn::Sub with the parameters, or their defaults."""
        made = form["Fn::Sub"]
        for name in ("Markets", "Hyperparameters"):
            parameter = TEMPLATE["Parameters"][name]
            value = given.get(name, parameter["Default"])
            assert re.fullmatch(parameter["AllowedPattern"], value)
            made = made.replace(f"${{{name}}}", value)
        return made

    scheduled = text(RESOURCES["Schedule"]["Properties"]["Target"]["Input"])
    moment = "2011-12-09T23:30:00Z"
    run = checked(
        json.loads(scheduled.replace("<aws.scheduler.scheduled-time>", moment)), datetime.date.max
    )
    assert (run.as_of.isoformat(), run.event) == ("2011-12-09", moment)
    assert [market.model_dump() for market in run.markets] == json.loads(
        given.get("Markets", '[{"name": "default"}]')
    )
    assert run.hyperparameters == json.loads(given.get("Hyperparameters", "{}"))
    (target,) = RESOURCES["Arrival"]["Properties"]["Targets"]
    # S3 may make two events, each with an id of its own, of one write.
    paths = target["InputTransformer"]["InputPathsMap"]
    assert paths == {"version": "$.detail.object.version-id"}
    assert RESOURCES["Bucket"]["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    template = text(target["InputTransformer"]["InputTemplate"]).replace("<version>", '"7"')
    arrived = checked(json.loads(template), run.as_of)
    assert (arrived.event, arrived.markets) == ("7", run.markets)


@pytest.mark.parametrize(
    ("name", "value"),
    [("Markets", "uk"), ("Markets", '[{"query": "a < b"}]'), ("Hyperparameters", "seed=7")],
)
def test_an_input_that_aws_would_change_is_refused(name: str, value: str) -> None:
    assert not re.fullmatch(TEMPLATE["Parameters"][name]["AllowedPattern"], value)


def test_a_redrive_may_redrive_the_children_of_the_distributed_map() -> None:
    (redriving,) = [
        each for each in statements("PipelineRole") if each["Action"] == "states:RedriveExecution"
    ]
    machine = json.loads((ROOT / "stepfunctions/pipeline.asl.json").read_text())
    market = machine["States"]["Markets"]["ItemProcessor"]["States"]
    (label,) = [state["Label"] for state in market.values() if "Label" in state]
    assert redriving["Resource"]["Fn::Sub"].endswith(f":execution:${{AWS::StackName}}/{label}:*")
