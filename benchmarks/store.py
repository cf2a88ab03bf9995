"""Storing predictions: the function's overhead, the gain of concurrent writes, and its memory.

python -m benchmarks.store

DynamoDB is a process that accepts every write after some milliseconds, so that boto3's costs are
included; and once moto, which evaluates the conditions.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, cast
from unittest import mock

from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.shared.events import parse
from lambdas.shared.ledger import Ledger
from lambdas.store_predictions.handler import Settings, StorePredictions, store_object
from lambdas.store_predictions.writing import connect

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef
    from mypy_boto3_s3 import S3Client

LATENCY = 0.005  # seconds of a write
CONCURRENCY = 32
FEW, MANY = 10_000, 200_000  # lines between which memory should not grow
RUN = {
    "run_id": "night",
    "started_at": "2011-12-10T02:00:00Z",
    "market": "uk",
    "as_of": "2011-12-09",
    "prefix": "runs/night/uk",
}
KEY = "runs/night/uk/predictions/part-00000.jsonl.out"
LINE = json.dumps({
    "customer_id": "12345678",
    "as_of": "2011-12-09",
    "last_order_date": "2011-11-22",
    "days_since_last_order": 17,
    "order_count": 17,
    "usual_amount": 383.02,
    "revenue": 6511.27,
    "order_gap_days": 23,
    "next_order_date": "2011-12-15",
    "next_order_date_low": "2011-12-11",
    "next_order_date_high": "2011-12-25",
    "interval_level": 0.8,
    "typical_gap_days": 13,
    "buy_probability": {"7": 0.538974, "30": 0.972413, "60": 0.997276, "90": 0.999299},
    "status": "due",
    "model_age_days": 0,
    "stale": False,
    "model_version": "f8219c88b603",
})  # fmt: skip


def lines(n: int) -> Iterator[bytes]:
    """Predictions of n customers."""
    for number in range(n):
        yield LINE.replace("12345678", f"{number:08}").encode() + b"\n"


class Generated:
    """An S3 whose only object has n lines, generated while they are read; writes are dropped."""

    def __init__(self, n: int) -> None:
        self._n = n

    def head_object(self, **_: str) -> dict[str, object]:
        """Its size and version."""
        return {"ContentLength": self._n * (len(LINE) + 1), "ETag": "1"}

    def get_object(self, **request: str) -> dict[str, object]:
        """Its content; other objects do not exist."""
        if request["Key"] != KEY:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": SimpleNamespace(iter_chunks=lambda _: lines(self._n))}

    def put_object(self, **_: object) -> None:
        """Drop it."""


class Instant:
    """A DynamoDB that accepts every write at once."""

    def put_item(self, **request: object) -> None:
        """Drop it."""


def store(n: int, dynamodb: object, concurrency: int = CONCURRENCY) -> Ledger:
    """Run the function, without its metrics."""
    variables = {"ORDERGAP_BUCKET": "bucket", "ORDERGAP_TABLE": "table"}
    settings = Settings.model_validate(variables | {"ORDERGAP_WRITE_CONCURRENCY": concurrency})
    request = parse(StorePredictions, RUN | {"key": KEY})
    s3, client = cast("S3Client", Generated(n)), cast("DynamoDBClient", dynamodb)
    with mock.patch("lambdas.store_predictions.handler.publish"):
        ledger = store_object(request, settings, s3, client, lambda: 900_000, 1_323_400_000)
    if ledger.written != n:
        raise RuntimeError(f"{ledger.written} of {n} lines were written")
    return ledger


def one_by_one(n: int, client: DynamoDBClient) -> None:
    """The baseline: put_item for each line, one after the other."""
    for line in lines(n):
        read = json.loads(line)
        item = {name: {"S": str(value)} for name, value in read.items()}
        client.put_item(
            TableName="table",
            Item=item | {"market": {"S": "bare"}},
            ConditionExpression="attribute_not_exists(customer_id) OR as_of <= :as_of",
            ExpressionAttributeValues={":as_of": item["as_of"]},
        )


def as_statements(n: int, client: DynamoDBClient) -> None:
    """The rejected alternative: PartiQL updates, 25 a request, with concurrent requests.

    An update needs an existing item. A customer without one would need an insert after it.
    """
    names = [name for name in json.loads(LINE) if name != "customer_id"]
    text = (
        f'UPDATE "table" {" ".join(f"SET {name}=?" for name in names)} '
        "WHERE customer_id=? AND market=? AND as_of <= ?"
    )
    statements: list[BatchStatementRequestTypeDef] = []
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for line in lines(n):
            read = {name: {"S": str(value)} for name, value in json.loads(line).items()}
            values = [read[name] for name in (*names, "customer_id", "status", "as_of")]
            statements.append({"Statement": text, "Parameters": values})
            if len(statements) == 25:
                pool.submit(client.batch_execute_statement, Statements=statements)
                statements = []


class _Slow(BaseHTTPRequestHandler):
    """Responds to any request after LATENCY with an empty object."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(LATENCY)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@contextlib.contextmanager
