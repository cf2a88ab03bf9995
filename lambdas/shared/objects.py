"""JSON objects on S3 that one function writes and another reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError
from pydantic import BaseModel, ValidationError

from lambdas.shared.logs import logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

M = TypeVar("M", bound=BaseModel)


def read(s3: S3Client, bucket: str, key: str, cls: type[M]) -> M | None:
    """The object as `cls`; None where it is missing, damaged or of another version."""
    try:
        return cls.model_validate_json(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
    except ValidationError:
        logger().warning(f"s3://{bucket}/{key} is damaged or of another version: ignored")
    return None
