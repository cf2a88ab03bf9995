"""A conditional write, retried until the table accepts it.

See docs/decisions/lambdas.md#one-conditional-putitem-for-each-item,
docs/decisions/lambdas.md#of-two-runs-of-a-day-the-later-one-holds and
docs/decisions/lambdas.md#within-a-run-only-the-same-line-writes-again.
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lambdas.shared.errors import StoreUnfinished

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from lambdas.store_predictions.items import Item

# An older forecast never overwrites a newer one, nor an earlier run of the same day a later one,
# wherever their writes interleave; items without the time of their run are of before there was one.
# Within a run the first write stays, and only the same line may repeat it: a retry is not counted
# twice, and of two lines of a customer exactly one is written.
_CONDITION = (
    "attribute_not_exists(customer_id) OR as_of < :as_of OR (as_of = :as_of AND ("
    "attribute_not_exists(run_started_at) OR run_started_at < :run_started_at OR "
    "(run_started_at = :run_started_at AND (run_id < :run_id OR "
    "(run_id = :run_id AND scored_line = :scored_line)))))"
)
_COMPARED = ("as_of", "run_started_at", "run_id", "scored_line")
_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
}
_FIRST_WAIT, _MAX_WAIT = 0.05, 5.0  # seconds


@functools.cache
def connect(concurrency: int) -> DynamoDBClient:
    """A client that `concurrency` threads can use at once."""
    return boto3.client(
        "dynamodb",
        config=Config(
            max_pool_connections=concurrency,
            connect_timeout=3,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 2},
            parameter_validation=False,  # all items are made by `items.item`
        ),
    )


class Table:
    """The table. Several threads may call `put` at once.

    time_left  milliseconds until Lambda ends the function
    reserve    milliseconds at the end in which no write starts
    """

    def __init__(
        self, client: DynamoDBClient, name: str, time_left: Callable[[], int], reserve: int
    ) -> None:
        self._client = client
        self._name = name
        self._time_left = time_left
        self._reserve = reserve
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Make the writes that wait for a retry raise StoreUnfinished."""
        self._stopped.set()

    @property
    def time_is_short(self) -> bool:
        """Whether only the reserve is left."""
        return self._time_left() < self._reserve

    def put(self, item: Item) -> bool:
        """Write the item; returns false where the existing item has precedence.

        Where the table throttles, it retries with exponential backoff and jitter. Raises
        StoreUnfinished where time runs out; the item may or may not be written then.
        """
        max_wait = _FIRST_WAIT
        while True:
            try:
                self._client.put_item(
                    TableName=self._name,
                    Item=item,
                    ConditionExpression=_CONDITION,
                    ExpressionAttributeValues={f":{name}": item[name] for name in _COMPARED},
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    return False
                if code not in _THROTTLED:
                    raise
                wait = random.uniform(0, max_wait)  # noqa: S311
                if self.time_is_short or self._stopped.wait(wait):
                    raise StoreUnfinished(f"{self._name} throttled until time ran out") from error
                max_wait = min(2 * max_wait, _MAX_WAIT)
            else:
                return True