def slow_dynamodb() -> Iterator[DynamoDBClient]:
    """A client of a DynamoDB in another process, which accepts every write after LATENCY."""
    command = [sys.executable, "-m", "benchmarks.store", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            port = int(cast("IO[bytes]", server.stdout).readline())
            address = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}"}
            with mock.patch.dict(os.environ, _KEYS | address):
                yield connect.__wrapped__(CONCURRENCY)
        finally:
            server.terminate()


_KEYS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


def serve() -> None:
    """Run the slow DynamoDB; the first line on stdout is the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    print(server.server_port, flush=True)
    server.serve_forever()


def rows() -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio) for each figure."""
    instant = Instant()
    rate = _rate(20_000, lambda n: store(n, instant))
    baseline = _rate(20_000, lambda n: [json.loads(line) for line in lines(n)])
    table = [_row("lines/s, a table without latency", rate, "`json.loads` alone", baseline)]
    with slow_dynamodb() as client:
        store(500, client)
        rate = _rate(5000, lambda n: store(n, client))
        baseline = _rate(300, lambda n: one_by_one(n, client))
        batches = _rate(20_000, lambda n: as_statements(n, client))
    label = f"items/s, {LATENCY * 1e3:.0f} ms a write, {CONCURRENCY} concurrent"
    table.append(_row(label, rate, "`put_item` one by one", baseline))
    table.append(_row(label, rate, "PartiQL updates, 25 a request", batches))
    with mock_aws(), mock.patch.dict(os.environ, _KEYS):
        client = connect.__wrapped__(CONCURRENCY)
        _make_table(client)
        rate = _rate(500, lambda n: store(n, client))
        baseline = _rate(500, lambda n: one_by_one(n, client))
    table.append(_row("items/s against moto in this process", rate, "one by one", baseline))
    few, many = _peak(FEW), _peak(MANY)
    growth = (f"{many:.1f} MiB", f"{FEW:,} lines {few:.1f} MiB", f"{many / few:.2f}")
    return [*table, (f"peak memory, {MANY:,} lines", *growth)]


def _row(label: str, rate: float, name: str, baseline: float) -> tuple[str, str, str, str]:
    return f"store: {label}", f"{rate:,.0f}", f"{name} {baseline:,.0f}", f"{rate / baseline:.2f}"


def _rate(n: int, run: Callable[[int], object]) -> float:
    """Lines a second, the best of three runs."""
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        run(n)
        rates.append(n / (time.perf_counter() - start))
    return max(rates)


def _make_table(client: DynamoDBClient) -> None:
    client.create_table(
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "customer_id", "AttributeType": "S"},
            {"AttributeName": "market", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "customer_id", "KeyType": "HASH"},
            {"AttributeName": "market", "KeyType": "RANGE"},
        ],
    )


def _peak(n: int) -> float:
    """Peak MiB of a process that stores n lines."""
    command = [sys.executable, "-m", "benchmarks.store", "peak", str(n)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def main(arguments: list[str]) -> None:
    """Print the figures, or run one of the measured processes."""
    if arguments == ["serve"]:
        serve()
    elif arguments[:1] == ["peak"]:
        store(int(arguments[1]), Instant())
        status = Path("/proc/self/status").read_text(encoding="ascii")
        print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
    else:
        for row in rows():
            print(*row, sep=" | ")


if __name__ == "__main__":
    main(sys.argv[1:])
