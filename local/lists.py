"""Lists of customers from the indexes of the table, and what a list is sorted by."""

from __future__ import annotations

import datetime
import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ordergap.contract.prediction import Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputPaginateTypeDef

BY_WEEK, BY_PROBABILITY = "by_week", "by_probability"
BY_RISK, BY_VALUE = "by_risk", "by_value"
BUCKETS = 8
"""The template's default of WeekBuckets, the keys over which a week's customers are spread."""
LARGEST_PAGE = 1000
"""Rows of a query; DynamoDB ends a page after 1 MB at the latest."""

Row = Mapping[str, Any]
"""A prediction, by the names of its fields."""


def week_of(day: datetime.date) -> str:
    """The ISO week of a day.

    >>> week_of(datetime.date(2011, 12, 12))
    '2011-W50'
    """
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


@dataclass(frozen=True)
class Forecasts:
    """A market's forecasts in the table.

    since  leaves out forecasts of an earlier day that were not renewed
    """

    dynamodb: DynamoDBClient
    table: str
    market: str
    since: datetime.date | None = None

    def ranked(self, index: str, page: int = LARGEST_PAGE) -> Iterator[Row]:
        """The customers in an index of the market, the highest first.

        index  `by_probability` and `by_value`, in which is none who lapsed, or `by_risk`

        page   rows that are read at once; the next page is read when it is asked for
        """
        return self._query(index, "market", self.market, page)

    def dated(self, week: str, buckets: int = BUCKETS) -> list[Row]:
        """The customers whose date is in the week and who are not lapsed, the earliest first."""

        def query(bucket: int) -> list[Row]:
            key = f"{self.market}#{week}#{bucket}"
            return list(self._query(BY_WEEK, "week_bucket", key, LARGEST_PAGE))

        with ThreadPoolExecutor(4) as threads:
            rows = itertools.chain.from_iterable(threads.map(query, range(buckets)))
            waiting = [row for row in rows if row["status"] != Status.LAPSED]
        return sorted(waiting, key=lambda row: (row["next_order_date"], row["customer_id"]))

    def _query(self, index: str, attribute: str, key: str, page: int) -> Iterator[Row]:
        query: QueryInputPaginateTypeDef = {
            "TableName": self.table,
            "IndexName": index,
            "KeyConditionExpression": f"{attribute} = :key",
            "ExpressionAttributeValues": {":key": {"S": key}},
            "ScanIndexForward": False,
            "PaginationConfig": {"PageSize": min(page, LARGEST_PAGE)},
        }
        if self.since:
            query["FilterExpression"] = "as_of >= :since"
            query["ExpressionAttributeValues"] = {
                ":key": {"S": key}, ":since": {"S": self.since.isoformat()},
            }  # fmt: skip
        for answer in self.dynamodb.get_paginator("query").paginate(**query):
            for item in answer["Items"]:
                yield {name: _value(value) for name, value in item.items()}


def _value(attribute: AttributeValueTypeDef) -> Any:
    [(kind, content)] = attribute.items()
    if kind == "M":
        return {name: _value(each) for name, each in attribute["M"].items()}
    return float(attribute["N"]) if kind == "N" else content


def horizons(row: Row) -> list[int]:
    """The days ahead for which there is a probability, rising."""
    return sorted(map(int, row["buy_probability"]))


def chance(row: Row, days: int) -> float:
    """The probability of an order within so many days; 0 where it was not forecast."""
    return float(row["buy_probability"].get(str(days), 0.0))


def worth(row: Row, days: int) -> float | None:
    """The probability times the usual amount; None where that is unknown."""
    usual = row.get("usual_amount")
    return None if usual is None else chance(row, days) * float(usual)


def value(row: Row, name: str, days: int) -> float | None:
    """A value within so many days, such as `value_high`; None where it was not forecast."""
    found = row.get(name, {}).get(str(days))
    return None if found is None else float(found)


def worth_most(rows: Iterable[Row], days: int, top: int) -> list[Row]:
    """The `top` rows of the highest expected value within so many days, the highest first.

    Left out is of whom it was not forecast, and who is expected to spend nothing.
    """
    valued = (row for row in rows if value(row, "expected_value", days))
    return heapq.nlargest(top, valued, key=lambda row: value(row, "expected_value", days) or 0.0)


def due(rows: Iterable[Row]) -> Iterator[Row]:
    """Those who are due."""
    return (row for row in rows if row["status"] == Status.DUE)


def contact_first(rows: Iterable[Row], days: int, top: int) -> list[Row]:
    """Of those who are due, the `top` rows of the highest worth, the highest first.

    Those whose worth is unknown come below the others, by probability.
    """

    def rank(row: Row) -> tuple[float, float]:
        known = worth(row, days)
        return -1.0 if known is None else known, chance(row, days)

    return heapq.nlargest(top, due(rows), key=rank)
