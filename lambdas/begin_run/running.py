"""One run at a time: an object on S3 names the execution that runs, or the last one that did.

See docs/decisions/pipeline.md#one-run-at-a-time.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, ValidationError

from lambdas.shared.errors import AlreadyRunning, AlreadyStarted, Superseded, Unavailable
from lambdas.shared.executions import runs
from lambdas.shared.runs import RUNNING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

_REMEMBERED = 100


class _Running(BaseModel):
    """The content of the object: an execution, and the latest events that began a run."""

    model_config = ConfigDict(frozen=True)

    execution_arn: str
    events: dict[str, str] = {}
    """Event -> the execution that it began."""


def begin(
    s3: S3Client, states: SFNClient, bucket: str, execution_arn: str, event: str | None
) -> None:
    """Write down that the execution runs. A retry of the same execution may do so again.

    Raises AlreadyStarted where the event has begun another execution, Superseded where another
    execution runs or may run, AlreadyRunning where the object is damaged, and Unavailable where it
    was written meanwhile.
    """
    found, etag = _Running(execution_arn=execution_arn), None
    written = datetime.datetime.now(datetime.UTC)
    try:
        answer = s3.get_object(Bucket=bucket, Key=RUNNING)
        etag, written = answer["ETag"], answer["LastModified"]
        found = _Running.model_validate_json(answer["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
    except ValidationError:
        raise AlreadyRunning(
            f"{RUNNING} in the bucket {bucket} is damaged: see that no execution runs, then delete "
            "the object"
        ) from None
    if found.events.get(event or "", execution_arn) != execution_arn:
        raise AlreadyStarted(
            f"the event {event} has started {_name(found.events[event or ''])}; to repeat that "
            "run, leave event out of the input"
        )
    if found.execution_arn != execution_arn and runs(states, found.execution_arn, written):
        raise Superseded(
            f"{_name(found.execution_arn)} is under way; if it should have what is new, start "
            "another when it has ended"
        )
    events = found.events | ({event: execution_arn} if event else {})
    body = _Running(
        execution_arn=execution_arn, events=dict([*events.items()][-_REMEMBERED:])
    ).model_dump_json()
    try:
        if etag is None:
            s3.put_object(Bucket=bucket, Key=RUNNING, Body=body, IfNoneMatch="*")
        else:
            s3.put_object(Bucket=bucket, Key=RUNNING, Body=body, IfMatch=etag)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"PreconditionFailed", "NoSuchKey"}:
            raise
        # By a run that began at the same moment, or by this very call, whose answer was lost: a
        # retry of the function reads by whom. Or the object has expired.
        raise Unavailable(f"{RUNNING} was written meanwhile") from None


def _name(execution_arn: str) -> str:
    return f"run {execution_arn.rpartition(':')[2]}"
