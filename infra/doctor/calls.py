"""The AWS calls in the code of the functions, which the recorded runs must all make."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from botocore import xform_name

from infra import package
from infra.doctor.recording import Recording
from infra.doctor.shapes import model
from local.deployment import TEMPLATE, load
from local.runners import ROOT


@functools.cache
def _operations(services: frozenset[str]) -> dict[str, str]:
    """boto3's method -> ``service:Operation``."""
    return {
        xform_name(operation): f"{service}:{operation}"
        for service in services
        for operation in model(service).operation_names
    }


def in_code(root: Path, function: str) -> set[str]:
    """``service:Operation`` of every AWS call in a function's code, known by name and keywords."""
    names, found = _operations(frozenset(package.services(root, function))), set()
    for path in package.modules(root, function):
        if not path.is_relative_to(root / "lambdas"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = node.func.attr
            if name in {"get_paginator", "get_waiter"} and isinstance(node.args[0], ast.Constant):
                found.add(names[str(node.args[0].value)])
            elif name in names and node.keywords:
                found.add(names[name])
    return found


def unrecorded(recording: Recording, root: Path = ROOT) -> Iterator[str]:
    """A sentence for each call in the code that no recorded run has made."""
    for name, resource in load(TEMPLATE)["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            function = Path(resource["Properties"]["Code"]).stem
            made = {
                f"{each.service}:{each.operation}"
                for each in recording.requests
                if each.place == recording.ids[name]
            }
            for call in sorted(in_code(root, function) - made):
                yield f"{function} calls {call}, and no recorded run has made that call"
