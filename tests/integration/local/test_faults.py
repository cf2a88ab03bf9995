"""Faults: no customer is lost, nothing is written twice, and the failure is announced.

Faults come from outside: the emulator's table throttles, a function's process fails, a container
hangs. State machine, template and functions are the real ones.

See docs/decisions/testing.md#a-fault-test-changes-waiting-times-and-nothing-else.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend
from ordergap.histories import Histories, day_of

from infra.package import functions
from local import transform
from local.jobs import JobFailed
from local.lambda_runtime import Function, Result
from local.ports import free_port
from local.runners import IMAGE, NO_IMAGE, ROOT, Container, Launch, Process
from tests.integration.local.conftest import AS_OF, Ended, Pipeline, Shop
from tests.shop import refill_shop, shop

pytestmark = pytest.mark.xdist_group("embedded-aws")


def one_order_each(customers: int = 40) -> Histories:
    """Customers with one order each."""
    one = np.ones(customers)
    return Histories.from_orders(
        [f"c{i:04}" for i in range(customers)],
        np.arange(customers),
        np.arange(customers, dtype=np.int32) + day_of(AS_OF) - customers,
        20 * one,
        one,
        one,
    )


def assert_failure_announced(ended: Ended, shop: Shop, state: str, error: str, cause: str) -> None:
    """The one announcement for the market names the state, the error and the cause."""
    [message] = (message for message in ended.announced if message["market"] == shop.name)
    assert (message["status"], message["state"], message["error"]) == ("FAILED", state, error)
    assert cause in message["cause"]
    assert message["sentence"].startswith(f"{shop.name}: run {ended.run_id} failed in {state}")


def assert_all_written(ended: Ended, shop: Shop) -> None:
    """The run succeeded, and every customer was written once."""
    assert ended.status == "SUCCEEDED", ended.causes
    predicted = shop.assert_stored_as_predicted(ended)
    counts = ended.markets[shop.name]["counts"]
    assert counts["extracted"] == counts["scored"] == counts["written"] == len(predicted)
    assert [message["status"] for message in ended.announced] == ["SUCCEEDED"]


@contextmanager
def containers(start: Callable[[str, Callable[[], Container]], Container]) -> Iterator[None]:
    """While the context lasts, `start` starts containers, from the command and the real start."""
    original = Process.start

    def instead(self: Process, launch: Launch) -> Container:
        return start(launch.command, lambda: original(self, launch))

    with patch.object(Process, "start", instead):
        yield


def hang() -> Container:
    """A container that neither responds nor ends."""
    process = subprocess.Popen(["sleep", "1000"])
    return Container(process, process.kill)


@contextmanager
def puts(refuse: Callable[[int], bool]) -> Iterator[list[int]]:
    """While the context lasts, throttle the n-th write where `refuse(n)`, and count the others."""
    original, lock, tried, writes = DynamoDBBackend.put_item, threading.Lock(), [0], [0]

    def put_item(self: DynamoDBBackend, *arguments: Any, **named: Any) -> Any:
        with lock:
            tried[0] += 1
            if refuse(tried[0]):
                raise JsonRESTError("ProvisionedThroughputExceededException", "slow down")
            written = original(self, *arguments, **named)
            writes[0] += 1
            return written

    with patch.object(DynamoDBBackend, "put_item", put_item):
        yield writes


def never(_: int) -> bool:
    """Throttle nothing."""
    return False


def alive(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


def test_a_training_failure_is_announced_with_its_reason(pipeline: Pipeline):
    market = pipeline.open_shop(one_order_each())
    ended = pipeline.run(market)
    assert (ended.status, ended.error) == ("FAILED", "MarketsFailed")
    assert_failure_announced(
        ended, market, "Train", "States.TaskFailed", "none of the 40 customers has two orders"
    )
    assert market.stored() == {}


def test_a_missing_image_is_announced(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60))
    missing = IMAGE.replace(":latest", ":never-pushed")
    ended = pipeline.run(market, machine=pipeline.machine(image=missing))
    assert ended.status == "FAILED"
    assert_failure_announced(ended, market, "Train", "States.TaskFailed", NO_IMAGE)


def test_jobs_wait_for_an_instance_and_for_sagemaker(pipeline: Pipeline):
    market = pipeline.open_shop(shop(80, seed=13))
    reasons = [
        "CapacityError: Unable to provision requested ML compute capacity.",
        "InternalServerError: We encountered an internal error. Please try again.",
    ]
    failed = Counter[str]()

    def start(command: str, original: Callable[[], Container]) -> Container:
        failed[command] += 1
        if failed[command] <= len(reasons):
            raise JobFailed(reasons[failed[command] - 1])
        return original()

    with containers(start):
        ended = pipeline.run(market)
    assert failed == {"train": 3, "serve": 3}
    assert ended.status == "SUCCEEDED", ended.causes
    market.assert_stored_as_predicted(ended)
    train, score, stored = ended.announced
    assert [(each["status"], each["state"]) for each in (train, score)] == [
        ("WAITING", "Train"),
        ("WAITING", "ScoreCustomers"),
    ]
    assert train["cause"] == score["cause"] == reasons[0]
    assert stored["status"] == "SUCCEEDED"


def test_every_function_may_fail_once(pipeline: Pipeline):
    market = pipeline.open_shop(shop(80, seed=1))
    original, failed = Function.invoke, set[str]()

    def invoke(self: Function, payload: bytes) -> Result:
        if self.name not in failed:
            failed.add(self.name)
            return Result.error("Unavailable", "An error occurred (ThrottlingException)")
        return original(self, payload)

    with patch.object(Function, "invoke", invoke):
        ended = pipeline.run(market, follow=True)
    in_runs = {*functions(ROOT)} - {"forget_customer"}  # which people call
    assert failed == {f"ordergap-{each.replace('_', '-')}" for each in in_runs}
    assert_all_written(ended, market)


def test_a_function_that_dies_in_the_middle_of_its_work_is_retried(pipeline: Pipeline):
    market = pipeline.open_shop(shop(80, seed=2))
    original = Function.invoke
    killed: list[threading.Thread] = []

    def invoke(self: Function, payload: bytes) -> Result:
        if "store" in self.name and not killed:

            def kill() -> None:
                while writes[0] < 20:
                    time.sleep(0.001)
                for instance in self.all:
                    instance.process.kill()

            killed.append(threading.Thread(target=kill))
            killed[0].start()
            answer = original(self, payload)
            assert json.loads(answer.payload)["errorType"] == "Runtime.ExitError"
            return Result.error("Sandbox.Timedout", "the machine went away")
        return original(self, payload)

    with puts(never) as writes, patch.object(Function, "invoke", invoke):
        ended = pipeline.run(market)
    assert killed
    assert_all_written(ended, market)


def test_throttled_writes_are_retried(pipeline: Pipeline):
    market = pipeline.open_shop(shop(80, seed=3))
    with puts(lambda n: n % 3 == 0) as writes:
        ended = pipeline.run(market)
    assert_all_written(ended, market)
    assert writes[0] == len(market.stored())


def test_a_transform_that_takes_too_long_is_stopped(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=4))
    hanging: list[Container] = []

    def start(command: str, original: Callable[[], Container]) -> Container:
        if command == "train":
            return original()
        hanging.append(hang())
        return hanging[-1]

    with containers(start):
        ended = pipeline.run(market, machine=pipeline.machine({"ScoreCustomers": 2}))
        assert_failure_announced(ended, market, "ScoreCustomers", "States.Timeout", "")
        deadline = time.monotonic() + 10
        while alive(hanging[0].process):
            assert time.monotonic() < deadline, "the job was not stopped"
            time.sleep(0.05)
    jobs = pipeline.aws.sagemaker.list_transform_jobs()["TransformJobSummaries"]
    job: Any
    [job] = (job for job in jobs if market.name + "-" in job["TransformJobName"])
    deadline = time.monotonic() + 10
    while job["TransformJobStatus"] == "Stopping":
        assert time.monotonic() < deadline
        job = pipeline.aws.sagemaker.describe_transform_job(
            TransformJobName=job["TransformJobName"]
        )
    assert job["TransformJobStatus"] == "Stopped"
    assert market.stored() == {}


def test_one_bad_line_is_rejected_and_the_rest_is_stored(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=5))
    original, spoilt = transform._Sender.__call__, []

    def send(self: Any, body: bytes) -> bytes:
        first, *rest = original(self, body).splitlines(keepends=True)
        spoilt.append(json.loads(first)["customer_id"])
        return b"".join([b'{"customer_id": 17, "as_of"\n', *rest])

    with patch.object(transform._Sender, "__call__", send):
        ended = pipeline.run(market)
    assert ended.status == "SUCCEEDED", ended.causes
    [bad] = spoilt
    predicted = market.assert_stored_as_predicted(ended, but=frozenset({bad}))
    counts = ended.markets[market.name]["counts"]
    assert counts["rejected"] == 1
    assert counts["written"] == counts["scored"] - 1 == len(predicted) - 1
    rejects = pipeline.read(ended, market.name, "rejects/part-00000.jsonl")
    [reject] = map(json.loads, rejects.splitlines())
    assert reject["line"] == 1
    assert reject["text"].startswith('{"customer_id": 17')
    [message] = ended.announced
    assert message["counts"]["rejected"] == 1


def test_a_line_that_is_lost_fails_the_run(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=6))
    original = transform._Sender.__call__

    def send(self: Any, body: bytes) -> bytes:
        return b"".join(original(self, body).splitlines(keepends=True)[1:])

    with patch.object(transform._Sender, "__call__", send):
        ended = pipeline.run(market)
    assert_failure_announced(ended, market, "Reconcile", "RowsLost", "")


def test_the_same_execution_started_twice_runs_once(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=7))
    with puts(never) as writes:
        first, second = (pipeline.begin(market, name="nightly-7") for _ in range(2))
        assert first == second
        ended = pipeline.end(first)
    assert_all_written(ended, market)
    assert writes[0] == len(market.stored())
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        pipeline.begin(market, name="nightly-7", as_of="2024-12-01")


def test_a_run_stopped_while_it_trains_stops_the_job_and_can_be_started_again(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=8))
    hanging: list[Container] = []

    def start(command: str, original: Callable[[], Container]) -> Container:
        hanging.append(hang())
        return hanging[-1]

    with containers(start):
        arn = pipeline.begin(market)
        while not hanging:
            time.sleep(0.05)
        pipeline.aws.states.stop_execution(executionArn=arn)
        assert pipeline.end(arn).status == "ABORTED"
        hanging[0].process.wait(10)
    assert market.stored() == {}
    assert_all_written(pipeline.run(market), market)


def test_a_run_stopped_while_it_stores_can_be_started_again(pipeline: Pipeline):
    market = pipeline.open_shop(shop(80, seed=9))

    def slow(n: int) -> bool:
        time.sleep(0.02)
        return False

    with puts(slow) as writes:
        arn = pipeline.begin(market)
        while writes[0] < 20:
            time.sleep(0.01)
        pipeline.aws.states.stop_execution(executionArn=arn)
        assert pipeline.end(arn).status == "ABORTED"
    assert len(market.stored()) >= 20
    assert_all_written(pipeline.run(market), market)


def test_a_market_that_fails_does_not_stop_another(pipeline: Pipeline):
    good, bad = pipeline.open_shop(shop(80, seed=10)), pipeline.open_shop(one_order_each())
    ended = pipeline.run(bad, good)
    assert (ended.status, ended.error) == ("FAILED", "MarketsFailed")
    assert f"{bad.name} failed at Train: States.TaskFailed" in ended.cause
    assert f"{good.name} succeeded" in ended.cause
    good.assert_stored_as_predicted(ended)
    assert bad.stored() == {}
    assert_failure_announced(
        ended, bad, "Train", "States.TaskFailed", "none of the 40 customers has two orders"
    )
    [message] = (message for message in ended.announced if message["market"] == good.name)
    assert message["status"] == "SUCCEEDED"


def test_a_database_that_is_down_is_retried_and_announced(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=11))
    url = f"postgresql+pg8000://shop@127.0.0.1:{free_port()}/shop"
    name = f"down-{market.name}"
    pipeline.aws.secrets.create_secret(Name=name, SecretString=json.dumps({"url": url}))
    market.settings["secret_id"] = name
    ended = pipeline.run(market, machine=pipeline.machine(attempts=2))
    assert_failure_announced(ended, market, "ExtractOrders", "SourceUnreachable", "127.0.0.1")
    failed = [event for event in pipeline.events(ended.arn) if event["type"] == "TaskFailed"]
    assert len(failed) == 3
    assert market.stored() == {}


def test_a_rejected_model_leaves_the_champion_in_use(pipeline: Pipeline):
    market = pipeline.open_shop(refill_shop())
    first = pipeline.run(market, trainer="xgboost", hyperparameters={"num_round": "40"})
    assert first.status == "SUCCEEDED", first.causes
    champion = first.markets[market.name]["model_version"]
    ended = pipeline.run(market, trainer="naive")
    assert_all_written(ended, market)
    verdict = ended.announced[0]["verdict"]
    assert (verdict["promoted"], verdict["model_version"]) == (False, champion)
    assert "worse than the champion" in verdict["reason"]
    assert {item["model_version"]["S"] for item in market.stored().values()} == {champion}


def test_an_older_run_does_not_overwrite_a_newer_one(pipeline: Pipeline):
    market = pipeline.open_shop(shop(60, seed=12))
    newer = pipeline.run(market)
    older = pipeline.run(market, as_of="2024-12-01")
    counts = older.markets[market.name]["counts"]
    assert (counts["written"], counts["superseded"]) == (0, counts["scored"])
    market.assert_stored_as_predicted(newer)


def test_an_invalid_input_is_rejected_and_announced(pipeline: Pipeline):
    ended = pipeline.run(pipeline.open_shop(shop(20)), trainer="crystal-ball")
    assert ended.status == "FAILED"
    [message] = ended.announced
    assert (message["market"], message["state"]) == (None, "BeginRun")
    assert "xgboost, lstm, random-forest, naive" in message["cause"]
