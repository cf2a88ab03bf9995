"""One run of a market at a time: an object on S3 names the execution that runs each market.

See docs/decisions/pipeline.md#one-run-of-a-market-at-a-time.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.shared.errors import AlreadyStarted, MarketBusy, Superseded, Unavailable
from lambdas.shared.executions import ANY, LONGEST, Begun, Running, name, read
from lambdas.shared.runs import RUNNING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

_REMEMBERED = 100


def begin(
    s3: S3Client,
    states: SFNClient,
    bucket: str,
    execution_arn: str,
    markets: Sequence[str],
    event: str | None,
    waits_since: datetime.datetime | None = None,
) -> None:
    """Write down that the execution runs the markets. A retry of the same execution may do so too.

    waits_since  when the execution was started, if it is to begin after one that runs a market; it
                 is not needed where yet another has begun since then, which has read the same
                 flags

    Raises AlreadyStarted where the event has begun another execution; where another execution runs
    a market or may do so, Superseded, or MarketBusy if it waits; AlreadyRunning where the object is
    damaged, and Unavailable where it was written meanwhile.
    """
    found, etag = read(s3, bucket)
    if found.events.get(event or "", execution_arn) != execution_arn:
        raise AlreadyStarted(
            f"the event {event} has started {name(found.events[event or ''])}; to repeat that "
            "run, leave event out of the input"
        )
    for market in markets:
        last = found.markets.get(market)
        if waits_since and last and last.execution_arn != execution_arn and last.at > waits_since:
            raise Superseded(
                f"{name(last.execution_arn)} of the market {market} has begun since this one was "
                "asked for, and has read the same flags"
            )
    for market, other in found.under_way(states, markets).items():
        if other == execution_arn:
            continue
        beside = f"{name(other)} of the market {market} is under way"
        if waits_since:
            raise MarketBusy(f"{beside}; this run begins after it, and ends where that takes hours")
        raise Superseded(
            f"{beside}; if it should have what is new, start another when it has ended, or without "
            "the market now"
        )
    now = datetime.datetime.now(datetime.UTC)
    kept = {m: each for m, each in found.markets.items() if m != ANY and now - each.at < LONGEST}
    begun = dict.fromkeys(markets, Begun(execution_arn=execution_arn, at=now))
    events = found.events | ({event: execution_arn} if event else {})
    body = Running(
        markets=kept | begun, events=dict([*events.items()][-_REMEMBERED:])
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
