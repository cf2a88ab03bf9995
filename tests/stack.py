"""The CloudFormation template, the names of the functions in it, and their inputs."""

import importlib
from pathlib import Path
from typing import Any, get_type_hints

from cfnlint.decode.cfn_yaml import load
from pydantic import BaseModel

from infra import package

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = load(str(ROOT / "infra/template.yaml"))
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = {name: name.title().replace("_", "") for name in package.functions(ROOT)}
"""Folder in `lambdas` -> name in the template."""


def input_of(function: str) -> type[BaseModel]:
    """The model of a function's input."""
    handle = importlib.import_module(f"lambdas.{function}.handler").handle
    model: type[BaseModel] = next(iter(get_type_hints(handle.__wrapped__).values()))
    return model


def create_table(dynamodb: Any, name: str) -> None:
    """Create the table of forecasts as the template describes it."""
    properties = RESOURCES["Predictions"]["Properties"]
    copied = ("BillingMode", "AttributeDefinitions", "KeySchema")
    indexes = [
        {key: value for key, value in index.items() if key != "OnDemandThroughput"}  # a parameter
        for index in properties["GlobalSecondaryIndexes"]
    ]
    dynamodb.create_table(
        TableName=name,
        GlobalSecondaryIndexes=indexes,
        **{key: properties[key] for key in copied},
    )
