"""The tour: train, predict and serve, by the commands of the command line.

python -m local tour                                CDNOW, the orders of a record shop
python -m local tour orders.csv --date_column Day   your own file; options as for `train`
"""

from __future__ import annotations

import datetime
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
from ordergap.contract.manifest import MANIFEST

from local import cdnow, likeliest, outlook, show
from local.lists import contact_first, horizons, worth_most
from local.ports import free_port
from local.runners import ROOT

RUN = Path("run")
MODEL = RUN / "model"
PREDICTIONS = RUN / "predictions.csv"
START_SECONDS = 60
_MAPS = ("buy_probability", "expected_value", "value_low", "value_high")


def main(arguments: list[str]) -> None:
    """Run the tour on a file, the first argument, or on CDNOW. Options are those of `train`."""
    has_file = bool(arguments) and not arguments[0].startswith("-")
    file = Path(arguments[0]).resolve() if has_file else None
    options = arguments[1:] if has_file else arguments
    os.chdir(ROOT)
    RUN.mkdir(exist_ok=True)
    if file is None:
        file = cdnow.write(RUN)
        columns = (word for k, v in cdnow.COLUMNS.items() for word in (f"--{k}", v))
        options = [*columns, *options]
    _ordergap("train", "--file_path", file, "--model_dir", MODEL, *options)
    _ordergap("predict", "--file_path", file, "--model_dir", MODEL, "--output", PREDICTIONS)
    forecasts = _read(PREDICTIONS)
    _request_forecast(datetime.date.fromisoformat(forecasts[0]["as_of"]))
    if not has_file:
        likeliest.print_table(RUN / "leads", show.console())
    _print_next(forecasts)


def _command(*arguments: str | Path) -> list[str]:
    command = ["-m", "ordergap", *map(str, arguments)]
    print(f"\n$ python {shlex.join(command)}", flush=True)
    return [sys.executable, *command]


def _ordergap(*arguments: str | Path) -> None:
    result = subprocess.run(_command(*arguments), check=False)
    if result.returncode:
        sys.exit(f"{arguments[0]} failed with exit code {result.returncode}; see its log above.")


def _request_forecast(as_of: datetime.date) -> None:
    """Start the server, request a forecast for one customer, print it, and stop the server."""
    port = free_port()
    server = subprocess.Popen(
        _command("serve", "--model_dir", MODEL),
        env={**os.environ, "SAGEMAKER_BIND_TO_PORT": str(port)},
    )
    try:
        _wait_for_ping(server, port)
        orders = [
            {"date": str(as_of - datetime.timedelta(days=ago)), "amount": amount}
            for ago, amount in ((95, 24.5), (61, 31.0), (20, 18.75))
        ]
        body = json.dumps({"customer_id": "a visitor", "orders": orders, "as_of": str(as_of)})
        print(f"\nPOST /invocations\n{body}")
        print(_request(port, "POST", "/invocations", body)[1])
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def _wait_for_ping(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            if _request(port, "GET", "/ping")[0] == 200:
                return
        except OSError:  # the server is not listening yet
            pass
        time.sleep(0.1)
    sys.exit(f"The server did not answer /ping within {START_SECONDS} s; see its log above.")


def _request(port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _read(path: Path) -> list[dict[str, Any]]:
    """The rows of predictions in CSV, as they would be in JSON."""
    types = {"customer_id": pl.String}
    rows = pl.read_csv(path, schema_overrides=types, infer_schema_length=None).to_dicts()
    for row in rows:
        for name in _MAPS:
            columns = {each: each.removeprefix(f"{name}_") for each in row}
            row[name] = {days: row[each] for each, days in columns.items() if days.isdecimal()}
    return rows


def _print_next(forecasts: list[dict[str, Any]]) -> None:
    """How many customers order in the next days, and the ten to contact first."""
    error = outlook.weekly_error((MODEL / MANIFEST).read_bytes())
    print(f"\n{outlook.sentence(forecasts, error)}")
    print(f"\nContact first, of {len(forecasts):,} customers (all are in {PREDICTIONS}):")
    days = horizons(forecasts[0])[0]
    top = contact_first(forecasts, days, 10)
    show.console().print(show.customers(top, "contact-first", days))
    if valued := worth_most(forecasts, days, 10):
        print(f"\nWorth most within {days} days:")
        show.console().print(show.customers(valued, "value", days))
