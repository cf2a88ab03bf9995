"""Lambda: write one object of predictions to the table, and count what became of its lines."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from aws_lambda_powertools.utilities.typing import LambdaContext
from ordergap.contract.prediction import Date
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from lambdas.shared import clients
from lambdas.shared.entry import entry_point
from lambdas.shared.events import RunEvent
from lambdas.shared.ledger import Ledger
from lambdas.shared.logs import logger, publish
from lambdas.shared.settings import from_environment
from lambdas.store_predictions.items import Stamp
from lambdas.store_predictions.progress import Progress
from lambdas.store_predictions.storing import store
from lambdas.store_predictions.writing import Table, connect

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

RESERVE_MS = 20_000  # for pending writes and for saving progress
_DAY = 86_400
_IN_MEMORY = 2**20  # bytes of rejects that are kept in memory rather than in a file


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    table: str = Field(alias="ORDERGAP_TABLE", description="table of predictions")
    expire_days: int = Field(
        90, ge=1, le=3650, alias="ORDERGAP_EXPIRE_DAYS", description="days until an item expires"
    )
    week_buckets: int = Field(
        8,
        ge=1,
        le=1000,
        alias="ORDERGAP_WEEK_BUCKETS",
        description="number of buckets over which the index by_week spreads a week's customers",
    )
    concurrency: int = Field(
        32,
        ge=1,
        le=256,
        alias="ORDERGAP_WRITE_CONCURRENCY",
        description="number of concurrent writes",
    )


class StorePredictions(RunEvent):
    """The input: one object of predictions, and when the execution started."""

    as_of: Date
    key: str
    started_at: AwareDatetime

    @model_validator(mode="after")
    def _predictions_of_this_run(self) -> Self:
        folder = self.run("").predictions
        if not (self.key.startswith(folder) and self.key.endswith(".jsonl.out")):
            raise ValueError(f"key must be {folder}….jsonl.out, is {self.key!r:.300}")
        return self


@entry_point(StorePredictions)
def handle(request: StorePredictions, context: LambdaContext) -> dict[str, object]:
    """See `store_object`; returns the counts of all lines of the object."""
    settings = from_environment(Settings)
    ledger = store_object(
        request,
        settings,
        clients.s3(),
        connect(settings.concurrency),
        context.get_remaining_time_in_millis,
        int(time.time()),
    )
    counts = ledger.model_dump(include={"key", "lines", "written", "superseded", "rejected"})
    logger().info("stored", extra=counts)
    return counts


def store_object(
    request: StorePredictions,
    settings: Settings,
    s3: S3Client,
    dynamodb: DynamoDBClient,
    time_left: Callable[[], int],
    now: int,
) -> Ledger:
    """Store every line of the object that an earlier attempt has not stored.

    time_left  milliseconds until Lambda ends the function
    now        seconds since 1970-01-01, from which the days until items expire are counted

    Raises BadEvent where the object is missing, and StoreUnfinished where time runs out.
    """
    run = request.run(settings.bucket)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as rejects:
        progress = Progress(s3, run, request.key, rejects)
        if progress.ledger.finished:
            return progress.ledger
        expires_at = now + settings.expire_days * _DAY
        stamp = Stamp(
            request.run_id,
            request.started_at,
            request.market,
            request.as_of,
            expires_at,
            settings.week_buckets,
        )
        table = Table(dynamodb, settings.table, time_left, RESERVE_MS)
        store(s3, run.bucket, progress, table, stamp, settings.concurrency)
    ledger = progress.ledger
    publish(
        request.market,
        PredictionsWritten=ledger.written,
        PredictionsSuperseded=ledger.superseded,
        PredictionsRejected=ledger.rejected,
    )
    return ledger
