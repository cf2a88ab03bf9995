"""The digest of an image, which its tag stands for."""

from __future__ import annotations

import functools
from typing import Any

import boto3
from botocore.exceptions import ClientError

from lambdas.shared.logs import logger
from lambdas.shared.transient import is_transient


@functools.cache
def ecr() -> Any:
    """Elastic Container Registry."""
    return boto3.client("ecr")


def digest(image: str) -> str | None:
    """The digest of an image by its tag, in the caller's registry; None where ECR tells none.

    Raises ClientError for a temporary error.
    """
    repository, _, tag = image.partition("/")[2].rpartition(":")
    try:
        images = ecr().batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
        if found := images["images"]:
            return str(found[0]["imageId"]["imageDigest"])
        why = images["failures"]
    except ClientError as error:
        if is_transient(error):
            raise
        why = error
    logger().warning(f"the model is registered without the digest of {image}: {why}")
    return None
