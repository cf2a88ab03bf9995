"""What CloudFormation would change, by a change set that is deleted and never executed."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from infra.plan.questions import (
    Answer,
    Check,
    Findings,
    Note,
    Plan,
    Problem,
    Refused,
    Unanswered,
    aws,
)

POLL_SECONDS = 2.0
_POLLS = 150
_WAITING = {"CREATE_PENDING", "CREATE_IN_PROGRESS"}
_REVIEW = "REVIEW_IN_PROGRESS"
_NO_CHANGE = ("didn't contain changes", "No updates are to be performed")
_STUCK = {"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
_TABLE = "Predictions"
_BUDGET = "AWS::Budgets::Budget"


def existing(stack: str) -> Answer | None:
    """The stack of that name or id; None where there is none. Raises Unanswered, Refused."""
    try:
        [found] = aws("cloudformation describe-stacks", StackName=stack)["Stacks"]
    except Refused as error:
        if error.code == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return Answer(found)


def parameters(stack: Answer | None, declared: Mapping[str, object]) -> dict[str, str]:
    """The values of a stack's parameters that the template still declares."""
    listed = stack.get("Parameters", []) if stack else []
    values = {each["ParameterKey"]: each["ParameterValue"] for each in listed}
    return {name: value for name, value in values.items() if name in declared}


def change_set(plan: Plan) -> Findings:
    """The changes; what would replace the bucket or the table is a problem."""
    name, status = plan.stack.name, plan.previous["StackStatus"] if plan.previous else _REVIEW
    if status in _STUCK:
        yield Problem(
            f"the stack is {status} and takes no change set. Delete it, as make deploy does after "
            f"a first creation: aws cloudformation delete-stack --stack-name {name}"
        )
        return
    findings: list[Problem | Note] = []
    try:
        with _uploaded(plan, findings) as url:
            made = aws("cloudformation create-change-set", **_request(plan, status, url))
    except (Refused, Unanswered):
        yield from findings
        # The answer may be lost, and what was asked for done.
        if plan.previous is None and (left := existing(name)):
            yield _left("stack", left["StackId"])
        raise
    try:
        findings += _described(plan, made["Id"])
    finally:  # also where the plan is stopped
        findings += _removed(made, remove_stack=plan.previous is None)
        yield from findings


@contextmanager
def _uploaded(plan: Plan, findings: list[Problem | Note]) -> Iterator[str]:
    """The address of the template in deploy.sh's bucket, for as long as it is read.

    A request takes 51,200 bytes of template, and ours has more. What cannot be removed afterwards
    is added to the findings.
    """
    stack = plan.stack
    bucket = f"{stack.name.lower()}-artefacts-{stack.account}-{stack.region}"
    there = {"Bucket": bucket, "ExpectedBucketOwner": stack.account}
    template = {**there, "Key": f"plan-{time.time_ns()}.json"}
    removals: dict[str, dict[str, str]] = {"s3api delete-object": template}
    try:
        aws("s3api head-bucket", **there)
    except Refused as error:
        if error.code != "404":
            raise
        elsewhere = {"LocationConstraint": stack.region}
        here = {"CreateBucketConfiguration": elsewhere} if stack.region != "us-east-1" else {}
        aws("s3api create-bucket", Bucket=bucket, **here)
        removals["s3api delete-bucket"] = there
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(_packaged(plan))
            file.flush()
            aws(f"s3api put-object --body {file.name}", **template)
        suffix = "amazonaws.com.cn" if stack.partition == "aws-cn" else "amazonaws.com"
        yield f"https://{bucket}.s3.{stack.region}.{suffix}/{template['Key']}"
    finally:
        for command, what in removals.items():
            try:
                aws(command, **what)
            except (Refused, Unanswered) as error:
                findings.append(Problem(f"{bucket} is left with {template['Key']} ({error})"))


def _request(plan: Plan, status: str, url: str) -> dict[str, object]:
    parameters: list[dict[str, object]] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in plan.given.items()
    ]
    kept = plan.kept.keys() - plan.given.keys()
    if status != _REVIEW:
        parameters += [{"ParameterKey": each, "UsePreviousValue": True} for each in sorted(kept)]
    return {
        "StackName": plan.stack.name,
        "ChangeSetName": f"plan-{time.time_ns()}",
        "ChangeSetType": "CREATE" if status == _REVIEW else "UPDATE",
        "TemplateURL": url,
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM"],
    }


