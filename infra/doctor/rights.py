"""Whether the policies of the roles allow what is needed, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.doctor.needs import Need, formats, pattern

Statement = dict[str, Any]


def problems(policies: Mapping[str, list[Statement]], needs: Iterable[Need]) -> Iterator[str]:
    """A sentence for each right that is missing, superfluous or too wide."""
    used: set[tuple[str, int, str, str]] = set()
    for need in dict.fromkeys(needs):
        if not (granting := list(_granting(policies.get(need.role, []), need))):
            yield f"{need.role} lacks {need.action} on {need.resource}: {need.reason}{_with(need)}"
        used |= {(need.role, *grant) for grant in granting}
    for role, statements in policies.items():
        for number, statement in enumerate(statements):
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    if (role, number, action, resource) not in used and _grants(action, resource):
                        yield f"{role} has {action} on {resource}, which nothing needs"


def listed(value: Any) -> list[Any]:
    """The value as a list."""
    return value if isinstance(value, list) else [value]


def _with(need: Need) -> str:
    return f", with {dict(need.context)}" if need.context else ""


def _granting(statements: list[Statement], need: Need) -> Iterator[tuple[int, str, str]]:
    """Number of the statement, action and resource of each grant that allows what is needed.

    Raises ValueError for what a policy can have and this does not understand.
    """
    for number, statement in enumerate(statements):
        if statement["Effect"] != "Allow" or {"NotAction", "NotResource"} & statement.keys():
            raise ValueError(f"{need.role}: only Allow with Action and Resource is understood")
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                # `*` is for actions that have no resources, not for any.
                same = need.resource == resource if resource == "*" else _like(resource, need)
                if action == need.action and same and _holds(statement, need):
                    yield number, action, resource


def _like(resource: str, need: Need) -> bool:
    if ":log-group:" in resource and ":log-stream:" in need.resource:
        resource = f"{resource}:*"  # as CloudFormation's own ARN of a log group, not the emulator's
    return matches(resource, need.resource)


def matches(wildcards: str, text: str) -> bool:
    """Whether a text is of a form with `*` and `?`.

    >>> matches("arn:aws:s3:::shop/runs/*", "arn:aws:s3:::shop/runs/night/uk")
    True
    """
    form = re.escape(wildcards).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(form, text) is not None


def _holds(statement: Statement, need: Need) -> bool:
    """Whether the conditions hold; a key that the request lacks holds for none."""
    for operator, conditions in statement.get("Condition", {}).items():
        if operator not in {"StringEquals", "StringLike"}:
            raise ValueError(f"{need.role}: the condition {operator} is not understood")
        for key, values in conditions.items():
            value = need.context.get(key)
            if value is None or not any(
                matches(each, value) if operator == "StringLike" else each == value
                for each in listed(values)
            ):
                return False
    return True


def _grants(action: str, resource: str) -> bool:
    """Whether an action can be allowed on a resource, or does not exist."""
    try:
        forms = formats(action)
    except KeyError:
        return True
    example = resource.replace("*", "x")
    return resource == "*" or not forms or any(pattern(form).fullmatch(example) for form in forms)
