"""An earlier run of the market, whose rows need not be read again."""

from __future__ import annotations

import datetime
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from pydantic import ValidationError

from lambdas.extract_orders.request import Success
from lambdas.shared.runs import ROOT, Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Earlier:
    """Its rows before the day `since` are taken over; later ones are read anew."""

    run: Run
    since: datetime.date

    def rows(self, s3: S3Client, shard: int, date_column: str) -> pl.DataFrame:
        """Those of a shard. A database's dates as text begin with the day in ISO 8601."""
        found = s3.get_object(Bucket=self.run.bucket, Key=self.run.train_shard(shard))
        frame = pl.read_parquet(io.BytesIO(found["Body"].read()))
        return frame.filter(pl.col(date_column) < self.since.isoformat())


def success(s3: S3Client, run: Run) -> Success | None:
    """The run's manifest; None where there is none, or one of another version."""
    try:
        body = s3.get_object(Bucket=run.bucket, Key=run.success)["Body"].read()
        return Success.model_validate_json(body)
    except (s3.exceptions.NoSuchKey, ValidationError):
        return None


def find(
    s3: S3Client, run: Run, source: dict[str, str], overlap_days: int
) -> tuple[Earlier | None, str]:
    """The newest other run of the market, if it read the same `source`; and a sentence about it.

    The last `overlap_days` days that it knows of, and its very last day, are read anew.
    """
    newest = _newest(s3, run)
    if newest is None:
        return None, f"read in full: there is no earlier run of the market {run.market}"
    manifest = success(s3, newest)
    if manifest is None or manifest.source != source:
        return None, f"read in full: run {newest.run_id} read another source, or another way"
    shards = range(int(source["shards"]))
    if {newest.train_shard(shard) for shard in shards} - set(keys(s3, newest.bucket, newest.train)):
        return None, f"read in full: run {newest.run_id} has not all its training files any more"
    since = manifest.watermark - datetime.timedelta(overlap_days)
    return Earlier(newest, since), f"rows before {since} were taken over from run {newest.run_id}"


def _newest(s3: S3Client, run: Run) -> Run | None:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=run.bucket, Prefix=ROOT, Delimiter="/"
    )
    finished = []
    for folder in (each for page in pages for each in page.get("CommonPrefixes", [])):
        other = Run(run.bucket, folder["Prefix"].split("/")[1], run.market)
        if other != run:
            found = s3.list_objects_v2(Bucket=run.bucket, Prefix=other.success, MaxKeys=1)
            finished += [(each["LastModified"], other.run_id) for each in found.get("Contents", [])]
    return Run(run.bucket, max(finished)[1], run.market) if finished else None


def keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """The keys that begin so."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]
