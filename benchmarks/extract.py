"""Rows a second from a PostgreSQL table to files on S3, compared with a COPY of the same rows.

python -m benchmarks.extract [--lines 5000000]

Needs PostgreSQL's server and psql. S3 is boto3's client without a network.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import sqlalchemy as sql
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from lambdas.extract_orders.database import connect
from lambdas.extract_orders.extraction import extract
from lambdas.extract_orders.request import Request
from local.source import postgres

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINES = 5_000_000
COLUMNS = '"CustomerID", "InvoiceDate", "InvoiceNo", "StockCode", "Quantity", "UnitPrice"'
# Lines like those of Online Retail: 21 an invoice, every fourth without a customer, and
# five invoices a customer.
MAKE = """
CREATE UNLOGGED TABLE orders AS SELECT
  CASE WHEN i / 21 % 4 > 0 THEN (12000 + (i / 21 * 7919) % ({lines} / 105))::text END
    AS "CustomerID",
  timestamp '2010-12-01 08:00' + i * (interval '373 days' / {lines}) AS "InvoiceDate",
  CASE WHEN i / 21 % 60 = 59 THEN 'C' ELSE '' END || (536365 + i / 21) AS "InvoiceNo",
  (10000 + i * 31 % 4001)::text AS "StockCode",
  'PRODUCT OF SOME KIND' AS "Description",
  CASE WHEN i / 21 % 60 = 59 THEN -1 ELSE 1 END * (1 + i % 20) AS "Quantity",
  (i % 97 / 10.0 + 0.25)::numeric(10, 2) AS "UnitPrice",
  'United Kingdom' AS "Country"
FROM generate_series(1::bigint, {lines}) i
"""
# In its own process, whose peak memory is measured.
SCRIPT = """
import re, sys, tempfile, time
from pathlib import Path
from benchmarks.extract import extract_all
with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    sent = extract_all(sys.argv[1], Path(folder))
    seconds = time.perf_counter() - start
peak = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
print(seconds, int(peak) * 1024, sent)
"""


def extract_all(url: str, folder: Path) -> int:
    """Extract the table `orders`; returns the bytes sent to S3."""
    s3, sent = _nowhere()
    request = Request(run_id="bench", as_of=datetime.date(2012, 1, 1))
    extract(request, sql.make_url(url), "bucket", s3, folder)
    return sum(sent)


def _nowhere() -> tuple[S3Client, list[int]]:
    """A client of an S3 that stays empty, and the sizes of the objects sent to it."""
    sent: list[int] = []

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        status, body = 200, b"<ListBucketResult/>"
        if request.method == "PUT":
            sent.append(int(request.headers.get("X-Amz-Decoded-Content-Length", 0)))
            body = b""
        elif request.method == "GET" and "list-type" not in request.url:
            status, body = 404, b"<Error><Code>NoSuchKey</Code></Error>"
        return AWSResponse(request.url, status, HTTPHeaders(), _Raw(body))

    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106
    )
    events: Any = client.meta.events
    events.register("before-send.s3", answer)
    return client, sent


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> list[bytes]:
        return [self._body]


def rows(lines: int = LINES) -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio) for each figure, or the reason why it cannot run."""
    label = f"{lines:,} order lines from PostgreSQL to training and scoring files"
    psql = shutil.which("psql")
    if not psql:
        return [(label, "skipped: psql is not installed", "", "")]
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except OSError as reason:
            return [(label, f"skipped: {reason}", "", "")]
        return _measure(label, sql.make_url(server.url), psql, lines)


def _measure(label: str, url: sql.URL, psql: str, lines: int) -> list[tuple[str, str, str, str]]:
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(MAKE.format(lines=lines))
    engine.dispose()
    copy = f"COPY (SELECT {COLUMNS} FROM orders) TO STDOUT WITH (FORMAT csv)"  # noqa: S608
    bare = min(_bare(copy, url, psql) for _ in range(3))
    driver = min(_by_driver(copy, url) for _ in range(2))
    text = url.render_as_string(hide_password=False)
    done = subprocess.check_output([sys.executable, "-c", SCRIPT, text], text=True).splitlines()[-1]
    seconds, peak, sent = map(float, done.split())
    return [
        (
            label,
            f"{lines / seconds:,.0f} rows/s",
            f"bare COPY by psql {lines / bare:,.0f} rows/s",
            f"{bare / seconds:.2f}",
        ),
        ("the same", "", f"bare COPY by the driver {lines / driver:,.0f} rows/s",
         f"{driver / seconds:.2f}"),
        ("its peak memory", f"{peak / 1e6:,.0f} MB", f"{sent / 1e6:,.0f} MB sent to S3", ""),
    ]  # fmt: skip


def _bare(copy: str, url: sql.URL, psql: str) -> float:
    start = time.perf_counter()
    place = ["-h", str(url.host), "-p", str(url.port), "-U", str(url.username), str(url.database)]
    subprocess.run(
        [psql, *place, "-c", copy],
        env={**os.environ, "PGPASSWORD": str(url.password)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def _by_driver(copy: str, url: sql.URL) -> float:
    class Nowhere:
        def write(self, row: bytes) -> None:
            pass

    with connect(url) as connection:
        driver: Any = connection.connection.driver_connection
        start = time.perf_counter()
        driver.execute_unnamed(copy, stream=Nowhere())
        return time.perf_counter() - start


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=LINES, help=f"order lines (default {LINES:,})")
    for row in rows(parser.parse_args().lines):
        print(*row, sep="  |  ")


if __name__ == "__main__":
    main()
