"""AWS clients, created on first use and kept for the life of the process."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient


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
