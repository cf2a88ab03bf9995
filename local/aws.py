"""An emulated AWS, with a client for each service that is used here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

ACCOUNT = "123456789012"
REGION = "us-east-1"
CREDENTIALS = {  # the emulator requires some and accepts any
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass(frozen=True)
class Aws:
    """An AWS at `endpoint`; what runs in it has its files and logs in `folder`."""

    endpoint: str
    folder: Path

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session("local", "local", region_name=REGION)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """The client for CloudFormation."""
        return self._session.client("cloudformation", endpoint_url=self.endpoint)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The client for DynamoDB."""
        return self._session.client("dynamodb", endpoint_url=self.endpoint)

    @cached_property
    def s3(self) -> S3Client:
        """The client for S3."""
        return self._session.client("s3", endpoint_url=self.endpoint)

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """The client for SageMaker."""
        return self._session.client("sagemaker", endpoint_url=self.endpoint)

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """The client for Secrets Manager."""
        return self._session.client("secretsmanager", endpoint_url=self.endpoint)

    @cached_property
    def sns(self) -> SNSClient:
        """The client for SNS."""
        return self._session.client("sns", endpoint_url=self.endpoint)

    @cached_property
    def states(self) -> SFNClient:
        """The client for Step Functions."""
        return self._session.client("stepfunctions", endpoint_url=self.endpoint)
