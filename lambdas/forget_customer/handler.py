"""Lambda: remove a customer from a market's table and objects, and exclude them from later runs.

See docs/decisions/lambdas.md#a-forgotten-customer-is-a-keyed-hash and
docs/decisions/lambdas.md#forgetting-looks-at-every-version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.typing import LambdaContext
from ordergap.errors import DataError
from ordergap.ingest.cells import customer
from pydantic import BaseModel, Field

from lambdas.forget_customer.forms import Customer
from lambdas.forget_customer.key import made_key
from lambdas.forget_customer.sweep import Looked, sweep
from lambdas.forget_customer.table import delete, dynamodb
from lambdas.shared import clients, events, executions, forgotten
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import AlreadyRunning, BadEvent
from lambdas.shared.events import Event
from lambdas.shared.logs import logger
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

RESERVE_MS = 120_000  # for the object that is looked at when time gets short


class Settings(BaseModel):
    """The function's environment."""

    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    table: str = Field(alias="ORDERGAP_TABLE", description="table of predictions")
    secret_id: str = Field(
        alias="ORDERGAP_FORGOTTEN_SECRET", description="secret with the key of the forgotten"
    )


class ForgetCustomer(Event):
    """The input."""

    market: events.Market
    customer: str = Field(min_length=1, max_length=2048)
    undo: bool = False
    """Exclude the customer no longer; what was removed is not brought back."""
    after: str = ""
    """The last key that an earlier call has looked at."""


class Proof(BaseModel):
    """What was looked at, and what was removed.

    customer       the hash by which later extractions exclude the customer
    excluded       whether they do
    items          items that were removed from the table
    prefixes       what was found in the bucket
    not_looked_at  versions of objects that are of no folder of the market
    next           the key after which another call is to continue; None at the end
    """

    customer: str
    excluded: bool
    items: int = 0
    prefixes: list[Looked] = Field(default_factory=list)
    not_looked_at: int = 0
    next: str | None = None


@entry_point(ForgetCustomer)
def handle(request: ForgetCustomer, context: LambdaContext) -> dict[str, object]:
    """Exclude the customer from later extractions, then remove them; returns a `Proof`.

    The list is written first: a run that begins afterwards drops the customer's rows, and one that
    is under way is refused. Every call may be repeated. Raises BadEvent, AlreadyRunning, and
    ForgottenUnreadable where the list was made by another key.
    """
    settings = from_environment(Settings)
    s3, secrets, bucket = clients.s3(), clients.secrets(), settings.bucket
    who = _id(request.customer)
    forgotten.read(s3, secrets, bucket, settings.secret_id, request.market)
    key = made_key(secrets, settings.secret_id, request.market)
    digest = key.hash_of(who)
    if request.undo:
        s3.delete_object(Bucket=bucket, Key=f"{key.folder}{digest}")
        return Proof(customer=digest, excluded=False).model_dump()
    s3.put_object(Bucket=bucket, Key=f"{key.folder}{digest}", Body=b"")
    _refuse_beside_a_run(s3, clients.stepfunctions(), bucket, request.market)
    items = delete(dynamodb(), settings.table, request.market, who)
    swept = sweep(
        s3,
        bucket,
        request.market,
        Customer(who),
        request.after,
        lambda: context.get_remaining_time_in_millis() < RESERVE_MS,
    )
    logger().info("forgotten", extra={"customer": digest, "items": items})
    return Proof(
        customer=digest,
        excluded=True,
        items=items,
        prefixes=swept.found,
        not_looked_at=swept.others,
        next=swept.after,
    ).model_dump()


def _id(text: str) -> str:
    """The customer's id as ingest reads it. The messages have no id, since they are logged."""
    try:
        found = customer(text)
    except DataError:
        raise BadEvent(["customer: a number that lost its last digits; give all of it"]) from None
    if found is None:
        raise BadEvent(["customer: it stands for no customer, such as guest; give an id"])
    return found


def _refuse_beside_a_run(s3: S3Client, states: SFNClient, bucket: str, market: str) -> None:
    """Raise AlreadyRunning where an execution of the market is under way.

    It may have read the list before the customer was on it.
    """
    running, _ = executions.read(s3, bucket)
    for arn in running.under_way(states, [market]).values():
        raise AlreadyRunning(
            f"{executions.name(arn)} of the market {market} is under way: forget the customer "
            "again when it has ended; later runs exclude them already"
        )
