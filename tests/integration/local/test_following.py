"""Nights over the weeks in which forecasts come true or do not, with jobs and functions at work."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from ordergap.histories import Histories, day_of

from local.runners import Container, Launch, NoImage, Process
from tests.integration.local.conftest import AS_OF, Ended, Pipeline, Shop
from tests.shop import shop

FAST = {"outlier_contamination": "0", "value": "off", "large_orders": "off"}
pytestmark = pytest.mark.xdist_group("embedded-aws")


def exchanged(histories: Histories) -> Histories:
    """Until AS_OF as it was; then other customers come, and pay three times as much."""
    later = histories.day > day_of(AS_OF)
    other = np.random.default_rng(1).permutation(len(histories.customer_ids))
    owner = np.where(later, other[histories.customer], histories.customer)
    amount = np.where(later, 3, 1) * histories.amount
    ones = np.ones(len(histories))
    return Histories.from_orders(histories.customer_ids, owner, histories.day, amount, ones, ones)


@pytest.fixture
def events(pipeline: Pipeline) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Every event of Ordergap since the last call; they start no run meanwhile."""
    aws = pipeline.aws
    client = aws._session.client("events", endpoint_url=aws.endpoint)
    sqs = aws._session.client("sqs", endpoint_url=aws.endpoint)
    [rule] = (each["Name"] for each in client.list_rules()["Rules"] if "Drift" in each["Name"])
    client.disable_rule(Name=rule)
    queue = sqs.create_queue(QueueName="drift")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    client.put_rule(Name="listen", EventPattern=json.dumps({"source": ["ordergap"]}))
    client.put_targets(
        Rule="listen", Targets=[{"Id": "queue", "Arn": asked["Attributes"]["QueueArn"]}]
    )

    def received() -> list[dict[str, Any]]:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        for each in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in messages]

    yield received
    client.remove_targets(Rule="listen", Ids=["queue"])
    client.delete_rule(Name="listen")
    client.enable_rule(Name=rule)


def test_forecasts_that_were_wrong_make_the_next_night_train(
    pipeline: Pipeline, events: Callable[[], list[dict[str, Any]]]
) -> None:
    market = pipeline.open_shop(exchanged(shop(300, 420, seed=6)))

    def night(days: int, **asked: Any) -> tuple[Ended, dict[str, Any]]:
        as_of = (AS_OF + datetime.timedelta(days)).isoformat()
        asked = {"follow": None, "retrain_days": 400, "hyperparameters": FAST, **asked}
        ended = pipeline.run(market, as_of=as_of, **asked)
        assert ended.status == "SUCCEEDED", ended.causes
        return ended, ended.markets[market.name]

    ended, first = night(0)
    assert first["followed"].startswith("No forecast has passed yet; the first does on 2025-01-06.")
    assert names(pipeline, market) == [f"{AS_OF}_{ended.run_id}.parquet"]
    assert events() == []

    ended, graded = night(31)
    assert (graded["trained"], graded["report"]) == (False, page(pipeline, market))
    assert "ALARM (rank): forecasts no longer tell who orders" in graded["followed"]
    assert "ALARM (inputs): " in graded["followed"]
    [message] = ended.announced
    assert graded["followed"][:1000] in message["sentence"]
    assert message["follow"]["report"] == graded["report"]
    sent = events()
    assert sorted(each["detail"]["kind"] for each in sent) == ["inputs", "rank"]
    assert {each["detail-type"] for each in sent} == {"Drift"}
    assert {each["detail"]["market"] for each in sent} == {market.name}
    flags = read(pipeline, f"feeds/{market.name}/flags.json")
    assert flags["rank"].startswith("forecasts no longer tell")
    assert flags["ageing"] is None
    kept = names(pipeline, market)
    assert len(kept) == 2

    with patch.object(Process, "start", without_follow):
        ended, trained = night(32, follow=True)
    assert trained["trained"]
    assert flags["rank"] in trained["training"]
    assert trained["followed"].startswith("Forecasts were not held against the orders: ")
    assert NO_INSTANCE in ended.announced[0]["sentence"]
    assert names(pipeline, market) == kept

    s3, bucket = pipeline.aws.s3, pipeline.deployment.bucket
    prefix = f"cohorts/{market.name}/"
    cut = s3.get_object(Bucket=bucket, Key=f"{prefix}{kept[0]}")["Body"].read()[:1000]
    s3.put_object(Bucket=bucket, Key=f"{prefix}cut.parquet", Body=cut)
    _, shadowed = night(40, shadow=True)
    assert "cut.parquet" in shadowed["followed"]
    assert "The forecasts of challenger " in shadowed["followed"]
    assert [each[:10] for each in names(pipeline, market)].count("2025-02-08") == 2

    lasting = read(pipeline, f"feeds/{market.name}/flags.json")["findings"]["inputs"]
    assert lasting["since"] == flags["findings"]["inputs"]["since"]
    assert events() == [], "it was sent when it was found"

    night(47)
    followed = read(pipeline, f"cohorts/{market.name}/follow.json")
    [champion, challenger] = followed["cohorts"][-2:]
    assert (champion["role"], challenger["role"]) == ("champion", "challenger")
    assert champion["next_order"]["7"]["ageing"]["customers"] == champion["customers"] > 200
    assert champion["model_age_days"] != challenger["model_age_days"], "both manifests were kept"
    assert events() == []


NO_INSTANCE = "CapacityError: Unable to provision requested ML compute capacity."


def without_follow(runner: Process, launch: Launch) -> Container:
    """Fails as SageMaker does where no instance is free."""
    if launch.command == "follow":
        raise NoImage(NO_INSTANCE)
    return _start(runner, launch)


_start = Process.start


def names(pipeline: Pipeline, market: Shop) -> list[str]:
    """The files of cohorts."""
    prefix = f"cohorts/{market.name}/"
    listed = pipeline.aws.s3.list_objects_v2(Bucket=pipeline.deployment.bucket, Prefix=prefix)
    found = [each["Key"].removeprefix(prefix) for each in listed["Contents"]]
    return [each for each in found if each.endswith(".parquet")]


def read(pipeline: Pipeline, key: str) -> dict[str, Any]:
    answer = pipeline.aws.s3.get_object(Bucket=pipeline.deployment.bucket, Key=key)
    content: dict[str, Any] = json.loads(answer["Body"].read())
    return content


def page(pipeline: Pipeline, market: Shop) -> str:
    """Where the newest page is, which must be there."""
    key = f"cohorts/{market.name}/follow.html"
    answer = pipeline.aws.s3.get_object(Bucket=pipeline.deployment.bucket, Key=key)
    assert b"Was it right?" in answer["Body"].read()
    return f"s3://{pipeline.deployment.bucket}/{key}"
