"""Lambda: compare the counts of all steps of a run."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.reconcile.account import reconciled
from lambdas.shared import clients
from lambdas.shared.entry import entry_point
from lambdas.shared.events import RunEvent
from lambdas.shared.logs import logger, publish
from lambdas.shared.settings import from_environment


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")


class Reconcile(RunEvent):
    """The input: a run of one market, with all predictions stored."""


@entry_point(Reconcile)
def handle(request: Reconcile, _context: LambdaContext) -> dict[str, object]:
    """See `reconciled`."""
    counts = reconciled(clients.s3(), request.run(from_environment(Settings).bucket))
    publish(request.market, CustomersExtracted=counts.extracted, CustomersScored=counts.scored)
    logger().info(counts.sentence)
    return counts.model_dump()
