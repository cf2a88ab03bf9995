"""The tour: train, predict and serve, by the commands that anyone would use.

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
    """Run the tour on the file that comes first, or on CDNOW; the options are for `train`."""
    own = bool(arguments) and not arguments[0].startswith("-")
    orders, options = (Path(arguments[0]).resolve(), arguments[1:]) if own else (None, arguments)
    os.chdir(ROOT)
    RUN.mkdir(exist_ok=True)
    if orders is None:
        orders = cdnow.write(RUN)
        columns = (word for k, v in cdnow.COLUMNS.items() for word in (f"--{k}", v))
        options = [*columns, *options]
    _ordergap("train", "--file_path", orders, "--model_dir", MODEL, *options)
    _ordergap("predict", "--file_path", orders, "--model_dir", MODEL, "--output", PREDICTIONS)
    with PREDICTIONS.open(encoding="utf-8", newline="") as file:
        forecasts = list(csv.DictReader(file))
    _ask_the_server(datetime.date.fromisoformat(forecasts[0]["as_of"]))
    _print_next(forecasts)


def _command(*words: str | Path) -> list[str]:
    command = ["-m", "ordergap", *map(str, words)]
    print(f"\n$ python {shlex.join(command)}", flush=True)
    return [sys.executable, *command]


def _ordergap(*words: str | Path) -> None:
    done = subprocess.run(_command(*words), check=False)
    if done.returncode:
        sys.exit(f"{words[0]} stopped with exit code {done.returncode}; the reason is above.")


def _ask_the_server(as_of: datetime.date) -> None:
    """Serve, send one customer, print the answer, stop."""
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
        except OSError:  # nobody listens yet
            pass
        time.sleep(0.1)
    sys.exit(f"The server did not answer /ping within {START_SECONDS} s; its log is above.")


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
    print(f"\nThe next to buy, of {len(forecasts):,} customers (all in {PREDICTIONS}):")
    names = ("customer_id", "last_order_date", "next_order_date", "next_order_date_high", "status")
    for row in [dict(zip(names, names, strict=True)), *waiting[:10]]:
        print("  " + "".join(f"{row[name]:22}" for name in names).rstrip())
