"""A market's group of model packages, the champion's metrics, and SageMaker's old models.

See docs/decisions/pipeline.md#models-outlive-their-runs.
"""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from ordergap.contract.metrics import TrainingMetrics

from lambdas.judge_model.artifact import parse
from lambdas.shared.errors import ModelUnreadable
from lambdas.shared.registry import MISSING, Package

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

_MOST = 4 * 2**20  # bytes of a metrics.json


def ensure_group(sagemaker: SageMakerClient, group: str) -> None:
    """Create the model package group where it is missing."""
    try:
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        sagemaker.create_model_package_group(
            ModelPackageGroupName=group,
            ModelPackageGroupDescription="Models of one market. The newest approved one is used.",
        )


def delete_models(sagemaker: SageMakerClient, group: str, before: datetime.datetime) -> None:
    """Delete up to 100 models that runs of the market created before `before`.

    They are what transform jobs name, one a run. Registered packages and artefacts stay, and so do
    models with other names.
    """
    name = re.compile(re.escape(group) + r"-\d{4}-\d\d-\d\d-[0-9a-f]{12}")
    listed = sagemaker.list_models(
        NameContains=f"{group}-",
        CreationTimeBefore=before,
        SortBy="CreationTime",
        SortOrder="Ascending",
        MaxResults=100,
    )
    for model in listed["Models"]:
        if name.fullmatch(model["ModelName"]) and model["CreationTime"] < before:
            sagemaker.delete_model(ModelName=model["ModelName"])


def metrics(s3: S3Client, package: Package) -> TrainingMetrics | None:
    """The package's metrics; None where they are missing or of another schema."""
    if not package.metrics_uri:
        return None
    bucket, _, key = package.metrics_uri.removeprefix("s3://").partition("/")
    try:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read(_MOST)
        return parse(text, package.metrics_uri)
    except ModelUnreadable:
        return None
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchBucket"}:
            raise
        return None
