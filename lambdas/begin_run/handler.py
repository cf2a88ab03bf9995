"""Lambda: check the input of an execution before anything costs money, and begin its run.

See docs/decisions/pipeline.md#the-pipeline-refuses-before-it-pays.
"""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, BaseModel, Field

from lambdas.begin_run.request import checked
from lambdas.begin_run.running import begin
from lambdas.shared import clients
from lambdas.shared.entry import entry_point
from lambdas.shared.events import Event, RunId
from lambdas.shared.settings import from_environment


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")


class BeginRun(Event):
    """The input: an execution, and the input that it was started with, whatever that is."""

    run_id: RunId
    execution_arn: str = Field(min_length=1)
    started_at: AwareDatetime
    input: object


@entry_point(BeginRun)
def handle(request: BeginRun, _context: LambdaContext) -> dict[str, object]:
    """The id of the run, and its parameters with their defaults.

    Raises BadInput, and AlreadyStarted, Superseded, MarketBusy or AlreadyRunning where another run
    has precedence.
    """
    run = checked(request.input, request.started_at.date())
    bucket = from_environment(Settings).bucket
    begin(
        clients.s3(),
        clients.stepfunctions(),
        bucket,
        request.execution_arn,
        [market.name for market in run.markets],
        run.event,
        request.started_at if run.drift else None,
    )
    return {"run_id": request.run_id, **run.parameters()}
