"""The customer's item in the table of forecasts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@functools.cache
def dynamodb() -> DynamoDBClient:
    """A client that waits where the table is throttled."""
    patient = Config(retries={"mode": "standard", "total_max_attempts": 8})
    return boto3.client("dynamodb", config=patient)


def delete(client: DynamoDBClient, table: str, market: str, customer_id: str) -> int:
    """Delete the item, and with it the entries of the indexes; returns how many there were."""
    key = {"customer_id": {"S": customer_id}, "market": {"S": market}}
    answer = client.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")
    return int("Attributes" in answer)
