"""Lambda: say whether a run's forecasts are kept and held against the orders, and by which job.

See docs/decisions/pipeline.md#forecasts-are-held-against-the-orders-once-a-week.
"""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.typing import LambdaContext
from ordergap.contract.prediction import Date
from pydantic import BaseModel, ConfigDict, Field

from lambdas.begin_follow.challenger import Challenger, challenger
from lambdas.begin_follow.job import Job, described
from lambdas.shared import clients, objects
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import BadEvent
from lambdas.shared.events import Asked, RunEvent
from lambdas.shared.feed import Feed
from lambdas.shared.flags import Flags
from lambdas.shared.logs import logger
from lambdas.shared.runs import Run
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

DAYS = 7
"""Days between two cohorts: forecasts of neighbouring nights have nearly the same outcomes."""
_COHORT = re.compile(r"(\d{4}-\d\d-\d\d)_[\w-]+\.parquet", re.ASCII)
_CHALLENGER = "_challenger.parquet"


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    shadow: bool = Field(
        False,
        alias="ORDERGAP_SHADOW",
        description="whether a challenger's forecasts are kept beside the champion's",
    )


class _Verdict(BaseModel):
    """The part of the verdict that is looked at: the model that has scored."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    group: str
    artifact: str
    model_version: str


class BeginFollow(RunEvent):
    """The input: a run of one market, with its forecasts stored."""

    as_of: Date
    asked: Asked
    verdict: _Verdict


class Begun(BaseModel):
    """The output: what the states after this one need.

    with_challenger  the job where the challenger's forecasts are there too
    report           the newest page, from an earlier run
    """

    model_config = ConfigDict(frozen=True)

    due: bool
    shadow: bool
    sentence: str
    report: str | None
    job: Job
    challenger: Challenger | None
    challenger_uri: str
    """Where its forecasts go."""
    with_challenger: Job


@entry_point(BeginFollow)
def handle(request: BeginFollow, _context: LambdaContext) -> dict[str, object]:
    """See `begin`."""
    begun = begin(request, from_environment(Settings), clients.s3(), clients.sagemaker())
    logger().info(f"the forecasts are {'' if begun.due else 'not '}kept. {begun.sentence}".rstrip())
    return begun.model_dump()


def begin(
    request: BeginFollow, settings: Settings, s3: S3Client, sagemaker: SageMakerClient
) -> Begun:
    """Whether forecasts are due: `DAYS` after the newest cohort, or where that was not judged.

    The job gets the run's forecasts and orders, the cohorts that there are, and the model's
    archive. Where a shadow is asked for, the challenger is the newest package of another model than
    the one in use, rejected or not.

    Raises BadEvent where the run has no sums by day.
    """
    run, asked = request.run(settings.bucket), request.asked
    kept = _cohorts(s3, run)
    flags = objects.read(s3, run.bucket, run.flags, Flags)
    judged = flags.judged if flags else None
    newest = max(kept, default=None)
    due = newest is None or (request.as_of - newest).days >= DAYS
    due = due or judged is None or (newest is not None and judged < newest <= request.as_of)
    if asked.follow is not None:
        due = asked.follow
    wanted = settings.shadow if asked.shadow is None else asked.shadow
    model, rival = request.verdict, None
    if due and wanted:
        rival = challenger(sagemaker, model.group, model.model_version)
    sentence = ""
    if due and wanted and not rival:
        sentence = "There is no challenger: no model but the one in use is registered."
    until = _until(s3, run, kept, request.as_of)
    archives = {"champion": model.artifact}
    both = archives | ({"challenger": rival.artifact} if rival else {})
    return Begun(
        due=due,
        shadow=rival is not None,
        sentence=sentence,
        report=run.uri(run.page) if judged else None,
        job=described(run, until, archives, has_cohorts=bool(kept)),
        challenger=rival,
        challenger_uri=run.uri(run.challenger.rstrip("/")),
        with_challenger=described(run, until, both, has_cohorts=bool(kept)),
    )


def _cohorts(s3: S3Client, run: Run) -> list[datetime.date]:
    """The days of the champions' cohorts that are kept."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=run.bucket, Prefix=run.cohorts)
    names = [
        str(each["Key"]).removeprefix(run.cohorts)
        for page in pages
        for each in page.get("Contents", ())
    ]
    found = (_COHORT.fullmatch(name) for name in names if not name.endswith(_CHALLENGER))
    return [datetime.date.fromisoformat(match[1]) for match in found if match]


def _until(
    s3: S3Client, run: Run, kept: list[datetime.date], as_of: datetime.date
) -> datetime.date:
    """The last day that the orders tell of: the extraction's, or where no cohort is older, as_of.

    Days without a row at the end may be late, so that no outcome is known of them.
    """
    feed = objects.read(s3, run.bucket, run.days, Feed)
    if feed is None:
        raise BadEvent([f"prefix: {run.uri(run.days)} is missing; extract the orders first"])
    known = min(feed.watermark, as_of)
    return known if kept and min(kept) <= known else as_of
