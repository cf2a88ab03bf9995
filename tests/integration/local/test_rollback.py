"""A rollback on the laptop's AWS: it holds until it is released, and says only what it has read."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from infra import rollback
from infra.lineage import lineage
from infra.registered import Refused, Stack, connect
from infra.rollback import release, roll_back
from local.aws import REGION
from local.deployment import STACK
from local.lambda_runtime import Function, Result
from local.storage import split_uri
from tests.integration.local.conftest import AS_OF, SECONDS, Pipeline, Shop
from tests.shop import shop

pytestmark = pytest.mark.xdist_group("embedded-aws")


@pytest.fixture
def stack(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Stack:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    return connect(STACK, REGION, pipeline.aws.endpoint)


def test_a_rollback_holds_for_two_nights_and_ends_when_it_is_released(
    pipeline: Pipeline, stack: Stack, capsys: pytest.CaptureFixture[str]
):
    market = pipeline.open_shop(shop(60, seed=21))

    def night(days: int, **asked: Any) -> str:
        """The model of a night, which trains another one than the nights before, if it trains."""
        inputs = {
            "as_of": str(AS_OF + datetime.timedelta(days=days)),
            "hyperparameters": {"outlier_contamination": "0", "seed": str(days)},
            "accept_quiet": True,
        }
        ended = pipeline.run(market, machine=pipeline.deployment.pipeline, **inputs, **asked)
        assert ended.status == "SUCCEEDED", ended.causes
        return str(ended.markets[market.name]["model_version"])

    def named() -> set[tuple[str, str]]:
        stored = market.stored().values()
        return {(item["as_of"]["S"], item["model_version"]["S"]) for item in stored}

    old, new = night(0), night(1, train=True)
    assert old != new, pipeline.announcements[-1]["sentence"]
    refused_without_change(pipeline, stack, market, named, new)

    # A run that ends well and writes nothing, as one that was superseded, is no rollback.
    with (
        patch.object(rollback, "_run", lambda *_: "SUCCEEDED"),
        pytest.raises(Refused, match=f"NOT rolled back whole.* name model {new}.*TO={old}"),
    ):
        roll_back(stack, market.name)
    with under_way(pipeline, "other"):
        said = roll_back(stack, market.name, seconds=0.1)
    day = str(AS_OF + datetime.timedelta(days=1))
    assert named() == {(day, old)}
    assert f"{market.name} is rolled back to {old} (package 1)" in said
    assert f"{len(market.stored()):,} rows as of {day} name model {old}." in said
    statuses = {p.version: p.status for p in stack.packages(market.name)}
    assert statuses == {old: "Approved", new: "Rejected"}

    assert "rolled back already, nothing was done" in roll_back(stack, market.name, seconds=0.1)
    assert "rolled back already" in roll_back(stack, market.name, "1", seconds=0.1)
    with pytest.raises(Refused, match="there is no model"):
        roll_back(stack, market.name, "0123456789ab")

    assert night(2) == night(3, train=True) == old
    [newest, *_] = stack.packages(market.name)
    assert newest.status == "Rejected"
    assert newest.reason.startswith("Promotion is held: rolled back on ")

    assert "promotion is released" in release(stack, market.name)
    where = ["--endpoint-url", pipeline.aws.endpoint, "--region", REGION, "--market", market.name]
    assert rollback.main([*where, "--release"]) == 0
    assert "promotion is not held" in capsys.readouterr().out
    assert rollback.main([*where, "--to", "0123456789ab"]) == 1
    assert "there is no model 0123456789ab; there are " in capsys.readouterr().err
    assert night(4, train=True) not in {old, new}

    customer, item = next(iter(market.stored().items()))
    chain = [*lineage(stack, customer, market.name)]
    found = dict(chain)
    assert [link for link, _ in chain] == [
        "customer", "run", "model", "package", "artifact", "training job", "image",
        "image digest", "data digest", "manifest",
    ]  # fmt: skip
    assert found["model"] == item["model_version"]["S"]
    assert item["run_id"]["S"] in found["run"]
    jobs = {job["TrainingJobName"] for job in pipeline.jobs(market)}
    assert found["training job"].partition(" ")[0] in jobs
    assert len(found["data digest"]) == 64
    assert stack.exists(found["manifest"])
    with pytest.raises(Refused, match="no forecast of customer nobody"):
        [*lineage(stack, "nobody", market.name)]


@contextmanager
def under_way(pipeline: Pipeline, market: str) -> Iterator[None]:
    """A run of the market that extracts while the context lasts, and then fails."""
    original, extracting = Function.invoke, threading.Event()

    def invoke(self: Function, payload: bytes) -> Result:
        if "extract" in self.name and json.loads(payload)["market"].get("table") == "missing":
            extracting.wait(SECONDS)
        return original(self, payload)

    with patch.object(Function, "invoke", invoke):
        arn = pipeline.begin(markets=[{"name": market, "table": "missing"}])
        pipeline.wait_for(arn, "ExtractOrders")
        try:
            yield
        finally:
            extracting.set()
            assert pipeline.end(arn).error == "MarketsFailed"


def refused_without_change(
    pipeline: Pipeline, stack: Stack, market: Shop, named: Any, champion: str
) -> None:
    """Rollbacks beside a run, and to a model that was deleted or never was."""
    before = named()
    with (
        under_way(pipeline, market.name),
        pytest.raises(Refused, match=f"of {market.name} is under way, nothing was changed"),
    ):
        roll_back(stack, market.name)

    [_, old] = stack.packages(market.name)
    bucket, key = split_uri(old.artifact)
    content = pipeline.aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    pipeline.aws.s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(Refused, match=f"model {old.version} was deleted"):
        roll_back(stack, market.name)
    pipeline.aws.s3.put_object(Bucket=bucket, Key=key, Body=content)

    with pytest.raises(Refused, match="there is no model"):
        roll_back(stack, market.name, "0123456789ab")
    with pytest.raises(Refused, match="is 'nowhere' the market"):
        roll_back(stack, "nowhere")
    assert named() == before
    assert stack.held(market.name) is None
    assert [p.status for p in stack.packages(market.name)] == ["Approved", "Approved"]
    assert stack.packages(market.name)[0].version == champion
