"""JSON objects on S3, written; apart from `objects`, as who imports this needs the right to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def save(s3: S3Client, bucket: str, key: str, content: BaseModel) -> None:
    """Write an object that `objects.read` reads."""
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=content.model_dump_json(indent=2).encode(),
        ContentType="application/json",
    )