def _packaged(plan: Plan) -> str:
    """The template as `aws cloudformation package` would leave it, without an upload.

    A change set does not look for the objects.
    """
    template = json.loads(json.dumps(plan.stack.template))
    for name in [n for n, each in template["Resources"].items() if each["Type"] == _BUDGET]:
        if not _known(_BUDGET):
            del template["Resources"][name]
    bucket = f"{plan.stack.name.lower()}-artefacts"
    for resource in template["Resources"].values():
        properties: dict[str, Any] = resource.get("Properties", {})
        for name, where in (("Code", "S3Bucket S3Key"), ("DefinitionS3Location", "Bucket Key")):
            if isinstance(path := properties.get(name), str):
                properties[name] = dict(
                    zip(where.split(), (bucket, PurePath(path).name), strict=True)
                )
    return json.dumps(template, separators=(",", ":"))


def _known(kind: str) -> bool:
    """Whether the region has a type of resource; deploy.sh leaves out one that it lacks."""
    try:
        aws("cloudformation describe-type", Type="RESOURCE", TypeName=kind)
    except Refused as error:
        return error.code != "TypeNotFoundException"
    except Unanswered:
        return True  # the change set shows it
    return True


def _described(plan: Plan, change_set_id: str) -> Findings:
    for _ in range(_POLLS):
        described = aws("cloudformation describe-change-set", ChangeSetName=change_set_id)
        if described["Status"] not in _WAITING:
            break
        time.sleep(POLL_SECONDS)
    if described["Status"] != "CREATE_COMPLETE":
        reason = str(described.get("StatusReason", described["Status"]))
        if any(each in reason for each in _NO_CHANGE):
            yield Note("nothing changes")
        else:
            yield Problem(reason)
            yield from _invalid(change_set_id)
        return
    changes = [each["ResourceChange"] for each in described["Changes"]]
    counts = {
        word: sum(each["Action"] == action for each in changes)
        for action, word in (("Add", "added"), ("Modify", "changed"), ("Remove", "removed"))
    }
    yield Note(", ".join(f"{count} {word}" for word, count in counts.items()))
    for each in changes:
        name = each["LogicalResourceId"]
        resource = plan.stack.template["Resources"].get(name, {})
        how = each.get("Replacement", "False")
        if "DeletionPolicy" in resource and how != "False":
            whether = "is" if how == "True" else "may be"
            yield Problem(f"{name} {whether} replaced by an empty one; the old one stays")


def _invalid(change_set_id: str) -> Findings:
    """What CloudFormation's early validation found, where the CLI can ask for it."""
    events = aws("cloudformation describe-events", ChangeSetName=change_set_id)["OperationEvents"]
    for each in events:
        if each.get("ValidationStatus") == "FAILED":
            where = f"{each.get('LogicalResourceId', '')}{each.get('ValidationPath', '')}"
            yield Problem(f"{where}: {each['ValidationStatusReason']}")


def _removed(made: Answer, *, remove_stack: bool) -> Findings:
    """Delete the change set, and the stack that was made for it alone."""
    try:
        aws("cloudformation delete-change-set", ChangeSetName=made["Id"])
        if not remove_stack:
            return
        left = existing(made["StackId"])
        if left and left["StackStatus"] != _REVIEW:
            yield Problem(f"the stack became {left['StackStatus']} meanwhile, and was not deleted")
        elif left:
            aws("cloudformation delete-stack", StackName=made["StackId"])
    except (Refused, Unanswered) as error:
        kind, name = ("stack", made["StackId"]) if remove_stack else ("change-set", made["Id"])
        yield Problem(f"{_left(kind, name)} ({error})")


def _left(kind: str, name: str) -> Problem:
    return Problem(
        f"a {kind} without resources is left: aws cloudformation delete-{kind} --{kind}-name {name}"
    )


def indexes(plan: Plan) -> Findings:
    """CloudFormation adds or removes one index of a table at a time."""
    if plan.previous is None or plan.previous["StackStatus"] == _REVIEW:
        yield Note("the table is made with all its indexes")
        return
    resource = aws(
        "cloudformation describe-stack-resource",
        StackName=plan.stack.name, LogicalResourceId=_TABLE,
    )["StackResourceDetail"]  # fmt: skip
    table = aws("dynamodb describe-table", TableName=resource["PhysicalResourceId"])["Table"]
    there = {each["IndexName"] for each in table.get("GlobalSecondaryIndexes", [])}
    properties = plan.stack.template["Resources"][_TABLE]["Properties"]
    wanted = {each["IndexName"] for each in properties["GlobalSecondaryIndexes"]}
    if len(there ^ wanted) > 1:
        yield Problem(
            f"{', '.join(sorted(there ^ wanted))}: one index can be added or removed in a "
            "deployment; infra/README.md#update says how"
        )


CHECKS = (
    Check("indexes", "DynamoDB which indexes the table has", indexes),
    Check(
        "changes",
        "CloudFormation for a change set, which is deleted and never executed, as is its template",
        change_set,
    ),
)
