"""S3 prefixes as folders, as SageMaker's jobs use them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key.

    >>> split_uri("s3://shop/runs/1/model")
    ('shop', 'runs/1/model')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def keys(s3: S3Client, uri: str) -> dict[str, str]:
    """Key -> path below the prefix's folder, for the keys that begin with the prefix, sorted."""
    bucket, prefix = split_uri(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    below = sorted(item["Key"] for page in pages for item in page.get("Contents", ()))
    folder = prefix.rpartition("/")[0]
    return {key: key.removeprefix(folder).lstrip("/") for key in below if not key.endswith("/")}


def download(s3: S3Client, uri: str, folder: Path) -> int:
    """Download the objects under a prefix into `folder`; returns their number."""
    bucket, _ = split_uri(uri)
    files = keys(s3, uri)
    for key, relative in files.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))
    return len(files)
