"""S3 as SageMaker's jobs see it: prefixes that become folders."""

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
    """The keys that begin with the prefix, sorted, and what follows its folder in each."""
    bucket, prefix = split_uri(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = sorted(item["Key"] for page in pages for item in page.get("Contents", ()))
    folder = prefix.rpartition("/")[0]
    return {key: key.removeprefix(folder).lstrip("/") for key in found if not key.endswith("/")}


def download(s3: S3Client, uri: str, folder: Path) -> int:
    """Bring what is under a prefix into `folder`; how many files that were."""
    bucket, _ = split_uri(uri)
    found = keys(s3, uri)
    for key, relative in found.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))
    return len(found)
