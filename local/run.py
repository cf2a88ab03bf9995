"""One run of the whole pipeline in an emulated AWS: deploy, load, execute, show."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import polars as pl
from ordergap.contract.manifest import MANIFEST
from ordergap.contract.metrics import TrainingMetrics
from ordergap.contract.orders import Columns
from ordergap.errors import OrdergapError
from rich.console import Console

from infra import costs
from lambdas.announce.messages import reason
from lambdas.store_predictions.items import Unstorable, prediction
from lambdas.store_predictions.lines import lines
from local import cdnow, embedded, likeliest, lists, outlook, show, source
from local.aws import CREDENTIALS
from local.deployment import NOT_EMULATED, Deployment, NotDeployed, deploy
from local.lists import BY_PROBABILITY, BY_RISK, BY_VALUE, Forecasts, Row
from local.options import columns, execution_input, parser
from local.runners import IMAGE, ROOT, Docker, Process, Runner, has_image
from local.storage import split_uri

POLL_SECONDS = 0.5
LAPTOP = {"Shards": "4", "WriteConcurrency": "8", "StoreConcurrency": "2"}
"""Parameters of the template for a small machine."""


class RunFailed(Exception):
    """The pipeline, or what it needs on this machine, failed; the message is for the user."""


def main(arguments: Sequence[str]) -> int:
    """Run the pipeline; returns the exit code."""
    options = parser().parse_args(arguments)
    console = show.console()
    signal.signal(signal.SIGTERM, lambda signum, _: sys.exit(128 + signum))
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="ordergap-") as folder:
            _run(options, Path(folder), console, began)
    except (RunFailed, NotDeployed, OrdergapError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; database and AWS are removed.")
        return 130
    return 0


def _run(options: argparse.Namespace, folder: Path, console: Console, began: float) -> None:
    names = columns(options)
    if options.estimate:
        console.print(_estimate(options, folder, names), markup=False)
        return
    runner = _runner(options)
    with ExitStack() as stack:
        with show.step(console, "Lambda zips"):
            _package()
        url, as_of = options.source_url, options.as_of
        if url is None:
            with show.step(console, "the shop's database") as step:
                database = stack.enter_context(source.database())
                rows = _rows(options, folder, names)
                database.load(source.TABLE, rows)
                step.text = f"the shop's database: {database.kind}, {rows.height:,} rows"
                url, as_of = database.url, as_of or _last_day(rows, names)
        with show.step(console, "emulated AWS with infra/template.yaml") as step:
            aws = stack.enter_context(embedded.start(folder, runner))
            stack.callback(_keep_logs, folder, options.output)
            secret = aws.secrets.create_secret(Name="ordergap-source", SecretString=url)["ARN"]
            deployment = deploy(aws, secret, LAPTOP | {"MlflowTrackingUri": options.mlflow})
            step.text += f" at {aws.endpoint}"
        for name in NOT_EMULATED.values():
            console.print(f"    Not emulated: {name}", style="dim")
        run = Run(deployment, options.market, options.output)
        run.execute(execution_input(options, names, as_of), console)
        run.show(console)
        if not (options.data or options.source_url):
            likeliest.print_table(folder / "leads", console)
        console.print(f"\nDone in {time.monotonic() - began:.0f} s.")
        run.show_index(BY_VALUE, "value", "Worth most within {days} days", 10, 0, console)
        if options.keep:
            _keep(run, console)


@dataclass
class Run:
    """One execution of the deployed pipeline, for one market."""

    deployment: Deployment
    market: str
    output: Path
    name: str = ""
    as_of: datetime.date = datetime.date.min

    def execute(self, request: dict[str, Any], console: Console) -> None:
        """Start the execution with its input and wait for its end. Raises RunFailed."""
        states = self.deployment.aws.states
        self.name = f"local-{time.strftime('%Y%m%d-%H%M%S')}"
        arn = states.start_execution(
            stateMachineArn=self.deployment.pipeline, name=self.name, input=json.dumps(request)
        )["executionArn"]
        with show.Progress(console) as progress:
            while True:
                execution = states.describe_execution(executionArn=arn)
                pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
                events = [event for page in pages for event in page["events"]]
                progress.update(events)
                if execution["status"] != "RUNNING":
                    break
                time.sleep(POLL_SECONDS)
        if execution["status"] != "SUCCEEDED":
            causes = [
                reason(detail.get("cause", ""))
                for event in events
                if (detail := event.get("taskFailedEventDetails"))
            ]
            cause = causes[-1] if causes else execution.get("cause", "")
            raise RunFailed(
                f"The execution {execution['status'].lower()}: {execution.get('error', '')}. "
                f"{cause}\nThe logs of jobs and functions are in {self.output / 'logs'}."
            )
        [market] = json.loads(execution["output"])["markets"]
        show.outcome(market, console)

    def show(self, console: Console) -> None:
        """Print the metrics, what to expect, whom to contact, and the path of the report."""
        verdict = json.loads(self._read("verdict.json"))
        self.as_of = datetime.date.fromisoformat(json.loads(self._read("_SUCCESS"))["as_of"])
        console.print(f"Model {verdict['model_version']}: {verdict['reason']}", markup=False)
        bucket, key = split_uri(verdict["metrics_uri"])
        body = self.deployment.aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        for table in show.metrics(TrainingMetrics.model_validate_json(body)):
            console.print()
            console.print(table)
        report, manifest = self._report(verdict["artifact"])
        for task, why in json.loads(manifest).get("unanswered", {}).items():
            console.print(f"\nNot answered, {task}: {why}", markup=False)
        console.print(f"\nReport: {report}")
        if rows := self._predictions():
            expected = outlook.sentence(rows, outlook.weekly_error(manifest))
            days = lists.horizons(rows[0])[0]
            found = lists.contact_first(rows, days, 10)
            console.print(f"\n{expected}\n\nContact first:", markup=False)
            console.print(show.customers(found, "contact-first", days))
        self.show_index(BY_RISK, "win-back", "Win back", 5, -1, console)

    def show_index(
        self, index: str, name: str, title: str, top: int, horizon: int, console: Console
    ) -> None:
        """Print the first of an index of the table; `horizon` is which of their days ahead."""
        forecasts = Forecasts(self.deployment.aws.dynamodb, self.deployment.table, self.market)
        if found := list(islice(forecasts.ranked(index, page=5), top)):
            days = lists.horizons(found[0])[horizon]
            console.print(f"\n{title.format(days=days)}, from DynamoDB's index {index}:")
            console.print(show.customers(found, name, days))

    def _predictions(self) -> list[Row]:
        """The forecasts of all customers, as they were stored."""
        aws, bucket = self.deployment.aws, self.deployment.bucket
        folder = f"runs/{self.name}/{self.market}/predictions/"
        pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
        keys = [each["Key"].removeprefix(folder) for page in pages for each in page["Contents"]]
        rows: list[Row] = []
        for key in keys:
            for line in lines([self._read(f"predictions/{key}")]):
                with contextlib.suppress(Unstorable):  # the table has rejected it, too
                    rows.append(prediction(line.text, self.as_of).model_dump(mode="json"))
        return rows

    def _read(self, name: str) -> bytes:
        key = f"runs/{self.name}/{self.market}/{name}"
        content = self.deployment.aws.s3.get_object(Bucket=self.deployment.bucket, Key=key)
        return content["Body"].read()

    def _report(self, artifact: str) -> tuple[Path, bytes]:
        """Extract report.html from the model's archive; its path, and the model's manifest."""
        bucket, key = split_uri(artifact)
        with tempfile.TemporaryFile() as archive:
            self.deployment.aws.s3.download_fileobj(bucket, key, archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                tar.extract("report.html", self.output, filter="data")
                manifest = cast("IO[bytes]", tar.extractfile(MANIFEST)).read()
        return self.output / "report.html", manifest


def _runner(options: argparse.Namespace) -> Runner:
    """The runner of the options. Raises RunFailed where it or the zips cannot run here."""
    machine = (sys.platform, platform.machine(), *sys.version_info[:2])
    if machine != ("linux", "x86_64", 3, 11):
        raise RunFailed(
            "The Lambda zips need Linux on x86-64 with Python 3.11, and this is "
            f"{platform.platform()} with Python {platform.python_version()}. To train and forecast "
            "without AWS, run python -m local tour"
        )
    if options.runner == "process":
        return Process(IMAGE)
    if shutil.which("docker") is None:
        raise RunFailed("Docker is not installed; install it, or use --runner process.")
    if not has_image(options.image):
        raise RunFailed(f"Docker has no image {options.image!r}; run make image, or use --image.")
    return Docker(IMAGE, options.image)


def _package() -> None:
    packaging = subprocess.run(
        [sys.executable, "-m", "infra.package"],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if packaging.returncode:
        raise RunFailed(f"The Lambda zips could not be built (make package):\n{packaging.stdout}")


def _rows(options: argparse.Namespace, folder: Path, names: Columns) -> pl.DataFrame:
    path = options.data or cdnow.write(folder)
    rows = source.read(path, names)
    if names.date_column not in rows.columns:
        raise RunFailed(
            f'{path} has no column "{names.date_column}"; set --date-column to one of '
            f"{', '.join(rows.columns)}."
        )
    return rows


def _estimate(options: argparse.Namespace, folder: Path, names: Columns) -> str:
    """What the run would cost on AWS: the customers of the file, an order a line."""
    if options.source_url:
        raise RunFailed(
            "--estimate counts a file's rows; of a database, run python -m infra.costs --help"
        )
    rows = _rows(options, folder, names)
    if (name := names.customer_column) not in rows.columns:
        raise RunFailed(f'{options.data} has no column "{name}"; set --customer-column.')
    return costs.text(rows[name].drop_nulls().n_unique(), rows.height, rows.height)


def _last_day(rows: pl.DataFrame, names: Columns) -> datetime.date | None:
    last = rows[names.date_column].max()
    return last.date() if isinstance(last, datetime.datetime) else None


def _keep_logs(folder: Path, output: Path) -> None:
    logs = output / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    for path in sorted(folder.glob("*.log")):
        shutil.copy(path, logs)


def _keep(run: Run, console: Console) -> None:
    aws, deployment = run.deployment.aws, run.deployment
    exports = {**CREDENTIALS, "AWS_ENDPOINT_URL": aws.endpoint}
    console.print("\nThe AWS keeps running until Ctrl-C. In another shell:\n")
    for name, value in exports.items():
        console.print(f"export {name}={value}", markup=False, soft_wrap=True)
    values = json.dumps({":m": {"S": run.market}})
    query = (
        f"aws dynamodb query --table-name {deployment.table} --index-name {BY_PROBABILITY} "
        "--no-scan-index-forward --max-items 10 "
        f"--key-condition-expression 'market = :m' --expression-attribute-values '{values}'"
    )
    week = lists.week_of(run.as_of + datetime.timedelta(days=1))
    place = f"--endpoint-url {aws.endpoint} --table {deployment.table} --market {run.market}"
    for line in (
        f"aws s3 ls --recursive s3://{deployment.bucket}/runs/",
        f"aws stepfunctions list-executions --state-machine-arn {deployment.pipeline}",
        query,
        f"python -m local due {place}  # the most likely to order",
        f"python -m local due --list value {place}  # worth most next week",
        f"python -m local due --list win-back {place}  # overdue regulars",
        f"python -m local due --list dates --week {week} {place}  # all buckets of that week",
    ):
        console.print(line, markup=False, soft_wrap=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
