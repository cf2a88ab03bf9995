"""The template with its parameters put in, as CloudFormation does it.

Names that only CloudFormation can choose are stand-ins of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Json = dict[str, Any]

_ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{place}:table/{name}",
    "AWS::ECR::Repository": "ecr:{place}:repository/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{place}:key/{name}",
    "AWS::Lambda::Function": "lambda:{place}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{place}:log-group:{name}:*",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SNS::Topic": "sns:{place}:{name}",
    "AWS::StepFunctions::StateMachine": "states:{place}:stateMachine:{name}",
}
_NAMED_BY_ARN = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"}
_NAMES = ("BucketName", "FunctionName", "LogGroupName", "RepositoryName", "StateMachineName")
_NOTHING = object()


class Unrenderable(Exception):
    """The template has a function or a type that this module does not know."""


@dataclass(frozen=True)
class Stack:
    """A template with the values of its parameters, in an account and a region."""

    name: str
    account: str
    region: str
    partition: str
    template: Json
    given: Mapping[str, str]
    """Parameters; the others have their defaults."""

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The value of every parameter that is given or has a default."""
        declared = self.template["Parameters"].items()
        defaults = {name: str(each["Default"]) for name, each in declared if "Default" in each}
        return {**defaults, **self.given}

    @cached_property
    def roles(self) -> dict[str, Json]:
        """Name in the template -> the properties of every role."""
        return {name: self.render(each) for name, each in self._of_type("AWS::IAM::Role").items()}

    def definition(self, text: str) -> str:
        """The state machine's definition with the template's substitutions."""
        [machine] = self._of_type("AWS::StepFunctions::StateMachine").values()
        values = self.render(machine["DefinitionSubstitutions"])
        return re.sub(r"\$\{(\w+)\}", lambda match: str(values[match[1]]), text)

    def text(self, pattern: str) -> str:
        """A text with `${Parameter}`, `${Resource}` and `${Resource.Arn}` put in."""
        return re.sub(r"\$\{([\w.:]+)\}", lambda match: self._named(match[1]), pattern)

    def _of_type(self, kind: str) -> dict[str, Json]:
        return {
            name: each["Properties"]
            for name, each in self.template["Resources"].items()
            if each["Type"] == kind
            and ("Condition" not in each or self._holds({"Condition": each["Condition"]}))
        }

    def render(self, node: Any) -> Any:
        """A part of the template with every function of CloudFormation evaluated."""
        if isinstance(node, dict):
            if len(node) == 1:
                [(key, value)] = node.items()
                if key in {"Ref", "Condition"} or key.startswith("Fn::"):
                    return self._function(key, value)
            rendered = {key: self.render(value) for key, value in node.items()}
            return {key: value for key, value in rendered.items() if value is not _NOTHING}
        if isinstance(node, list):
            return [each for each in map(self.render, node) if each is not _NOTHING]
        return node

    def _function(self, name: str, value: Any) -> Any:
        match name, value:
            case "Ref", str():
                return self._ref(value)
            case "Fn::GetAtt", [resource, attribute]:
                return self._attribute(resource, attribute)
            case "Fn::Sub", str():
                return self.text(value)
            case "Fn::If", [condition, yes, no]:
                return self.render(yes if self._holds({"Condition": condition}) else no)
            case "Fn::Join", [separator, parts]:
                return separator.join(self.render(parts))
            case _ if name == "Condition" or name in {"Fn::Equals", "Fn::Not", "Fn::Or", "Fn::And"}:
                return self._holds({name: value})
        raise Unrenderable(f"the template uses {name} with {value}")

    def _holds(self, condition: Json) -> bool:
        [(name, value)] = condition.items()
        if name == "Condition":
            return self._holds(self.template["Conditions"][value])
        if name == "Fn::Equals":
            first, second = map(self.render, value)
            return str(first) == str(second)
        parts = [self._holds(each) for each in value]
        return {"Fn::Not": not parts[0], "Fn::Or": any(parts), "Fn::And": all(parts)}[name]

    def _named(self, name: str) -> str:
        resource, dot, attribute = name.partition(".")
        return str(self._attribute(resource, attribute) if dot else self._ref(name))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.template["Parameters"]:
            value = self.parameters[name]
            listed = self.template["Parameters"][name]["Type"] == "CommaDelimitedList"
            return value.split(",") if listed else value
        if self.template["Resources"][name]["Type"] in _NAMED_BY_ARN:
            return self._attribute(name, "Arn")
        return self._name_of(name)

    def _name_of(self, resource: str) -> str:
        properties = self.template["Resources"][resource].get("Properties", {})
        chosen = next((properties[each] for each in _NAMES if each in properties), None)
        return str(self.render(chosen)) if chosen else f"{self.name}-{resource}".lower()

    def _attribute(self, resource: str, attribute: str) -> str:
        kind = self.template["Resources"][resource]["Type"]
        if attribute != "Arn" or kind not in _ARNS:
            raise Unrenderable(f"the template uses {attribute} of {resource} ({kind})")
        place = f"{self.region}:{self.account}"
        arn = _ARNS[kind].format(place=place, account=self.account, name=self._name_of(resource))
        return f"arn:{self.partition}:{arn}"
