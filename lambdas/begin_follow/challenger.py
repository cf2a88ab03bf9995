"""The model that is compared with the one in use: the newest other package of the market.

It is read here, since functions have the rights that the modules they import need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

_LATEST = 10


class Challenger(BaseModel):
    """A model that is compared, and not used: its version, image and archive."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_version: str
    image: str
    artifact: str


def challenger(sagemaker: SageMakerClient, group: str, in_use: str) -> Challenger | None:
    """The newest package of another model than the version in use, approved or rejected.

    None where none of the latest 10 is such a one, with all that scoring needs.
    """
    listed = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=_LATEST,
    )
    for each in listed["ModelPackageSummaryList"]:
        package = sagemaker.describe_model_package(ModelPackageName=each["ModelPackageArn"])
        containers = package.get("InferenceSpecification", {}).get("Containers", [])
        known = package.get("CustomerMetadataProperties", {})
        version, artifact = known.get("model_version"), known.get("artifact")
        if version and artifact and containers and version != in_use:
            return Challenger(
                model_version=version, image=containers[0]["Image"], artifact=artifact
            )
    return None
