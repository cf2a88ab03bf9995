"""Training end to end with the default trainer: compared with boosting alone, and peak memory.

python -m benchmarks.training        on ../shared/data/online_retail.csv.gz, or generated orders
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.features import made_up
from benchmarks.predict import write_orders

RETAIL = Path("../shared/data/online_retail.csv.gz")
RUNS = 3


def once(source: Path) -> dict[str, float]:
    """A training job: seconds in total and in xgboost.train, and peak MiB."""
    import xgboost  # noqa: PLC0415
    from ordergap.contract.hyperparameters import Hyperparameters  # noqa: PLC0415
    from ordergap.forecaster import Forecaster  # noqa: PLC0415

    boosting = 0.0
    original = xgboost.train

    def timed(*arguments: object, **named: object) -> object:
        nonlocal boosting
        begun = time.perf_counter()
        booster = original(*arguments, **named)
        boosting += time.perf_counter() - begun
        return booster

    xgboost.train = timed  # type: ignore[assignment]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        Forecaster.fit(Hyperparameters(), source).save(folder)
    total = time.perf_counter() - begun
    # Not getrusage: its peak includes memory of the parent from before this process started.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return {"total": total, "boosting": boosting, "peak": peak}


def rows() -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio) for each figure: medians of a few processes."""
    with tempfile.TemporaryDirectory() as folder:
        source = RETAIL
        if not source.exists():
            source = Path(folder) / "orders.csv"
            write_orders(made_up(20_000, seed=1), source)
        command = [sys.executable, "-m", "benchmarks.training", str(source)]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            for _ in range(RUNS)
        ]
        size = source.stat().st_size / 2**20
    total, boosting, peak = (
        statistics.median(run[key] for run in runs) for key in ("total", "boosting", "peak")
    )
    ratio = statistics.median(run["total"] / run["boosting"] for run in runs)
    return [
        ("training in total", f"{total:.1f} s", f"boosting alone {boosting:.1f} s", f"{ratio:.2f}"),
        ("training's peak", f"{peak:.0f} MiB", f"file {size:.0f} MiB", f"{peak / size:.0f}"),
    ]


def main() -> None:
    """Print the figures, or measure one run on the named file."""
    if len(sys.argv) > 1:
        print(json.dumps(once(Path(sys.argv[1]))))
    else:
        for row in rows():
            print(*row, sep=" | ")


if __name__ == "__main__":
    main()
