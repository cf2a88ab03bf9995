"""Which execution of the state machine runs a market, by an object that `begin_run` writes.

See docs/decisions/pipeline.md#one-run-of-a-market-at-a-time.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import AwareDatetime, BaseModel, ConfigDict

from lambdas.shared.errors import AlreadyRunning
from lambdas.shared.runs import RUNNING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

LONGEST = datetime.timedelta(days=1)
"""The state machine's own timeout."""
ANY = "*"
"""In place of a market: of an execution that an earlier version wrote, which named no market."""


class Begun(BaseModel):
    """An execution, and when it began."""

    model_config = ConfigDict(frozen=True)

    execution_arn: str
    at: AwareDatetime


class Running(BaseModel):
    """The content of the object."""

    model_config = ConfigDict(frozen=True)

    markets: dict[str, Begun]
    """Market -> the execution that runs it, or the last one that did."""
    events: dict[str, str] = {}
    """The latest events that began a run -> the execution that each began."""

    def under_way(self, states: SFNClient, markets: Iterable[str]) -> dict[str, str]:
        """Market -> the execution that runs it or may do so, of those of `markets` that have one.

        Raises ClientError.
        """
        begun = {m: self.markets.get(ANY) or self.markets.get(m) for m in markets}
        found = {market: each for market, each in begun.items() if each}
        at = {each.execution_arn: each.at for each in found.values()}
        active = {arn for arn in at if _runs(states, arn, at[arn])}
        return {m: each.execution_arn for m, each in found.items() if each.execution_arn in active}


def read(s3: S3Client, bucket: str) -> tuple[Running, str | None]:
    """The content of the object, and its ETag; no market and None where there is no object.

    Raises AlreadyRunning where it is damaged.
    """
    try:
        answer = s3.get_object(Bucket=bucket, Key=RUNNING)
        content = json.loads(answer["Body"].read())
        if isinstance(content, dict) and "execution_arn" in content:
            begun = {"execution_arn": content["execution_arn"], "at": answer["LastModified"]}
            content["markets"] = {ANY: begun}
        return Running.model_validate(content), answer["ETag"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return Running(markets={}), None
    except ValueError:
        raise AlreadyRunning(
            f"{RUNNING} in the bucket {bucket} is damaged: see that no execution runs, then delete "
            "the object"
        ) from None


def name(execution_arn: str) -> str:
    """An execution in a sentence."""
    return f"run {execution_arn.rpartition(':')[2]}"


def _runs(states: SFNClient, execution_arn: str, began: datetime.datetime) -> bool:
    try:
        return states.describe_execution(executionArn=execution_arn)["status"] == "RUNNING"
    except states.exceptions.ExecutionDoesNotExist:
        # DescribeExecution may not know yet what has just begun, and no longer what is long over.
        return datetime.datetime.now(datetime.UTC) - began < LONGEST
