"""Publish how the run of a market ended, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.announce.messages import Announce, message, sentence, subject
from lambdas.shared import clients
from lambdas.shared.events import parse
from lambdas.shared.logs import logger, observed, publish
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class Settings(BaseModel):
    """What the function's environment says."""

    topic_arn: str = Field(alias="ORDERGAP_TOPIC_ARN", description="topic that tells the outcome")


@observed
def handle(event: object, _context: LambdaContext) -> dict[str, object]:
    """See `announce`."""
    told = parse(Announce, event)
    message_id = announce(told, from_environment(Settings), clients.sns())
    failed = told.status == "FAILED"
    publish(told.market or "all", RunsSucceeded=not failed, RunsFailed=failed)
    said = sentence(told)
    logger().info(said)
    return {"message_id": message_id, "sentence": said}


def announce(told: Announce, settings: Settings, sns: SNSClient) -> str:
    """Publish the sentence and the event; the message's id.

    Subscribers can filter by the attributes `status` and `market`.
    """
    attributes = {"status": told.status} | ({"market": told.market} if told.market else {})
    typed: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
    }
    published = sns.publish(
        TopicArn=settings.topic_arn,
        Subject=subject(told),
        Message=message(told),
        MessageStructure="json",
        MessageAttributes=typed,
    )
    return published["MessageId"]
