"""Reading and cleaning compared with unzipping and counting lines, and the memory of a large file.

python -m benchmarks.ingest [--large] [--against REVISION]

    --large    twenty times Online Retail, 10.8 million lines, too
    --against  the same, and CDNOW, by the package of another revision too, in turns

Uses Online Retail if it is beside the repository, else generated lines of the same shape.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ordergap import ingest
from ordergap.contract.orders import Columns

from local import cdnow

ROOT = Path(__file__).parents[1]
ONLINE_RETAIL = ROOT.parent / "shared" / "data" / "online_retail.csv.gz"
PAIRS = 9
READS = """
import json, sys, time
from ordergap import ingest
from ordergap.contract.orders import Columns
columns = Columns(**json.loads(sys.argv[3]))
seconds = []
for _ in range(int(sys.argv[2]) + 1):
    start = time.perf_counter()
    ingest.read(sys.argv[1], columns)
    seconds.append(time.perf_counter() - start)
print(min(seconds[1:]))
"""
READ = """
import re, sys, time
from pathlib import Path
from ordergap import ingest
from ordergap.contract.orders import Columns
start = time.perf_counter()
ingest.read(sys.argv[1], Columns())
peak = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
print(time.perf_counter() - start, int(peak) * 1024)
"""


def made_up(lines: int = 540_000, seed: int = 42) -> Iterator[bytes]:
    """A header and lines like those of Online Retail."""
    random = np.random.default_rng(seed)
    yield b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    invoices = np.sort(random.integers(0, lines // 21, lines))
    customers = random.integers(12_000, 16_400, lines // 21)[invoices]
    products = (4_000 * random.random(lines) ** 3).astype(int)
    quantities = random.geometric(0.1, lines)
    for invoice, customer, product, quantity in zip(
        *(column.tolist() for column in (invoices, customers, products, quantities)), strict=True
    ):
        day, minute = invoice // 85, invoice % 600
        moment = np.datetime64("2010-12-01T08:00:00") + np.timedelta64(day * 1440 + minute, "m")
        back = invoice % 60 == 59
        yield (
            f"{'C' * back}{536365 + invoice},{10_000 + product},PRODUCT OF SOME KIND {product},"
            f"{-quantity if back else quantity},{str(moment).replace('T', ' ')},"
            f"{product % 97 / 10 + 0.25:.2f},{customer if invoice % 4 else ''},United Kingdom\n"
        ).encode()


def rows(large: bool = False, against: str | None = None) -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio) for each figure."""
    with tempfile.TemporaryDirectory() as name:
        source = ONLINE_RETAIL
        if not source.is_file():
            source = Path(name, "orders.csv.gz")
            with gzip.open(source, "wb") as file:
                file.writelines(made_up())
        report = ingest.read(source, Columns()).report
        reading, scan = np.transpose([(_reading(source), _scanning(source)) for _ in range(PAIRS)])
        ratio = float(np.median(reading / scan))
        table = [
            (
                f"reading and cleaning {report.rows_read:,} lines (.csv.gz)",
                f"{np.median(reading):.2f} s",
                f"unzip and scan {np.median(scan):.2f} s",
                f"{ratio:.2f}",
            ),
            _alone("the same in a fresh process", source),
        ]
        if against:
            other = Path(name, "other")
            _check_out(against, other)
            table.append(_against(f"the same, against {against}", other, source, {}))
            path = cdnow.write(Path(name))
            table.append(_against(f"CDNOW, against {against}", other, path, cdnow.COLUMNS))
        if large:
            many = Path(name, "many.csv")
            _repeat(source, many, times=20)
            table.append(_alone(f"{20 * report.rows_read:,} lines (.csv)", many))
    return table


def _reading(source: Path) -> float:
    start = time.perf_counter()
    ingest.read(source, Columns())
    return time.perf_counter() - start


def _scanning(source: Path) -> float:
    start = time.perf_counter()
    gzip.decompress(source.read_bytes()).count(b"\n")
    return time.perf_counter() - start


def _check_out(revision: str, folder: Path) -> None:
    """The package of another revision, in a new folder."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", revision, "container"], cwd=ROOT, check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)


def _against(
    label: str, other: Path, source: Path, columns: dict[str, str]
) -> tuple[str, str, str, str]:
    """Reading by this revision and another, in turns, each in processes of its own."""
    seconds: dict[Path, list[float]] = {ROOT: [], other: []}
    for _ in range(PAIRS):
        for each, found in seconds.items():
            found.append(
                float(
                    subprocess.check_output(
                        [sys.executable, "-c", READS, source, str(PAIRS), json.dumps(columns)],
                        env={"PYTHONPATH": str(each / "container")},
                    )
                )
            )
    mine, others = (np.array(found) for found in seconds.values())
    ratio = float(np.median(mine / others))
    return label, f"{np.median(mine):.3f} s", f"{np.median(others):.3f} s", f"{ratio:.2f}"


def _alone(label: str, source: Path) -> tuple[str, str, str, str]:
    command = [sys.executable, "-c", READ, str(source)]
    seconds, peak = map(float, subprocess.check_output(command, text=True).split())
    return label, f"{seconds:.2f} s, peak {peak / 1e6:,.0f} MB", "", ""


def _repeat(source: Path, target: Path, times: int) -> None:
    """Repeat the lines, each time with other customers, so that they are no duplicates."""
    with target.open("wb") as file:
        for copy in range(times):
            with gzip.open(source) as lines:
                head = next(lines)
                file.write(b"" if copy else head)
                for line in lines:
                    rest, customer, country = line.rsplit(b",", 2)
                    file.write(b"%s,%s%02d,%s" % (rest, customer, copy, country)
                               if customer else line)  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--large", action="store_true", help="twenty times as many lines too")
    parser.add_argument("--against", metavar="REVISION", help="read by that revision too")
    asked = parser.parse_args()
    for row in rows(asked.large, asked.against):
        print(*row, sep="  |  ")


if __name__ == "__main__":
    main()
