"""The deploy script with a stand-in for the AWS CLI: names at their longest, and the size.

The stand-in answers nothing but the account, and packages the template as the CLI does. So the
script goes on until it has deployed, unless it refuses the stack's name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from infra.doctor.runs import PREFIX
from infra.rendering import Stack
from local.aws import ACCOUNT
from local.deployment import TEMPLATE, load
from local.runners import ROOT

REGION = "ap-northeast-1"  # no name of a region is longer
LONGEST = 128
"""Characters of the longest name of a stack that CloudFormation accepts."""
BODY = 1 << 20
"""Bytes of the largest template that CloudFormation accepts from a bucket."""
BUCKET = 63
LIMITS = {
    "AWS::Budgets::Budget": 100,
    "AWS::CloudWatch::Alarm": 255,
    "AWS::CloudWatch::Dashboard": 255,
    "AWS::ECR::Repository": 256,
    "AWS::Events::Rule": 64,
    "AWS::IAM::Role": 64,
    "AWS::Lambda::Function": 64,
    "AWS::Logs::LogGroup": 512,
    "AWS::S3::Bucket": BUCKET,
    "AWS::SNS::Topic": 256,
    "AWS::Scheduler::Schedule": 64,
    "AWS::StepFunctions::StateMachine": 80,
}
"""Type of a resource -> characters that its name may have."""
CLI = """#!/bin/sh
printf '%s\\037' "$@" >> calls
echo >> calls
[ "$1" = sts ] && echo {account}
if [ "$2" = package ]; then
  form=yaml
  while [ $# -gt 0 ]; do
    case "$1" in --use-json) form=json ;; --output-template-file) out=$2 ;; esac
    shift
  done
  cp "packaged.$form" "$out"
fi
exit 0
"""
DOCKER = """#!/bin/sh
[ "$1" = image ] && echo "sha256:0123456789abcdef0123456789abcdef linux/amd64"
exit 0
"""


@dataclass(frozen=True)
class Deployment:
    """A run of the script: the calls of the CLI, and the template that it deployed, if it did."""

    calls: list[list[str]]
    template: bytes | None

    def values(self, *options: str) -> set[str]:
        """The values of options of the calls."""
        pairs = [pair for call in self.calls for pair in pairwise(call)]
        return {value for option, value in pairs if option in options}


@cache
def deploy(stack: str, root: Path = ROOT) -> Deployment:
    """Run the deploy script of a checkout for a stack."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(root / "infra", folder / "infra")
        (folder / "dist").mkdir()
        template = packaged(load(folder / "infra" / TEMPLATE.name))
        (folder / "packaged.yaml").write_text(
            yaml.safe_dump(template, default_flow_style=False, sort_keys=False), encoding="utf-8"
        )
        (folder / "packaged.json").write_text(json.dumps(template, indent=4), encoding="utf-8")
        for name, text in {"aws": CLI.format(account=ACCOUNT), "docker": DOCKER}.items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o755)
        environment = {"PATH": f"{folder}:{os.environ['PATH']}", "STACK": stack, "REGION": REGION}
        subprocess.run(
            ["bash", "infra/deploy.sh"],  # noqa: S607
            cwd=folder,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        log = folder / "calls"
        lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
        calls = [line.split("\x1f")[:-1] for line in lines]
        deployed = [call for call in calls if call[:2] == ["cloudformation", "deploy"]]
        path = deployed[0][deployed[0].index("--template-file") + 1] if deployed else ""
        return Deployment(calls, (folder / path).read_bytes() if path else None)


def packaged(template: dict[str, Any]) -> dict[str, Any]:
    """The template as `aws cloudformation package` writes it: objects of S3 for local paths."""
    bucket, key = "b" * BUCKET, "0123456789abcdef" * 2
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Lambda::Function":
            properties["Code"] = {"S3Bucket": bucket, "S3Key": key}
        elif "DefinitionS3Location" in properties:
            properties["DefinitionS3Location"] = {"Bucket": bucket, "Key": key}
    return template


def longest_stack(root: Path = ROOT) -> int:
    """Characters of the longest name of a stack that the script deploys; 0 for none."""
    low, high = 0, LONGEST
    while low < high:
        middle = (low + high + 1) // 2
        if deploy("s" * middle, root).template is None:
            high = middle - 1
        else:
            low = middle
    return low


def size_problems(root: Path = ROOT) -> Iterator[str]:
    """A sentence where the packaged template is too large."""
    template = deploy("s", root).template
    if template is None:
        yield "infra/deploy.sh does not deploy with a stand-in for the AWS CLI"
    elif len(template) > BODY:
        yield f"the packaged template has {len(template):,} bytes; CloudFormation takes {BODY:,}"


def problems(root: Path = ROOT) -> Iterator[str]:
    """A sentence for each name that is too long where the stack's name is as long as can be."""
    stack = "s" * longest_stack(root)
    template = load(root / "infra" / TEMPLATE.name)
    rendered = Stack(stack, ACCOUNT, REGION, "aws", template, {"Prefix": PREFIX})
    for bucket in sorted(deploy(stack, root).values("--bucket", "--s3-bucket")):
        if len(bucket) > BUCKET:
            yield _sentence("the bucket of infra/deploy.sh", bucket, BUCKET, stack)
    for name, resource in template["Resources"].items():
        for key, value in resource["Properties"].items():
            if not re.fullmatch(r"(\w*[a-z])?Name", key):
                continue
            text = str(rendered.render(value))
            limit = LIMITS.get(resource["Type"])
            if limit is None:
                yield f"{name} has a {key}; add the limit of {resource['Type']} to LIMITS"
            elif len(text) > limit:
                yield _sentence(name, text, limit, stack)


def _sentence(what: str, name: str, limit: int, stack: str) -> str:
    return (
        f"{what} is called {name}: {len(name)} characters, and {limit} are allowed. The stack's "
        f"name has {len(stack)}, which infra/deploy.sh accepts"
    )
