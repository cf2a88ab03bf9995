"""Lambda: judge what became of stored forecasts: flags for training, events, metrics, a sentence.

See docs/decisions/pipeline.md#forecasts-are-held-against-the-orders-once-a-week.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.typing import LambdaContext
from ordergap.contract.prediction import Date
from pydantic import BaseModel, ConfigDict, Field

from lambdas.judge_forecasts import findings
from lambdas.shared import clients, objects
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import BadEvent, Unavailable
from lambdas.shared.events import RunEvent
from lambdas.shared.flags import Flags
from lambdas.shared.followed import Followed
from lambdas.shared.logs import logger, publish
from lambdas.shared.runs import Run
from lambdas.shared.saving import save
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DETAIL_TYPE = "Drift"


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    source: str = Field(
        "ordergap",
        alias="ORDERGAP_EVENT_SOURCE",
        description="source of the events, by which stacks tell their own from others'",
    )


class _Verdict(BaseModel):
    """The part of the verdict that is looked at: the model that has scored."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_version: str


class JudgeForecasts(RunEvent):
    """The input: a run of one market whose job has graded the forecasts.

    challenger  what is to be said of a challenger's forecasts, if anything
    """

    as_of: Date
    verdict: _Verdict
    challenger: str


class Judged(BaseModel):
    """The output."""

    model_config = ConfigDict(frozen=True)

    sentence: str
    report: str
    """The newest page of the market."""


@entry_point(JudgeForecasts)
def handle(request: JudgeForecasts, _context: LambdaContext) -> dict[str, object]:
    """See `judge`."""
    settings = from_environment(Settings)
    run = request.run(settings.bucket)
    followed, flags, judged = judge(request, run, clients.s3(), clients.events(), settings.source)
    numbers: dict[str, float] = {
        "CohortsGraded": sum(each.role == "champion" for each in followed.cohorts),
        "CohortsLeftOut": len(followed.left_out),
        "DriftFindings": len(flags.findings),
        "LevelOff": any(each.kind == "level" and each.current for each in followed.alarms),
    }
    if newest := followed.newest():
        _, _, grade = newest
        own = {"LevelZ": grade.level_z, "AucLessValidation": grade.auc_less_validation}
        if grade.ageing:
            own["AgeingZ"] = grade.ageing.z
        numbers |= {name: value for name, value in own.items() if value is not None}
    publish(request.market, **numbers)
    logger().info(judged.sentence)
    return judged.model_dump()


def judge(
    request: JudgeForecasts, run: Run, s3: S3Client, events: clients.Events, source: str
) -> tuple[Followed, Flags, Judged]:
    """Write flags.json by `findings`, and send an event for each finding that is new in this run.

    Copies follow.json and follow.html beside the forecasts, over those of the week before.
    A retry sends the events of this run again: none is lost. A run as of an earlier day than one
    that was judged changes nothing.

    Raises BadEvent where the run has no follow.json that can be read.
    """
    followed = objects.read(s3, run.bucket, run.followed_json, Followed)
    if followed is None:
        raise BadEvent([f"prefix: {run.uri(run.followed_json)} is missing, or of another version"])
    version = request.verdict.model_version
    before = objects.read(s3, run.bucket, run.flags, Flags)
    if before and before.judged and before.judged > request.as_of:
        flags = before
    else:
        flags = findings.flags(followed, before, run.run_id, version, request.as_of)
        for key, target, kind in (
            (run.followed_json, run.newest_followed, "application/json"),
            (run.followed_page, run.page, "text/html; charset=utf-8"),
        ):
            body = s3.get_object(Bucket=run.bucket, Key=key)["Body"].read()
            s3.put_object(Bucket=run.bucket, Key=target, Body=body, ContentType=kind)
        save(s3, run.bucket, run.flags, flags)
    for kind, finding in flags.findings.items():
        if finding.run_id == run.run_id:
            detail = {
                "market": run.market,
                "kind": kind,
                "sentence": finding.sentence,
                "as_of": request.as_of.isoformat(),
                "run_id": run.run_id,
            }
            _send(events, source, detail)
    said = " ".join(filter(None, (findings.sentence(followed, version), request.challenger)))
    return followed, flags, Judged(sentence=said, report=run.uri(run.page))


def _send(events: clients.Events, source: str, detail: dict[str, str]) -> None:
    """Raises Unavailable where EventBridge does not take it."""
    entry = {"Source": source, "DetailType": DETAIL_TYPE, "Detail": json.dumps(detail)}
    answer = events.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        first = answer["Entries"][0]
        raise Unavailable(f"PutEvents: {first.get('ErrorCode')}: {first.get('ErrorMessage')}")
