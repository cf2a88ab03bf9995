"""A deployed stack, the packages of a market's models, and what its table says of them."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.shared.registry import MISSING, hold, version_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_stepfunctions import SFNClient


class Refused(Exception):
    """What cannot be done, and what helps."""


class Package(NamedTuple):
    """A registered model; `known` is its metadata, as the function judge_model writes it."""

    arn: str
    version: str
    """The model's."""
    status: str
    created: datetime.datetime
    artifact: str
    image: str
    image_digest: str | None
    reason: str
    approval: str
    """Why the status was changed, where it was."""
    known: dict[str, str]

    @property
    def number(self) -> str:
        """The package's version in its group."""
        return version_of(self.arn)


class Rows(NamedTuple):
    """What a forecast in the table is of."""

    as_of: str
    run_id: str
    model_version: str


@dataclass(frozen=True)
class Stack:
    """A deployed stack, by its outputs."""

    s3: S3Client
    sagemaker: SageMakerClient
    dynamodb: DynamoDBClient
    states: SFNClient
    outputs: dict[str, str]

    @property
    def pipeline(self) -> str:
        """The ARN of the state machine."""
        return self.outputs["PipelineArn"]

    @property
    def table(self) -> str:
        """The table of the forecasts."""
        return self.outputs["TableName"]

    def group(self, market: str) -> str:
        """The market's group of model packages."""
        return f"{self.outputs['ModelGroupPrefix']}-{market}"

    def held(self, market: str) -> str | None:
        """Why promotion is held; None where it is not."""
        return hold(self.sagemaker, self.group(market))

    def packages(self, market: str) -> list[Package]:
        """The market's packages, the newest first. Raises Refused where it has none."""
        pages = self.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.group(market), SortBy="CreationTime", SortOrder="Descending"
        )
        try:
            arns = [p["ModelPackageArn"] for page in pages for p in page["ModelPackageSummaryList"]]
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
            arns = []
        if not arns:
            raise Refused(f"{self.group(market)} has no model: is {market!r} the market's name?")
        return [self._package(arn) for arn in arns]

    def _package(self, arn: str) -> Package:
        found = self.sagemaker.describe_model_package(ModelPackageName=arn)
        known = dict(found.get("CustomerMetadataProperties", {}))
        containers = found.get("InferenceSpecification", {}).get("Containers", [])
        first = containers[0] if containers else None
        return Package(
            arn,
            known.get("model_version", arn),
            found["ModelApprovalStatus"],
            found["CreationTime"],
            known.get("artifact") or (first.get("ModelDataUrl", "") if first else ""),
            first["Image"] if first else "",
            known.get("image_digest") or (first.get("ImageDigest") if first else None),
            found.get("ModelPackageDescription", ""),
            found.get("ApprovalDescription", ""),
            known,
        )

    def rows(self, market: str) -> Counter[Rows]:
        """How many forecasts the table has of each day, run and model; reads the whole table."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression="market = :market",
            ExpressionAttributeValues={":market": {"S": market}},
            ProjectionExpression="as_of, run_id, model_version",
            ConsistentRead=True,
        )
        items: Iterator[dict[str, dict[str, str]]] = (
            item  # type: ignore[misc] # texts alone are asked for
            for page in pages
            for item in page["Items"]
        )
        return Counter(Rows(*(item[name]["S"] for name in Rows._fields)) for item in items)

    def exists(self, uri: str) -> bool:
        """Whether an object is there."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return any(
            each["Key"] == key
            for each in self.s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", ())
        )


def connect(name: str, region: str | None = None, endpoint: str | None = None) -> Stack:
    """The stack of this name. Raises Refused where it lacks an output."""
    session = boto3.Session(region_name=region)
    [stack] = session.client("cloudformation", endpoint_url=endpoint).describe_stacks(
        StackName=name
    )["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}
    if "ModelGroupPrefix" not in outputs:
        raise Refused(f"the stack {name} is of an earlier version: make deploy")
    return Stack(
        session.client("s3", endpoint_url=endpoint),
        session.client("sagemaker", endpoint_url=endpoint),
        session.client("dynamodb", endpoint_url=endpoint),
        session.client("stepfunctions", endpoint_url=endpoint),
        outputs,
    )


def run(
    top: argparse.ArgumentParser,
    arguments: Sequence[str],
    act: Callable[[Stack, argparse.Namespace], Iterable[str]],
) -> int:
    """Print the lines of what is done with the stack; the exit code."""
    given = top.parse_args(arguments)
    try:
        for line in act(connect(given.stack, given.region, given.endpoint_url), given):
            print(line, flush=True)
    except (Refused, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def options(prog: str, description: str) -> argparse.ArgumentParser:
    """The options of which stack and market, by the variables of make."""
    top = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
    e = os.environ.get
    top.add_argument("--stack", default=e("STACK") or "ordergap", help="(STACK, or ordergap)")
    region = e("REGION") or e("AWS_REGION") or e("AWS_DEFAULT_REGION")
    top.add_argument("--region", default=region, help="(REGION, AWS_REGION, the profile's)")
    top.add_argument("--endpoint-url", help="of the AWS that `python -m local run --keep` started")
    top.add_argument("--market", required=True, help="name of the market")
    return top
