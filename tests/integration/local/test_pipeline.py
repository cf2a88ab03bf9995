"""The pipeline from the database to the table, without faults."""

from __future__ import annotations

import datetime
import json
import threading
import time
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from moto.events.models import events_backends
from ordergap import ingest
from ordergap.contract.orders import Columns

from local import leads as made_up
from local.aws import ACCOUNT, REGION
from local.lambda_runtime import Function, Result
from local.lists import BY_PROBABILITY, BY_RISK, BY_VALUE, Forecasts, week_of
from tests.integration.local.conftest import AS_OF, SECONDS, Pipeline
from tests.shop import refill_shop, shop

STOP = ("AnnounceStop", "Stopped")
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
    market = pipeline.open_shop(shop(95, seed=3))  # value is answered whatever it lost to
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
    value = {
        customer: record["expected_value"]["7"]
        for customer, record in predicted.items()
        if record["status"] != "lapsed" and record["expected_value"]["7"]
    }
    worth = {row["customer_id"]: row["soon_value"] for row in forecasts.ranked(BY_VALUE)}
    assert worth == value
    assert [*worth.values()] == sorted(value.values(), reverse=True)
    assert len(worth) > 50


def test_attributes_of_customers_reach_the_training_job_and_the_records(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=4))
    customers = market.orders()["CustomerID"].unique().sort()
    facts = pl.DataFrame({"id": customers, "region": ["north", "south"] * (len(customers) // 2)})
    pipeline.database.load(f"people_{market.name}", facts)
    market.settings["customers_query"] = (
        f'SELECT id AS customer_id, region FROM "people_{market.name}"'  # noqa: S608
    )
    ended = pipeline.run(market)
    assert ended.status == "SUCCEEDED", ended.causes
    [job] = pipeline.jobs(market)
    assert [each["ChannelName"] for each in job["InputDataConfig"]] == ["training", "customers"]
    market.assert_stored_as_predicted(ended)
    part = pipeline.read(ended, market.name, "score/part-00000.jsonl").splitlines()
    regions = {each["customer_id"]: each["attributes"]["region"] for each in map(json.loads, part)}
    assert regions == dict(facts.rows())


def test_leads_are_trained_on_scored_and_stored_until_they_order(
    pipeline: Pipeline, tmp_path: Path
):
    truth = made_up.write(tmp_path, 800, seed=3)
    orders = ingest.read(tmp_path / "orders.csv", Columns(amount_column="Amount")).histories
    market = pipeline.open_shop(orders)
    for name in ("leads", "events"):
        rows = pl.read_csv(tmp_path / f"{name}.csv", infer_schema=False)
        pipeline.database.load(f"{name}_{market.name}", rows)
    market.settings |= {
        "leads_query": f'SELECT lead_id, first_seen, source FROM "leads_{market.name}"',  # noqa: S608
        "lead_events_query": f'SELECT * FROM "events_{market.name}"',  # noqa: S608
    }
    last = made_up.FIRST_DAY + datetime.timedelta(made_up.DAYS - 1)
    ended = pipeline.run(market, as_of=str(last))
    assert ended.status == "SUCCEEDED", ended.causes
    [job] = pipeline.jobs(market)
    assert [each["ChannelName"] for each in job["InputDataConfig"]] == ["training", "leads"]
    waiting = {f"L{i}".lower() for i in np.flatnonzero(truth.order >= made_up.DAYS)}
    stored = market.stored()
    leads = {who: item for who, item in stored.items() if "first_order_probability" in item}
    assert {who.lower() for who in leads} == waiting
    assert stored.keys() - leads.keys() == {*orders.customer_ids}
    assert {item["order_count"]["N"] for item in leads.values()} == {"0"}
    counts = ended.markets[market.name]["counts"]
    assert (counts["leads"], counts["rejected"]) == (len(leads), 0)
    assert counts["extracted"] == counts["written"] == len(stored)


READY = "incoming/2024-12-30/_READY"


def executions(pipeline: Pipeline) -> list[str]:
    """The executions of the deployed state machine, the latest first."""
    listed = pipeline.aws.states.list_executions(stateMachineArn=pipeline.deployment.pipeline)
    return [each["executionArn"] for each in listed["executions"]]


def deliver(pipeline: Pipeline, version: str) -> None:
    """Deliver another event of a version of the object `READY`."""
    bucket = {"name": pipeline.deployment.bucket}
    event = {
        "id": str(uuid.uuid4()),
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": bucket, "object": {"key": READY, "version-id": version}},
    }
    for bus in events_backends[ACCOUNT][REGION].event_buses.values():
        for rule in bus.rules.values():
            rule.send_to_targets(event)  # type: ignore[arg-type]


def drift(pipeline: Pipeline, detail: dict[str, str]) -> str:
    """Put an event `Drift`, whose run waits for minutes; that run, with short waits."""
    events = pipeline.aws._session.client("events", endpoint_url=pipeline.aws.endpoint)
    before = executions(pipeline)
    for content in ({}, detail):  # without a market it starts nothing
        entry = {"Source": "ordergap", "DetailType": "Drift", "Detail": json.dumps(content)}
        events.put_events(Entries=[entry])
    [started, *rest] = executions(pipeline)
    assert rest == before
    states = pipeline.aws.states
    given = json.loads(states.describe_execution(executionArn=started)["input"])
    pipeline.wait_for(started, "BeginRun")  # the emulator cannot stop one before
    states.stop_execution(executionArn=started)
    asked = {"drift": detail["market"], "as_of": detail["as_of"], "event": given["event"]}
    assert given.items() >= asked.items()
    return pipeline.begin(**given)


def test_one_object_starts_one_run_and_none_beside_it(pipeline: Pipeline):
    aws, bucket = pipeline.aws, pipeline.deployment.bucket
    original, extracting = Function.invoke, threading.Event()
    before = executions(pipeline)

    def invoke(self: Function, payload: bytes) -> Result:
        if "extract" in self.name:
            extracting.wait(SECONDS)
        return original(self, payload)

    def refused(error: str, other: str, status: str = "FAILED") -> None:
        ended = pipeline.end(executions(pipeline)[0])
        assert ended.status == {"SUPERSEDED": "SUCCEEDED"}.get(status, status)
        states = ["Begin", "BeginRun", "BeginRunFailed", *STOP]
        if status == "SUPERSEDED":
            states = ["Begin", "BeginRun", "AnnounceSuperseded", "Superseded"]
        assert pipeline.states(ended.arn) == states
        [message] = ended.announced
        said = (message["status"], message["market"], message["error"])
        assert said == (status, None, error)
        assert f"run {other.rpartition(':')[2]}" in message["cause"]

    with patch.object(Function, "invoke", invoke):
        for number in range(100):
            aws.s3.put_object(Bucket=bucket, Key=f"incoming/orders-{number}.csv", Body=b"")
        aws.s3.put_object(Bucket=bucket, Key=f"{READY}/orders.csv", Body=b"")
        assert executions(pipeline) == before
        aws.s3.put_object(Bucket=bucket, Key=READY, Body=b"")
        first, *earlier = executions(pipeline)
        assert earlier == before
        pipeline.wait_for(first, "ExtractOrders")
        event = json.loads(aws.states.describe_execution(executionArn=first)["input"])["event"]
        deliver(pipeline, event)
        refused("AlreadyStarted", first)
        aws.s3.put_object(Bucket=bucket, Key=READY, Body=b"")
        refused("Superseded", first, "SUPERSEDED")
        other = pipeline.begin(markets=[{"name": "other"}])
        pipeline.wait_for(other, "ExtractOrders")
        pipeline.begin(
            machine=pipeline.deployment.pipeline, markets=[{"name": "third"}, {"name": "other"}]
        )
        refused("Superseded", other, "SUPERSEDED")
        waiting = drift(pipeline, {"market": "default", "as_of": "2011-12-09"})
        end = time.monotonic() + SECONDS
        while "MarketBusy" not in str(pipeline.events(waiting)):
            assert time.monotonic() < end
        assert pipeline.states(waiting) == ["Begin", "BeginRun"]
        extracting.set()
        for arn in (first, other, waiting):
            assert pipeline.end(arn).error == "MarketsFailed"  # there is no table `orders`
        assert pipeline.events(first)[-1]["timestamp"] < next(
            event["timestamp"]
            for event in pipeline.events(waiting)
            if event.get("stateEnteredEventDetails", {}).get("name") == "ExtractOrders"
        )
        deliver(pipeline, event)
        refused("AlreadyStarted", first)
        deliver(pipeline, "another version")
        assert pipeline.end(executions(pipeline)[0]).error == "MarketsFailed"


def test_a_young_champion_scores_and_a_broken_feed_costs_no_job(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=6))
    first = pipeline.run(market)
    assert first.status == "SUCCEEDED", first.causes
    champion = first.markets[market.name]["model_version"]

    next_day = str(AS_OF + datetime.timedelta(days=1))
    second = pipeline.run(market, as_of=next_day)
    assert second.status == "SUCCEEDED", second.causes
    told = second.markets[market.name]
    assert (told["trained"], told["model_version"]) == (False, champion)
    [message] = second.announced
    assert "Not trained: the champion is 1 days old" in message["sentence"]
    stored = market.stored().values()
    assert {(item["as_of"]["S"], item["run_id"]["S"]) for item in stored} == {
        (next_day, second.run_id)
    }

    def refused(sentence: str, **inputs: Any) -> None:
        ended = pipeline.run(market, **{"as_of": next_day, "train": True, **inputs})
        assert f"{market.name} failed at JudgeFeed: FeedBroken" in ended.cause
        [message] = ended.announced
        assert sentence in message["cause"]

    refused("no order for 30 days", as_of=str(AS_OF + datetime.timedelta(days=30)))
    orders = market.orders()
    dearer = orders.with_columns(pl.col("UnitPrice") * 1.3)
    pipeline.database.load(market.name, dearer)
    refused("changed by 30.0%")
    assert len(pipeline.jobs(market)) == 1
    accepted = pipeline.run(market, as_of=next_day, accept_past=True)
    assert accepted.status == "SUCCEEDED", accepted.causes
    assert len(pipeline.jobs(market)) == 1
    assert {item["run_id"]["S"] for item in market.stored().values()} == {accepted.run_id}
