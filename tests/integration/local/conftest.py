"""Template, state machine and zips in one emulated AWS, for all tests of a session."""

from __future__ import annotations

import datetime
import itertools
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ordergap.cli.main import main as ordergap
from ordergap.contract.orders import Columns
from ordergap.histories import Histories

from local import source
from local.aws import Aws
from local.deployment import Deployment, deploy
from local.embedded import start
from local.runners import IMAGE, ROOT, Process
from local.storage import split_uri
from tests.shop import OPENING, write_csv

AS_OF = OPENING + datetime.timedelta(days=364)
SECONDS = 120
SMALL = {"Shards": "2", "WriteConcurrency": "4", "StoreConcurrency": "2", "MarketConcurrency": "2"}


@pytest.fixture(scope="session")
def zips() -> None:
    """The Lambda zips, built where the checkout has changed."""
    built = subprocess.run(
        [sys.executable, "-m", "infra.package"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.fixture(scope="session")
def database() -> Iterator[source.Database]:
    with source.database() as server:
        yield server


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with start(tmp_path_factory.mktemp("aws"), Process(IMAGE)) as embedded:
        yield embedded


@pytest.fixture(scope="session")
def pipeline(zips: None, aws: Aws, database: source.Database) -> Pipeline:
    secret = aws.secrets.create_secret(Name="shop", SecretString=database.url)["ARN"]
    deployment = deploy(aws, secret, SMALL)
    sqs = aws._session.client("sqs", endpoint_url=aws.endpoint)
    queue = sqs.create_queue(QueueName="announcements")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    aws.sns.subscribe(
        TopicArn=deployment.topic,
        Protocol="sqs",
        Endpoint=attributes["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )

    def receive() -> Iterator[dict[str, Any]]:
        while messages := sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])

    return Pipeline(deployment, database, aws.folder, receive)


@dataclass
class Ended:
    """An execution that has ended, and its announcements."""

    arn: str
    status: str
    markets: dict[str, Any]
    error: str
    cause: str
    announced: list[dict[str, Any]]

    @property
    def causes(self) -> list[str]:
        """The causes, for the message of a failing test."""
        return [self.cause, *(message["sentence"] for message in self.announced)]

    @property
    def run_id(self) -> str:
        return self.arn.rpartition(":")[2]


@dataclass
class Pipeline:
    """The deployed pipeline and a shop's database for it."""

    deployment: Deployment
    database: source.Database
    folder: Path
    receive: Any
    machines: dict[str, str] = field(default_factory=dict)
    announcements: list[dict[str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def aws(self) -> Aws:
        return self.deployment.aws

    def open_shop(self, histories: Histories) -> Shop:
        """Create a market with its table of orders."""
        market = f"m{next(self.numbers)}"
        path = write_csv(histories, self.folder / f"{market}.csv")
        self.database.load(market, source.read(path, Columns()))
        return Shop(self, market, path)

    def machine(
        self, timeouts: Mapping[str, int] | None = None, image: str = IMAGE, attempts: int = 0
    ) -> str:
        """The state machine with other waits and image; returns its ARN.

        Waits between retries are a second; `timeouts` are of states; `attempts`, if set, is the
        number of retries of SourceUnreachable.
        """
        definition = json.loads(self.deployment.definition.replace(IMAGE, image))
        _shorten_waits(definition, timeouts or {}, attempts)
        text = json.dumps(definition)
        if text not in self.machines:
            self.machines[text] = self.deployment.create_state_machine(
                f"shortened-{len(self.machines)}", text
            )
        return self.machines[text]

    def begin(self, *shops: Shop, machine: str = "", name: str = "", **inputs: Any) -> str:
        """Start an execution for the shops; returns its ARN."""
        inputs = {
            "as_of": AS_OF.isoformat(),
            "trainer": "naive",
            "hyperparameters": {"outlier_contamination": "0"},  # which needs no scikit-learn
            "markets": [shop.market for shop in shops],
            "follow": False,  # which is tested by itself, and takes a job
            **inputs,
        }
        return self.aws.states.start_execution(
            stateMachineArn=machine or self.machine(),
            name=name or f"run-{next(self.numbers)}",
            input=json.dumps(inputs),
        )["executionArn"]

    def end(self, arn: str) -> Ended:
        """Wait for the end of an execution."""
        end = time.monotonic() + SECONDS
        while (description := self.aws.states.describe_execution(executionArn=arn))[
            "status"
        ] == "RUNNING":
            assert time.monotonic() < end, self.states(arn)
            time.sleep(0.1)
        self.announcements.extend(self.receive())
        output = json.loads(description.get("output", "{}"))
        return Ended(
            arn,
            description["status"],
            {market["market"]: market for market in output.get("markets", ())},
            description.get("error", ""),
            description.get("cause", ""),
            [message for message in self.announcements if message["execution_arn"] == arn],
        )

    def run(self, *shops: Shop, **options: Any) -> Ended:
        """Run an execution to its end."""
        return self.end(self.begin(*shops, **options))

    def events(self, arn: str) -> list[Any]:
        """The history of an execution."""
        pages = self.aws.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def states(self, arn: str) -> list[str]:
        """The names of the entered states, in order."""
        entered = (event.get("stateEnteredEventDetails") for event in self.events(arn))
        return [details["name"] for details in entered if details]

    def wait_for(self, arn: str, state: str) -> None:
        """Wait until a state is entered."""
        end = time.monotonic() + SECONDS
        while state not in self.states(arn):
            assert time.monotonic() < end, f"{state} was not reached: {self.states(arn)}"
            time.sleep(0.05)

    def jobs(self, shop: Shop) -> list[Any]:
        """The training jobs of a market."""
        sagemaker = self.aws.sagemaker
        names = [
            each["TrainingJobName"]
            for each in sagemaker.list_training_jobs()["TrainingJobSummaries"]
            if f"-{shop.name}-" in each["TrainingJobName"]
        ]
        return [sagemaker.describe_training_job(TrainingJobName=name) for name in names]

    def read(self, ended: Ended, market: str, name: str) -> bytes:
        """A file of a run."""
        key = f"runs/{ended.run_id}/{market}/{name}"
        return self.aws.s3.get_object(Bucket=self.deployment.bucket, Key=key)["Body"].read()


@dataclass
class Shop:
    """A market, with its orders in the database and in a file."""

    pipeline: Pipeline
    name: str
    path: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def market(self) -> dict[str, Any]:
        """The market in the execution's input."""
        return {"name": self.name, "table": self.name, **self.settings}

    def orders(self) -> pl.DataFrame:
        """The rows of its table."""
        return source.read(self.path, Columns())

    def stored(self) -> dict[str, dict[str, Any]]:
        """Customer -> item, for all items of this market."""
        pages = self.pipeline.aws.dynamodb.get_paginator("scan").paginate(
            TableName=self.pipeline.deployment.table,
            FilterExpression="market = :m",
            ExpressionAttributeValues={":m": {"S": self.name}},
        )
        items = [item for page in pages for item in page["Items"]]
        assert len({item["customer_id"]["S"] for item in items}) == len(items)
        return {item["customer_id"]["S"]: item for item in items}

    def predicted(self, ended: Ended) -> dict[str, dict[str, Any]]:
        """Customer -> forecast of `python -m ordergap predict` with the model of the run."""
        artifact = json.loads(self.pipeline.read(ended, self.name, "verdict.json"))["artifact"]
        folder = self.path.with_suffix("") / ended.run_id
        folder.mkdir(parents=True)
        bucket, key = split_uri(artifact)
        self.pipeline.aws.s3.download_file(bucket, key, str(folder / "model.tar.gz"))
        with tarfile.open(folder / "model.tar.gz") as tar:
            tar.extractall(folder / "model", filter="data")
        output = folder / "predictions.jsonl"
        options = ["--model_dir", folder / "model", "--file_path", self.path, "--output", output]
        assert ordergap(["predict", "--as_of", AS_OF.isoformat(), *map(str, options)]) == 0
        records = map(json.loads, output.read_text(encoding="utf-8").splitlines())
        return {record["customer_id"]: record for record in records}

    def assert_stored_as_predicted(
        self, ended: Ended, but: frozenset[str] = frozenset()
    ) -> dict[str, dict[str, Any]]:
        """Every customer is in the table once with the run's forecast; returns the forecasts."""
        predicted, stored = self.predicted(ended), self.stored()
        assert stored.keys() == predicted.keys() - but
        for customer, item in stored.items():
            assert _fields(item) == {
                name: value for name, value in predicted[customer].items() if value is not None
            }
            assert item["run_id"]["S"] == ended.run_id
        return predicted


OWN = {
    "market", "run_id", "run_started_at", "scored_line", "expires_at", "next_order_week",
    "week_bucket", "soon_probability", "soon_value", "yearly_revenue_at_risk",
}  # fmt: skip


def _fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """The prediction in an item."""
    return {name: _plain(value) for name, value in item.items() if name not in OWN}


def _plain(value: Mapping[str, Any]) -> Any:
    [(kind, content)] = value.items()
    if kind == "M":
        return {name: _plain(inner) for name, inner in content.items()}
    return json.loads(content) if kind == "N" else content


def _shorten_waits(part: Any, timeouts: Mapping[str, int], attempts: int) -> None:
    if isinstance(part, list):
        for one in part:
            _shorten_waits(one, timeouts, attempts)
    elif isinstance(part, dict):
        if "IntervalSeconds" in part:
            part["IntervalSeconds"] = 1
            if "MaxDelaySeconds" in part:
                part["MaxDelaySeconds"] = 2
            if attempts and "SourceUnreachable" in part["ErrorEquals"]:
                part["MaxAttempts"] = attempts
        if part.get("Type") == "Wait":
            part["Seconds"] = 1
            del part["SecondsPath"]
        for name, one in part.items():
            _shorten_waits(one, timeouts, attempts)
            if name in timeouts and isinstance(one, dict):
                one["TimeoutSeconds"] = timeouts[name]
