"""An earlier run of the market, whose rows are reused rather than read again.

See docs/decisions/lambdas.md#an-incremental-extraction-writes-full-files.
"""

from __future__ import annotations

import datetime
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from ordergap.contract.orders import Conventions

from lambdas.extract_orders.request import Success
from lambdas.shared import objects
from lambdas.shared.runs import ROOT, Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FULL_DAYS = 7


@dataclass(frozen=True)
class Earlier:
    """A run whose rows before the day `since` are reused, and how their cells are written.

    read_in_full  the `as_of` of the run that read the oldest of these rows
    """

    run: Run
    since: datetime.date
    conventions: Conventions
    read_in_full: datetime.date

    def rows(self, s3: S3Client, shard: int, date_column: str) -> pl.DataFrame:
        """The reused rows of a shard. A database's dates as text begin with the ISO 8601 day."""
        response = s3.get_object(Bucket=self.run.bucket, Key=self.run.train_shard(shard))
        frame = pl.read_parquet(io.BytesIO(response["Body"].read()))
        return frame.filter(pl.col(date_column) < self.since.isoformat())


def find(
    s3: S3Client, run: Run, source: dict[str, str], overlap_days: int, as_of: datetime.date
) -> tuple[Earlier | None, str]:
    """The newest other run of the market, if it read the same `source`, and a note about it.

    Its last day and the `overlap_days` days before it are read again. Nothing is reused of a run
    whose feed was refused, nor where the oldest rows were read `FULL_DAYS` days before `as_of`:
    what changed in them since would never be seen.
    """
    newest = _newest(s3, run)
    if newest is None:
        return None, f"read in full: there is no earlier run of the market {run.market}"
    manifest = objects.read(s3, newest.bucket, newest.success, Success)
    if manifest is None or manifest.source != source:
        return None, f"read in full: run {newest.run_id} had another source or other settings"
    if (as_of - manifest.read_in_full).days >= FULL_DAYS:
        return None, f"read in full, as every {FULL_DAYS} days: last as of {manifest.read_in_full}"
    if not keys(s3, newest.bucket, newest.feed):
        return None, f"read in full: the orders of run {newest.run_id} were not accepted"
    shards = range(int(source["shards"]))
    if {newest.train_shard(shard) for shard in shards} - set(keys(s3, newest.bucket, newest.train)):
        return None, f"read in full: training files of run {newest.run_id} are missing"
    since = manifest.watermark - datetime.timedelta(overlap_days)
    earlier = Earlier(newest, since, manifest.conventions, manifest.read_in_full)
    return earlier, f"rows before {since} were reused from run {newest.run_id}"


def _newest(s3: S3Client, run: Run) -> Run | None:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=run.bucket, Prefix=ROOT, Delimiter="/"
    )
    finished = []
    for folder in (each for page in pages for each in page.get("CommonPrefixes", [])):
        other = Run(run.bucket, folder["Prefix"].split("/")[1], run.market)
        if other != run:
            listing = s3.list_objects_v2(Bucket=run.bucket, Prefix=other.success, MaxKeys=1)
            finished += [
                (each["LastModified"], other.run_id) for each in listing.get("Contents", [])
            ]
    return Run(run.bucket, max(finished)[1], run.market) if finished else None


def keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """The keys that begin with `prefix`."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]
