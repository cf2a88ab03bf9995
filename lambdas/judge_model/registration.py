"""A model becomes a package of the registry, with all that says where it comes from.

See docs/decisions/pipeline.md#every-model-is-registered.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.judge_model import card, images
from lambdas.judge_model.artifact import Trained
from lambdas.judge_model.gate import Decision
from lambdas.shared.errors import Unavailable
from lambdas.shared.logs import logger
from lambdas.shared.registry import newest_package, version_of
from lambdas.shared.runs import Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import DriftCheckBaselinesTypeDef, MetricsSourceTypeDef

_JSON = "application/json"
_TYPES = ["application/jsonlines", _JSON, "text/csv"]


def register(
    s3: S3Client,
    sagemaker: SageMakerClient,
    group: str,
    run: Run,
    trained: Trained,
    decision: Decision,
    details: dict[str, str],
) -> str:
    """Register the model as approved or rejected, unless the group's newest package is of it.

    Returns the package's version.

    details  of its training: artifact, image, as_of, settings, training_job

    What it came from is copied beside it, as the run's files expire: the extraction's manifest and
    sums by day, and the card's content.
    """
    known = {
        **details,
        "run_id": run.run_id,
        "model_version": trained.model_version,
        "metrics_uri": run.uri(run.metrics),
    }
    last = newest_package(sagemaker, group)
    if last and last.artifact == details["artifact"]:
        return last.version
    if trained.manifest.data_digest:
        known["data_digest"] = trained.manifest.data_digest
    if digest := images.digest(details["image"]):
        known["image_digest"] = digest
    for name, source, copy in (
        ("manifest_uri", run.success, run.kept_success),
        ("days_uri", run.days, run.kept_days),
    ):
        if _copied(s3, run, source, copy):
            known[name] = run.uri(copy)
    token = hashlib.md5(details["artifact"].encode(), usedforsecurity=False).hexdigest()
    text = card.content(trained.metrics, decision, details["artifact"], known)
    s3.put_object(Bucket=run.bucket, Key=run.card, Body=text.encode(), ContentType=_JSON)
    baselines: DriftCheckBaselinesTypeDef = {
        "ModelQuality": {"Statistics": _source(known["metrics_uri"])}
    }
    if "days_uri" in known:
        baselines["ModelDataQuality"] = {"Statistics": _source(known["days_uri"])}
    try:
        created = sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ClientToken=token,
            ModelPackageDescription=decision.reason,
            ModelApprovalStatus="Approved" if decision.promoted else "Rejected",
            InferenceSpecification={
                "Containers": [{"Image": details["image"], "ModelDataUrl": details["artifact"]}],
                "SupportedContentTypes": _TYPES,
                "SupportedResponseMIMETypes": _TYPES,
            },
            ModelMetrics={"ModelQuality": {"Statistics": _source(known["metrics_uri"])}},
            DriftCheckBaselines=baselines,
            ModelCard={"ModelCardContent": text, "ModelCardStatus": "Draft"},
            CustomerMetadataProperties={**known, "card_uri": run.uri(run.card)},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        raise Unavailable(f"{group} is being changed by another: {error}") from error
    return version_of(created["ModelPackageArn"])


def _copied(s3: S3Client, run: Run, source: str, copy: str) -> bool:
    """Whether the object is there, and now also at `copy`."""
    try:
        body = s3.get_object(Bucket=run.bucket, Key=source)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        logger().warning(f"{run.uri(source)} is missing: the model is registered without it")
        return False
    s3.put_object(Bucket=run.bucket, Key=copy, Body=body, ContentType=_JSON)
    return True


def _source(uri: str) -> MetricsSourceTypeDef:
    return {"ContentType": _JSON, "S3Uri": uri}
