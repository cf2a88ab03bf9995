"""Lambda: announce the outcome of a run, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.announce.messages import RUNBOOK, Announce, message, sentence, subject
from lambdas.shared import clients
from lambdas.shared.entry import entry_point
from lambdas.shared.logs import logger, publish
from lambdas.shared.settings import from_environment

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class Settings(BaseModel):
    """The function's environment."""

    topic_arn: str = Field(alias="ORDERGAP_TOPIC_ARN", description="topic of the announcements")
    runbook: str = Field(
        RUNBOOK, alias="ORDERGAP_RUNBOOK", description="where readers find docs/operations.md"
    )


@entry_point(Announce)
def handle(outcome: Announce, _context: LambdaContext) -> dict[str, object]:
    """See `announce`."""
    message_id = announce(outcome, from_environment(Settings), clients.sns())
    if outcome.status in {"SUCCEEDED", "FAILED"}:
        failed = outcome.status == "FAILED"
        unjudged = bool(outcome.follow and outcome.follow.cause)
        publish(
            outcome.market or "all",
            RunsSucceeded=not failed,
            RunsFailed=failed,
            ForecastsNotFollowed=unjudged,
        )
    text = sentence(outcome)
    logger().info(text)
    return {"message_id": message_id, "sentence": text}


def announce(outcome: Announce, settings: Settings, sns: SNSClient) -> str:
    """Publish the outcome; returns the message's id.

    Subscribers can filter by the attributes `status` and `market`.
    """
    attributes = {"status": outcome.status} | ({"market": outcome.market} if outcome.market else {})
    typed: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
    }
    published = sns.publish(
        TopicArn=settings.topic_arn,
        Subject=subject(outcome),
        Message=message(outcome, settings.runbook),
        MessageStructure="json",
        MessageAttributes=typed,
    )
    return published["MessageId"]
