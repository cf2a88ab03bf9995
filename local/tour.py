"""The tour: train, predict and serve, by the commands of the command line.

python -m local tour                                CDNOW, the orders of a record shop
python -m local tour orders.csv --date_column Day   your own file; options as for `train`
"""

from __future__ import annotations

import csv
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

from local import cdnow
from local.ports import free_port
from local.runners import ROOT

RUN = Path("run")
MODEL = RUN / "model"
PREDICTIONS = RUN / "predictions.csv"
START_SECONDS = 60


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
    with PREDICTIONS.open(encoding="utf-8", newline="") as output:
        forecasts = list(csv.DictReader(output))
    _request_forecast(datetime.date.fromisoformat(forecasts[0]["as_of"]))
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


def _print_next(forecasts: list[dict[str, str]]) -> None:
    """The ten customers whose next order is expected first."""
    waiting = [row for row in forecasts if row["next_order_date"] and row["status"] != "lapsed"]
    waiting.sort(key=lambda row: (row["next_order_date"], row["next_order_date_high"]))
    print(f"\nNext customers, of {len(forecasts):,} (all are in {PREDICTIONS}):")
    names = ("customer_id", "last_order_date", "next_order_date", "next_order_date_high", "status")
    for row in [dict(zip(names, names, strict=True)), *waiting[:10]]:
        print("  " + "".join(f"{row[name]:22}" for name in names).rstrip())
