"""Time and memory of a request, as what it holds doubles four times, for every form.

python -m benchmarks.growth [NAME ...]

The power is that of the last three doublings: 1 is linear, 2 is quadratic. Each request is answered
by a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ordergap.ingest  # noqa: F401 - no request should count its import
from flask import Flask
from ordergap.forecaster import load
from ordergap.histories import date_of
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings, limit_threads

from benchmarks.fuzz import peak_memory
from benchmarks.predict import train

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"
DOUBLINGS = 4
MOST_POWER = 1.35  # n log n over these sizes, and the noise of a shared machine
MOST_TIMES = 150  # bytes of memory for each byte of the body and of the answer

Case = tuple[str, Callable[[int], str], int]
"""The form, a body of size n, and the largest n."""


def _order(i: int) -> str:
    return f'{{"date":"2011-{1 + i % 9:02}-{1 + i % 28:02}","amount":{1 + i % 90}}}'


def _record(i: int, orders: int = 2, more: str = "") -> str:
    bought = ",".join(map(_order, range(i, i + orders)))
    return f'{{"customer_id":"c{i}","orders":[{bought}],"as_of":"2011-12-09"{more}}}'


def _records(n: int) -> str:
    return ",".join(map(_record, range(n)))


def _keys(n: int, value: str = "1") -> str:
    return "".join(f',"key{i}":{value}' for i in range(n))


def _row(i: int) -> str:
    return f"{i},A,2,2011-{1 + i % 9:02}-{1 + i % 28:02},1.25,c{i // 3}"


def _table(rows: list[str], header: str = HEADER) -> str:
    return "\n".join([header, *rows, ""])


def _wide(n: int) -> str:
    extra = "".join(f",x{i}" for i in range(n))
    return _table([_row(0) + "," * n], HEADER + extra)


def _breaks(n: int) -> str:
    return n * "\n"


def _horizons(n: int) -> str:
    return ",".join(str(1 + i % 3650) for i in range(n))


CASES: dict[str, Case] = {
    "JSON: records": (JSON, lambda n: f"[{_records(n)}]", 40_000),
    "JSON: orders of one record": (JSON, lambda n: f"[{_record(0, n)}]", 100_000),
    "JSON: keys of the request": (JSON, lambda n: f'{{"instances":[]{_keys(n)}}}', 100_000),
    "JSON: keys of a record": (JSON, lambda n: f"[{_record(0, 2, _keys(n))}]", 100_000),
    "JSON: keys of an order without an amount": (
        JSON,
        lambda n: f'[{{"customer_id":"a","orders":[{{"date":"2011-01-01"{_keys(n)}}}]}}]',
        100_000,
    ),
    "JSON: one key again and again": (
        JSON,
        lambda n: '{"instances":[]' + n * ',"x":1' + "}",
        200_000,
    ),
    "JSON: empty records": (JSON, lambda n: "[" + ",".join(["{}"] * n) + "]", 100_000),
    "JSON: empty orders": (
        JSON,
        lambda n: f'[{{"customer_id":"a","orders":[{",".join(["{}"] * n)}]}}]',
        1_000_000,
    ),
    "JSON: late orders": (
        JSON,
        lambda n: f"[{_record(0, n).replace('2011-12-09', '2011-02-01')}]",
        100_000,
    ),
    "JSON: nested lists": (JSON, lambda n: n * "[" + n * "]", 100_000),
    "JSON: a long text": (JSON, lambda n: f'[{{"customer_id":"{n * "a"}"}}]', 4_000_000),
    "JSON: horizons": (
        JSON,
        lambda n: f'{{"instances":[{_record(0)}],"horizons":[{_horizons(n)}]}}',
        50_000,
    ),
    "JSON: customers, at 3,650 horizons": (
        JSON,
        lambda n: f'{{"instances":[{_records(n)}],"horizons":[{_horizons(3650)}]}}',
        10_000,
    ),
    "JSON: customers, their value in 365 days": (
        JSON,
        lambda n: f'{{"instances":[{_records(n)}],"value_horizons":[{_horizons(365)}]}}',
        1_368,  # as many as max_probabilities allows
    ),
    "JSON: customers, their value at 4 horizons and 20 amounts": (
        JSON,
        lambda n: (
            f'{{"instances":[{_records(n)}],"horizons":[7,90],"value_horizons":[7,30,60,90],'
            f'"large_thresholds":[{_horizons(20)}]}}'
        ),
        20_000,  # as many as max_days_ahead allows
    ),
    "JSON Lines: records": (LINES, lambda n: "\n".join(map(_record, range(n))), 40_000),
    "JSON Lines: lines that are not JSON": (LINES, lambda n: n * "x\n", 100_000),
    "JSON Lines: blank lines": (LINES, lambda n: _record(0) + n * "\n", 2_000_000),
    "CSV: order lines": (CSV, lambda n: _table([*map(_row, range(n))]), 200_000),
    "CSV: columns": (CSV, _wide, 32_000),
    "CSV: rows too short": (CSV, lambda n: _table(["1,A"] * n), 200_000),
    "CSV: rows without a date": (CSV, lambda n: _table(["1,A,2,x,1,c"] * n), 200_000),
    "CSV: quotation marks": (CSV, lambda n: _table(['1,A,2,2011-01-02,1,"c"'] * n), 200_000),
    "CSV: an open quotation mark": (CSV, lambda n: _table(['1,"A,2,2011-01-02,1,c'] * n), 200_000),
    "CSV: line breaks in a cell": (
        CSV,
        lambda n: _table([f'1,"{_breaks(n)}",2,2011-01-02,1,c']),
        2_000_000,
    ),
    "CSV: a long cell": (CSV, lambda n: _table([f"1,A,2,2011-01-02,1,{n * 'c'}"]), 4_000_000),
    "CSV: different dates": (
        CSV,
        lambda n: _table([f"{i},A,1,{date_of(15_000 - i % 4000)},1,c{i}" for i in range(n)]),
        100_000,
    ),
    "CSV: one customer": (CSV, lambda n: _table(["1,A,2,2011-01-02,1.25,c"] * n), 200_000),
    "CSV: cancellations": (
        CSV,
        lambda n: _table([f"{i},A,{1 - 2 * (i % 2)},2011-01-02,1.25,c{i % 7}" for i in range(n)]),
        200_000,
    ),
    "CSV: vectors of no number": (CSV, lambda n: n * "a,b,c\n", 200_000),
    "CSV: delimiters": (CSV, lambda n: n * ",", 2_000_000),
    "CSV: line ends": (CSV, lambda n: "a" + n * "\r", 2_000_000),
}

_ROW = "{:42}{:>8}{:>8}{:>12}{:>8}{:>7}{:>8}{:>7}"


def answered(app: Flask, form: str, body: bytes) -> tuple[int, int, float, float]:
    """Status, bytes of the answer, seconds and MiB of memory that the request took."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading) as pipe:
            result = pipe.read()
        os.waitpid(child, 0)
        if not result:
            raise SystemExit(f"the process died: {form}, {len(body):,} bytes")
        status, size, seconds, memory = json.loads(result)
        return status, size, seconds, memory
    before = peak_memory()
    start = time.perf_counter()
    answer = app.test_client().post("/invocations", data=body, content_type=form)
    seconds = time.perf_counter() - start
    used = (peak_memory() - before) / 2**20
    os.write(writing, json.dumps([answer.status_code, len(answer.data), seconds, used]).encode())
    os._exit(0)


