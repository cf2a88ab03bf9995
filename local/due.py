"""The customers due in a week, from the index `by_week` of the table."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

INDEX = "by_week"
BUCKETS = 8
"""The template's default of WeekBuckets, the keys over which a week's customers are spread."""
LOOK_AHEAD_WEEKS = 54  # forecasts end a year ahead

Item = dict[str, "AttributeValueTypeDef"]


def week_of(day: datetime.date) -> str:
    """The ISO week of a day.

    >>> week_of(datetime.date(2011, 12, 12))
    '2011-W50'
    """
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def due(
    dynamodb: DynamoDBClient, table: str, market: str, week: str, buckets: int = BUCKETS
) -> list[Item]:
    """The customers of the market who are due in the week and not lapsed, the earliest first."""

    def query(bucket: int) -> list[Item]:
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            IndexName=INDEX,
            KeyConditionExpression="week_bucket = :key",
            ExpressionAttributeValues={":key": {"S": f"{market}#{week}#{bucket}"}},
        )
        return [item for page in pages for item in page["Items"]]

    with ThreadPoolExecutor(4) as threads:
        items = itertools.chain.from_iterable(threads.map(query, range(buckets)))
        waiting = [item for item in items if item["status"]["S"] != "lapsed"]
    return sorted(waiting, key=_earliest)


def due_next(
    dynamodb: DynamoDBClient, table: str, market: str, since: datetime.date
) -> Iterator[Item]:
    """The customers due in the week of the day `since` and later, the earliest first."""
    for week in range(LOOK_AHEAD_WEEKS):
        day = since + datetime.timedelta(weeks=week)
        yield from due(dynamodb, table, market, week_of(day))


def _earliest(item: Item) -> tuple[str, ...]:
    names = ("next_order_date", "next_order_date_high", "customer_id")
    return tuple(item.get(name, {"S": "~"})["S"] for name in names)
