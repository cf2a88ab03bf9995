"""Lambda: a market's orders from its database to training and scoring files on S3."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from aws_lambda_powertools.utilities.typing import LambdaContext
from ordergap.contract.orders import Rejection
from pydantic import BaseModel, ConfigDict, Field

from lambdas.extract_orders.database import source_url
from lambdas.extract_orders.extraction import extract
from lambdas.extract_orders.request import Extraction, Request
from lambdas.shared import clients
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import BadEvent
from lambdas.shared.forgotten import read
from lambdas.shared.logs import logger, publish
from lambdas.shared.settings import from_environment


class Settings(BaseModel):
    """The function's environment."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of all runs")
    secret_id: str | None = Field(
        None, alias="ORDERGAP_SOURCE_SECRET", description="secret with the URL of the source"
    )
    shards: int = Field(
        32, ge=1, le=10_000, alias="ORDERGAP_SHARDS", description="number of training files"
    )
    forgotten_secret: str | None = Field(
        None, alias="ORDERGAP_FORGOTTEN_SECRET", description="secret with the key of the forgotten"
    )
    overlap_days: int = Field(
        3,
        ge=0,
        le=3650,
        alias="ORDERGAP_OVERLAP_DAYS",
        description="days that an incremental extraction reads again, for late rows",
    )


def rejected_percent(extraction: Extraction) -> float:
    """What share of the rows until as_of is not used."""
    later = extraction.rejected[Rejection.LATER]
    rows = extraction.rows_read - later
    return 100 * (rows - extraction.rows_used) / rows if rows else 0.0


@entry_point(Request)
def handle(request: Request, _context: LambdaContext) -> dict[str, object]:
    """See `extract`; returns an `Extraction`."""
    settings = from_environment(Settings)
    market = request.market
    logger().append_keys(market=market.name)
    secret_id = market.secret_id or settings.secret_id
    if not secret_id:
        raise BadEvent(["market.secret_id: name the secret that holds the database's URL"])
    forgotten = read(
        clients.s3(), clients.secrets(), settings.bucket, settings.forgotten_secret, market.name
    )
    # The same folder for every attempt, so that the files of a killed one are deleted.
    folder = Path(tempfile.gettempdir(), f"extract-{request.run_id}-{market.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        extraction = extract(
            request,
            source_url(clients.secrets(), secret_id, market.database),
            settings.bucket,
            clients.s3(),
            folder,
            shards=settings.shards,
            overlap_days=settings.overlap_days,
            forgotten=forgotten,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    publish(
        market.name,
        RowsRead=extraction.rows_read,
        RejectedPercent=rejected_percent(extraction),
        CustomersExtracted=extraction.customers,
    )
    return extraction.model_dump(mode="json", exclude={"request", "source", "digests"})