def main() -> None:
    """Print the table; exit code 1 where time or memory grows faster than the request."""
    limit_threads(1)
    logging.getLogger("ordergap").setLevel(logging.CRITICAL)
    wanted = sys.argv[1:]
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        model = load(train(Path(folder), 900))  # too few to refuse a question for its quality
        app = create_app(model, Settings(), lambda: date_of(15_317))
        print(_ROW.format("", "KiB", "status", "answer KiB", "s", "power", "MiB", "times"))
        for name, (form, body_of, most) in CASES.items():
            if wanted and not any(word in name for word in wanted):
                continue
            sizes = [most >> n for n in range(DOUBLINGS, -1, -1)]
            runs = [
                (len(body), *answered(app, form, body))
                for body in (body_of(n).encode() for n in sizes)
            ]
            length, status, size, seconds, used = runs[-1]
            power = math.log2(max(seconds, 0.02) / max(runs[-4][3], 0.02)) / 3
            times = used * 2**20 / (length + size)
            cells = (length >> 10, status, size >> 10, round(seconds, 2), round(power, 2))
            print(_ROW.format(name, *cells, round(used), round(times)), flush=True)
            if power > MOST_POWER or (times > MOST_TIMES and used > 64):
                bad.append(name)
    if bad:
        raise SystemExit(f"these grow too fast: {'; '.join(bad)}")


if __name__ == "__main__":
    main()
