"""The extraction: rows → shards → training and scoring files → manifest, written last.

See docs/decisions/lambdas.md#one-cleaning-path-in-the-lambda-too.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from ordergap.contract.orders import Columns
from ordergap.errors import PlatformError
from sqlalchemy import URL

from lambdas.extract_orders.account import Account
from lambdas.extract_orders.customers import Attributes, attributes
from lambdas.extract_orders.database import connect
from lambdas.extract_orders.earlier import find, keys
from lambdas.extract_orders.finishing import finish, settled
from lambdas.extract_orders.leads import Leads, leads
from lambdas.extract_orders.reading import Take
from lambdas.extract_orders.request import Market, Request, Success
from lambdas.extract_orders.shards import Shards
from lambdas.extract_orders.source import Source, canonical, open_source
from lambdas.shared import objects
from lambdas.shared.feed import Feed, total
from lambdas.shared.logs import logger
from lambdas.shared.runs import Run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROGRESS = 500_000  # rows between two log messages
# A day of one time zone may begin so many days before, or end so many days after, that of another.
ZONE_DAYS = 2


def extract(
    request: Request,
    url: URL,
    bucket: str,
    s3: S3Client,
    folder: Path,
    *,
    shards: int = 32,
    overlap_days: int = 3,
    forgotten: Container[str] | None = None,
) -> Success:
    """Read a market's orders and write its files to the bucket.

    folder        temporary and empty, for the rows of the shards
    overlap_days  days by which a row may be late and still be read by an incremental extraction
    forgotten     customers whose rows are dropped, as if the source had none

    Returns the manifest of a complete earlier attempt, and deletes the files of an incomplete one.
    Raises SourceUnreachable, SourceColumnMissing, SourceEmpty and BadEvent.
    """
    market = request.market
    run = Run(bucket, request.run_id, market.name)
    complete = objects.read(s3, bucket, run.success, Success)
    if complete and complete.request == request:
        logger().info("this run is already extracted: nothing to do")
        return complete
    _clear(s3, run)
    columns = canonical(market.columns)
    # The database compares by its own days, or those that are written.
    slack = ZONE_DAYS if columns.time_zone else 0
    until = request.as_of + datetime.timedelta(slack)
    with connect(url) as connection:
        source = open_source(connection, market)
        iso = source.date is not None
        rows = Shards(folder, shards, columns, source.columns, source.numbers, iso=iso)
        account = Account(source.columns)
        identity = _identity(market, url, source, columns, shards)
        earlier, note = None, "read in full"
        if market.incremental and not iso:
            note += ": the dates are text, not ISO 8601, so that the database cannot compare them"
        elif market.incremental:
            earlier, note = find(s3, run, identity, overlap_days + slack, request.as_of)
        logger().info(note)
        if earlier:
            for shard in range(shards):
                rows.reuse(shard, earlier.rows(s3, shard, columns.date_column))
        account.later = source.count_after(until)
        source.read(earlier.since if earlier else None, until, _with_progress(rows))
        words = tuple(columns.no_customer_words)
        facts = attributes(connection, market.customers_query, request.as_of, words, forgotten)
        people = leads(connection, market, request.as_of, words, forgotten)
    decided = rows.decide(earlier.conventions if earlier else None)
    columns = settled(columns, decided)
    rows.settle(columns, request.as_of)
    account.forgotten = rows.forget(forgotten) if forgotten is not None else 0
    for sentence in (*decided.notes, f"{rows.rows:,} rows read: cleaning them"):
        logger().info(sentence)

    def upload(shard: int, file: Path) -> None:
        with file.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=run.train_shard(shard), Body=body)

    records = finish(
        rows, columns, decided, request.as_of, account, upload,
        counted_from=until + datetime.timedelta(1) if iso else None, known=facts.known,
    )  # fmt: skip
    digests: dict[str, str] = {}
    attributed = 0
    for part, file in enumerate(people.scored(records)):
        attributed += file.attributed
        s3.put_object(Bucket=bucket, Key=run.score_part(part), Body=file.body)
        digests[run.score_part(part)] = file.customers
    figures = account.figures("the query" if market.query else identity["rows"], columns)
    said = facts.notes(account.customers, attributed)
    _write(s3, run, facts, said, people)
    manifest = Success.model_validate(
        {
            "bucket": bucket,
            "market": market.name,
            "run_id": run.run_id,
            "as_of": request.as_of,
            "prefix": run.prefix,
            "channels": _channels(run, attributes=len(facts.rows) > 0, leads=bool(people.rows)),
            "scoring_uri": run.uri(run.score),
            "model_uri": run.uri(run.model),
            "predictions_prefix": run.predictions,
            "predictions_uri": run.uri(run.predictions.rstrip("/")),
            "hyperparameters": {**_hyperparameters(columns), **people.hyperparameters},
            "scoring_files": len(digests),
            **figures,
            "leads": len(people.records),
            "read_in_full": earlier.read_in_full if earlier else request.as_of,
            "days": run.days,
            "notes": (note, *source.notes, *decided.notes, *said, *people.notes),
            "request": request,
            "source": identity,
            "digests": digests,
        }
    )
    feed = _feed(manifest, account, overlap_days + slack)
    s3.put_object(Bucket=bucket, Key=run.days, Body=feed.model_dump_json().encode())
    s3.put_object(Bucket=bucket, Key=run.success, Body=manifest.model_dump_json(indent=2).encode())
    return manifest


def _feed(manifest: Success, account: Account, overlap_days: int) -> Feed:
    return Feed(
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        watermark=manifest.watermark,
        overlap_days=overlap_days,
        full=manifest.read_in_full == manifest.as_of and not manifest.rows_reused,
        rows_read=manifest.rows_read,
        rejected=manifest.rejected,
        days=total(account.sums),
    )


def _write(s3: S3Client, run: Run, facts: Attributes, said: list[str], people: Leads) -> None:
    """Upload attributes and leads, and log what is said of them; nothing where none are asked."""
    for body, sentence in zip(facts.files(), said, strict=True):
        s3.put_object(Bucket=run.bucket, Key=run.attributes, Body=body)
        logger().info(sentence)
    for name, body in people.files():
        s3.put_object(Bucket=run.bucket, Key=f"{run.leads}{name}", Body=body)
    for sentence in people.notes:
        logger().info(sentence)


def _clear(s3: S3Client, run: Run) -> None:
    """Delete the files of an earlier attempt, its manifest first."""
    s3.delete_object(Bucket=run.bucket, Key=run.success)
    stale = keys(s3, run.bucket, f"{run.prefix}/")
    for first in range(0, len(stale), 1000):  # as many as one request may name
        answer = s3.delete_objects(
            Bucket=run.bucket,
            Delete={"Objects": [{"Key": key} for key in stale[first : first + 1000]]},
        )
        if errors := answer.get("Errors"):
            raise PlatformError(f"cannot delete the files of an earlier attempt: {errors[0]}")


def _with_progress(rows: Shards) -> Take:
    def take(frame: pl.DataFrame) -> None:
        before = rows.rows
        rows.add(frame)
        if rows.rows // PROGRESS > before // PROGRESS:
            logger().info(f"{rows.rows:,} rows read")

    return take


def _identity(
    market: Market, url: URL, source: Source, columns: Columns, shards: int
) -> dict[str, str]:
    """What must be equal for the rows of an earlier run to be reused."""
    return {
        "database": f"{url.get_backend_name()}://{url.host}:{url.port}/{url.database}",
        "rows": market.query or f"the table {market.table or 'orders'}",
        "columns": json.dumps(source.columns),
        "numbers": json.dumps(sorted(source.numbers)),
        "reading": json.dumps(_hyperparameters(columns)),
        "shards": str(shards),
    }


def _channels(run: Run, *, attributes: bool, leads: bool = False) -> list[dict[str, object]]:
    """The training job's InputDataConfig."""
    prefixes = {"training": run.train}
    prefixes |= {"customers": run.customers} if attributes else {}
    prefixes |= {"leads": run.leads} if leads else {}
    return [
        {
            "ChannelName": name,
            "ContentType": "application/x-parquet",
            "CompressionType": "None",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3DataDistributionType": "FullyReplicated",
                    "S3Uri": run.uri(prefix),
                }
            },
        }
        for name, prefix in prefixes.items()
    ]


def _hyperparameters(columns: Columns) -> dict[str, str]:
    """The hyperparameters with which training reads the files as they are read here."""
    settings = columns.model_dump(mode="json", exclude_defaults=True)
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
