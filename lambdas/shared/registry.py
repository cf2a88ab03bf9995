"""The models of a market, of which the newest approved one is the champion.

See docs/decisions/pipeline.md#models-outlive-their-runs.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import (
        ListModelPackagesInputTypeDef,
        ModelPackageSummaryTypeDef,
    )

HOLD = "hold"
"""The tag of a group of model packages in which no model is promoted; its value says why."""
MISSING = {"ValidationException", "ValidationError", "ResourceNotFound"}
"""Codes of SageMaker's errors where what is described is not there."""


class Verdict(BaseModel):
    """The model to use, which the fields but the first four are of, and why."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    promoted: bool
    """Whether it was trained by the run."""
    reason: str
    questions: dict[str, str] = Field(default_factory=dict)
    """Task -> what was found of it, in a sentence."""
    group: str
    artifact: str
    image: str
    """What it was registered with, which is not the stack's image of today."""
    model_version: str
    metrics_uri: str | None
    """None where the champion's package has no metrics."""
    package_version: str = ""
    """That of its package in the group."""


@dataclass(frozen=True)
class Package:
    """A model package. A field that its metadata lacks is None."""

    model_version: str
    """Its ARN, where its metadata has no version."""
    artifact: str | None
    metrics_uri: str | None
    as_of: datetime.date
    """The last day of what it has learnt from; that of its registration, where it has none."""
    settings: str | None
    """The digest of the settings that it was trained with."""
    image: str | None = None
    registered: datetime.datetime | None = None
    """None for a model of this run, which is not registered yet."""
    version: str = ""
    """The package's in its group; likewise."""
    approved: bool = True
    """Whether it may score."""


def champion(sagemaker: SageMakerClient, group: str) -> Package | None:
    """The newest approved package of the group, whoever approved it; None without a group."""
    try:
        found = newest(sagemaker, group, approved=True)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        found = None
    if not found:
        return None
    return _package(sagemaker, found["ModelPackageArn"])


def newest_package(sagemaker: SageMakerClient, group: str) -> Package | None:
    """The newest package of a group that exists, whatever its status; None without one."""
    found = newest(sagemaker, group)
    return _package(sagemaker, found["ModelPackageArn"]) if found else None


def _package(sagemaker: SageMakerClient, arn: str) -> Package:
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    metadata = package.get("CustomerMetadataProperties", {})
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    first = containers[0] if containers else None
    data = first.get("ModelDataUrl") if first else None
    return Package(
        metadata.get("model_version", arn),
        metadata.get("artifact", data),
        metadata.get("metrics_uri"),
        _day(metadata.get("as_of")) or package["CreationTime"].date(),
        metadata.get("settings"),
        first["Image"] if first else None,
        package["CreationTime"],
        version_of(arn),
        package["ModelApprovalStatus"] == "Approved",
    )


def version_of(arn: str) -> str:
    """The version of a package in its group, which ends its ARN."""
    return arn.rpartition("/")[2]


def newest(
    sagemaker: SageMakerClient, group: str, *, approved: bool = False
) -> ModelPackageSummaryTypeDef | None:
    """The newest package of a group that exists, or the newest approved one; None without one."""
    request: ListModelPackagesInputTypeDef = {
        "ModelPackageGroupName": group,
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }
    if approved:
        request["ModelApprovalStatus"] = "Approved"
    listed = sagemaker.list_model_packages(**request)["ModelPackageSummaryList"]
    return listed[0] if listed else None


def hold(sagemaker: SageMakerClient, group: str) -> str | None:
    """Why promotion is held in a group that exists; None where it is not."""
    tags = sagemaker.list_tags(ResourceArn=group_arn(sagemaker, group), MaxResults=50)["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == HOLD), None)


def group_arn(sagemaker: SageMakerClient, group: str) -> str:
    """The ARN of a group that exists, which tags are of."""
    found = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    return found["ModelPackageGroupArn"]


def _day(text: str | None) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text or "")
    except ValueError:
        return None
