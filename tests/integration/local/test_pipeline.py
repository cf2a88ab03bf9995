"""The pipeline from the database to the table, without faults."""

from __future__ import annotations

import datetime

import pytest

from local.due import due, due_next, week_of
from tests.integration.local.conftest import AS_OF, Pipeline
from tests.shop import refill_shop, shop

pytestmark = pytest.mark.xdist_group("embedded-aws")


def test_two_markets_are_stored_with_the_forecasts_of_predict(pipeline: Pipeline):
    uk, france = (pipeline.open_shop(refill_shop(seed=seed)) for seed in (1, 2))
    ended = pipeline.run(uk, france, trainer="xgboost", hyperparameters={"num_round": "40"})
    assert ended.status == "SUCCEEDED", ended.causes
    assert ended.markets.keys() == {uk.name, france.name}
    for market in (uk, france):
        predicted = market.assert_stored_as_predicted(ended)
        counts = ended.markets[market.name]["counts"]
        assert counts["extracted"] == counts["scored"] == counts["written"] == len(predicted) > 250
        assert counts["superseded"] == counts["rejected"] == 0
        [message] = (message for message in ended.announced if message["market"] == market.name)
        assert message["status"] == "SUCCEEDED"
        assert message["counts"]["written"] == len(predicted)
        assert message["verdict"]["promoted"]
    assert uk.stored().keys() & france.stored().keys(), "the same ids in both, kept apart"


def test_the_index_holds_the_customers_due_in_a_week(pipeline: Pipeline):
    market = pipeline.open_shop(shop(120, seed=3))
    ended = pipeline.run(market)
    assert ended.status == "SUCCEEDED", ended.causes
    predicted = market.predicted(ended)
    week = week_of(AS_OF + datetime.timedelta(days=7))
    expected = {
        customer
        for customer, record in predicted.items()
        if record["next_order_date"]
        and record["status"] != "lapsed"
        and week_of(datetime.date.fromisoformat(record["next_order_date"])) == week
    }
    table, dynamodb = pipeline.deployment.table, pipeline.aws.dynamodb
    items = due(dynamodb, table, market.name, week)
    assert {item["customer_id"]["S"] for item in items} == expected
    assert len(expected) > 1
    following = [
        item["next_order_date"]["S"] for item in due_next(dynamodb, table, market.name, AS_OF)
    ]
    assert following == sorted(
        record["next_order_date"]
        for record in predicted.values()
        if record["next_order_date"] and record["status"] != "lapsed"
    )


def test_a_file_that_arrives_starts_the_pipeline(pipeline: Pipeline):
    bucket = pipeline.deployment.bucket
    for key in ("elsewhere/orders.csv", "incoming/orders.csv"):
        pipeline.aws.s3.put_object(Bucket=bucket, Key=key, Body=b"")
    executions = pipeline.aws.states.list_executions(stateMachineArn=pipeline.deployment.pipeline)[
        "executions"
    ]
    [arn] = (execution["executionArn"] for execution in executions)
    pipeline.wait_for(arn, "ExtractOrders")
    pipeline.aws.states.stop_execution(executionArn=arn)
    assert pipeline.aws.states.describe_execution(executionArn=arn)["input"] == "{}"
