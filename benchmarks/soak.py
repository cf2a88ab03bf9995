"""The server at full load for a while, with /ping asked for every second.

python -m benchmarks.soak [--seconds 120] [--connections 32]

wrk sends single customers and, on two more connections, a thousand customers at a time. Needs wrk
(apt-get install wrk).
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.features import made_up
from benchmarks.load import Flood, installed
from benchmarks.predict import train
from benchmarks.serving import Running, connect, memory, records, running

SLOWEST = 2.0  # seconds that the platform waits for a /ping


def pings(server: Running, seconds: float) -> list[float]:
    """Seconds of a /ping each second; infinite where it was not green."""
    taken = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            with contextlib.closing(connect(server.port)) as connection:
                connection.request("GET", "/ping")
                green = connection.getresponse().status == 200
        except OSError:
            green = False
        taken.append(time.monotonic() - start if green else float("inf"))
        time.sleep(max(0.0, 1 - taken[-1]))
    return taken


def main() -> None:
    """Soak, and say what came of it; exit code 1 where something is amiss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    if not installed():
        sys.exit("this needs wrk: apt-get install wrk")
    customers = records(made_up(400_000))[:1000]
    with tempfile.TemporaryDirectory() as name:
        serve = ("-m", "ordergap", "serve", "--model_dir", str(train(Path(name))))
        with running(*serve) as server:
            Flood(server.port, customers, "application/json", 16, 5).result()
            workers, before = server.workers(), memory(server)
            floods = {
                "one customer": Flood(
                    server.port, customers, "application/json", options.connections, options.seconds
                ),
                "1,000 customers": Flood(
                    server.port,
                    [b"\n".join(customers)],
                    "application/jsonlines",
                    2,
                    options.seconds,
                ),
            }
            taken = pings(server, options.seconds)
            loads = {what: flood.result() for what, flood in floods.items()}
            grown = memory(server) - before
            same = server.workers() == workers
    for what, load in loads.items():
        print(
            f"{what}: {load.total} requests, {load.rate:.0f} a second, {load.failed} failed, "
            f"p50 {load.p50 * 1e3:.0f} ms, p99 {load.p99 * 1e3:.0f} ms"
        )
    print(f"{len(taken)} pings, the slowest {max(taken) * 1e3:.0f} ms; memory {grown:+.0f} MiB")
    amiss = [f"a ping took {max(taken):.1f} s"] * (max(taken) > SLOWEST)
    amiss += ["requests failed"] * any(load.failed for load in loads.values())
    amiss += ["a worker died"] * (not same)
    print("; ".join(amiss) or "no ping over two seconds, no failed request, no dead worker")
    sys.exit(len(amiss) > 0)


if __name__ == "__main__":
    main()
