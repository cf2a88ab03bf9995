"""The pipeline from the database to the table, without faults."""

from __future__ import annotations

import datetime

import pytest

from local.lists import BY_PROBABILITY, BY_RISK, Forecasts, week_of
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


def test_the_indexes_hold_the_lists_that_follow_from_the_forecasts(pipeline: Pipeline):
    market = pipeline.open_shop(shop(120, seed=3))
    ended = pipeline.run(market)
    assert ended.status == "SUCCEEDED", ended.causes
    predicted = market.predicted(ended)
    week = week_of(AS_OF + datetime.timedelta(days=7))
    dated = {
        customer
        for customer, record in predicted.items()
        if record["next_order_date"]
        and record["status"] != "lapsed"
        and week_of(datetime.date.fromisoformat(record["next_order_date"])) == week
    }
    forecasts = Forecasts(pipeline.aws.dynamodb, pipeline.deployment.table, market.name)
    assert {row["customer_id"] for row in forecasts.dated(week)} == dated
    assert len(dated) > 1
    likely = [row["buy_probability"]["7"] for row in forecasts.ranked(BY_PROBABILITY, page=50)]
    waiting = [record for record in predicted.values() if record["status"] != "lapsed"]
    assert likely == sorted((r["buy_probability"]["7"] for r in waiting), reverse=True)
    assert len(likely) > 50
    risk = {
        customer: round(record["usual_amount"] * 365 / record["typical_gap_days"], 2)
        for customer, record in predicted.items()
        if record["status"] == "overdue" and record["order_count"] > 1
    }
    rows = {r["customer_id"]: r["yearly_revenue_at_risk"] for r in forecasts.ranked(BY_RISK)}
    assert rows == risk
    assert [*rows.values()] == sorted(risk.values(), reverse=True)
    assert len(rows) > 1


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
