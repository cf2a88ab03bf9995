"""AWS clients, created on first use and kept for the life of the process."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient


class Events(Protocol):
    """The part of EventBridge's client that is used."""

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 - AWS's
        """Send events; the answer counts those that were not taken."""
        ...


@functools.cache
def events() -> Events:
    """EventBridge."""
    client: Events = boto3.client("events")
    return client


@functools.cache
def s3() -> S3Client:
    """Simple Storage Service."""
    return boto3.client("s3")


@functools.cache
def sagemaker() -> SageMakerClient:
    """SageMaker, for its model registry."""
    return boto3.client("sagemaker")


@functools.cache
def secrets() -> SecretsManagerClient:
    """Secrets Manager."""
    return boto3.client("secretsmanager")


@functools.cache
def sns() -> SNSClient:
    """Simple Notification Service."""
    return boto3.client("sns")


@functools.cache
def stepfunctions() -> SFNClient:
    """Step Functions."""
    return boto3.client("stepfunctions")
