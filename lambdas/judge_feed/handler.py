"""Lambda: refuse orders that are not as they should be, and decide whether the run trains.

See docs/decisions/pipeline.md#the-feed-is-judged-before-anything-is-paid-for.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from ordergap.contract.prediction import Date
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lambdas.judge_feed import rules
from lambdas.judge_feed.cadence import cadence, digest
from lambdas.shared import clients, objects
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import BadEvent, FeedBroken
from lambdas.shared.events import Asked, RunEvent
from lambdas.shared.feed import Feed
from lambdas.shared.flags import Flags
from lambdas.shared.logs import logger, publish
from lambdas.shared.registry import Package, Verdict, champion, hold, newest_package
from lambdas.shared.saving import save
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

_OVER = datetime.timedelta(hours=20)
"""Of a day; one that began later is not over when the run starts, and may have no orders yet."""
RUNBOOK = "docs/operations.md#judgefeed-failed"


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    group_prefix: str = Field(
        "ordergap",
        alias="ORDERGAP_MODEL_GROUP_PREFIX",
        description="prefix of the model package groups, before a dash and the market",
    )
    quiet_days: int = Field(
        2,
        ge=0,
        le=3650,
        alias="ORDERGAP_QUIET_DAYS",
        description="days without an order after which a source may have stopped",
    )
    retrain_days: int = Field(
        28,
        ge=0,
        le=3650,
        alias="ORDERGAP_RETRAIN_DAYS",
        description="days until a champion is replaced by a new model",
    )
    retry_days: int = Field(
        7,
        ge=0,
        le=3650,
        alias="ORDERGAP_RETRY_DAYS",
        description="days until a model is trained again after one that was not promoted",
    )


class Made(BaseModel):
    """What a model of this run is made with; extract_orders checks the market."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    hyperparameters: dict[str, Any]
    market: dict[str, Any]


class JudgeFeed(RunEvent):
    """The input: a market's extraction, and what was asked of the run."""

    as_of: Date
    started_at: AwareDatetime
    asked: Asked
    made: Made


class Judged(BaseModel):
    """The output, and the content of feed.json."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    train: bool
    """Whether the run trains; otherwise it scores with the champion."""
    reason: str
    settings: str
    """The digest of what a model of this run is made with."""
    verdict: Verdict | None
    """The champion, where the run does not train."""
    volume: str
    """The orders of the last week beside those before, in words."""


@entry_point(JudgeFeed)
def handle(request: JudgeFeed, _context: LambdaContext) -> dict[str, object]:
    """See `judge`."""
    settings = from_environment(Settings)
    package = champion(clients.sagemaker(), f"{settings.group_prefix}-{request.market}")
    if package and package.registered:
        age = datetime.datetime.now(datetime.UTC) - package.registered
        publish(request.market, ChampionAgeDays=age.days)
    try:
        judged = judge(request, settings, clients.s3(), clients.sagemaker(), package)
    except FeedBroken:
        publish(request.market, FeedsRefused=1)
        raise
    publish(request.market, FeedsRefused=0)
    logger().info(f"{judged.reason} {judged.volume}.")
    return judged.model_dump()


def judge(
    request: JudgeFeed,
    settings: Settings,
    s3: S3Client,
    sagemaker: SageMakerClient,
    package: Package | None,
) -> Judged:
    """Judge the run's sums by day by `rules`, and decide by `cadence`; `package` is the champion.

    A full extraction that is accepted is what later ones are compared with. Writes feed.json, which
    a retry reads, and verdict.json where the champion scores.

    Raises FeedBroken where the orders are refused, and BadEvent where the run has no sums.
    """
    run = request.run(settings.bucket)
    if earlier := objects.read(s3, run.bucket, run.feed, Judged):
        return earlier
    feed = objects.read(s3, run.bucket, run.days, Feed)
    if feed is None:
        raise BadEvent([f"prefix: {run.uri(run.days)} is missing; extract the orders first"])
    newest = min(request.as_of, (request.started_at - _OVER).date())
    accepted = objects.read(s3, run.bucket, run.accepted, Feed)
    _refuse(feed, accepted, request.asked, newest, settings.quiet_days)
    group = f"{settings.group_prefix}-{request.market}"
    made = digest(request.made.image, request.made.hyperparameters, request.made.market)
    flags = objects.read(s3, run.bucket, run.flags, Flags)
    train, reason = cadence(
        request.asked,
        package,
        flags,
        request.as_of,
        made,
        settings.retrain_days,
        hold(sagemaker, group) if package else None,
        newest_package(sagemaker, group) if package else None,
        settings.retry_days,
    )
    verdict = None
    if not train and package and package.artifact and package.image:
        verdict = Verdict(
            promoted=False,
            reason=reason,
            group=group,
            artifact=package.artifact,
            image=package.image,
            model_version=package.model_version,
            metrics_uri=package.metrics_uri,
            package_version=package.version,
        )
    judged = Judged(
        train=train,
        reason=reason,
        settings=made,
        verdict=verdict,
        volume=rules.volume(feed, newest),
    )
    newer = accepted is None or feed.as_of >= accepted.as_of
    if (feed.full and newer) or request.asked.accept_past:
        save(s3, run.bucket, run.accepted, feed)
    if verdict:
        save(s3, run.bucket, run.verdict, verdict)
    save(s3, run.bucket, run.feed, judged)
    return judged


def _refuse(
    feed: Feed, accepted: Feed | None, asked: Asked, newest: datetime.date, quiet_days: int
) -> None:
    """Raise FeedBroken for what a rule finds, unless it is accepted."""
    quiet = [] if asked.accept_quiet else rules.stopped(feed, newest, quiet_days)
    past = []
    if accepted and not asked.accept_past:
        past = rules.changed(feed, accepted) + rules.rejected(feed, accepted)
    remedies = [
        f'if {truth}, start a run with "{field}": true{other}'
        for found, field, truth, other in (
            (quiet, "accept_quiet", "there were none", ', or "as_of" the last day that has some'),
            (past, "accept_past", "that is meant to be so", ""),
        )
        if found
    ]
    if remedies:
        raise FeedBroken(
            f"{'; '.join([*quiet, *past])}. The forecasts of the last run stay. Correct the source "
            f"and start a run; {', and '.join(remedies)}. See {RUNBOOK}"
        )
