"""CDNOW: 70,000 orders of a record shop, a standard data set of customer-base analysis."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

COLUMNS = {
    "customer_column": "customer",
    "date_column": "date",
    "quantity_column": "cds",
    "amount_column": "dollars",
}


def write(folder: Path) -> Path:
    """CDNOW as CSV in `folder`, from the Lifetimes package; its columns are `COLUMNS`."""
    package = importlib.util.find_spec("lifetimes")
    if package is None or package.origin is None:
        sys.exit("The package lifetimes, with the CDNOW data, is not installed; run make setup.")
    source = Path(package.origin).parent / "datasets" / "CDNOW_master.txt"
    path = folder / "cdnow.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS.values())
        for line in source.read_text(encoding="utf-8").splitlines()[1:]:
            customer, day, *values = line.split()
            rows.writerow([customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", *values])
    return path
