"""How often inputs of a healthy shop are called drifted, and how often faults are found.

python -m benchmarks.drift

Every week of Online Retail, where present, of CDNOW, and of a tenth of the customers of each, whose
last 28 days are held against the 84 before. A fault is put into the last 28 days.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ordergap import ingest
from ordergap.contract.hyperparameters import parse
from ordergap.evaluation.drift import DAYS, Drift, drift
from ordergap.histories import Histories, date_of

from benchmarks.cutoff import cases

Fault = Callable[[Histories, NDArray[np.bool_]], Histories]


def amounts_times(factor: float) -> Fault:
    """Amounts of the rows are so many times as large."""
    return lambda h, rows: replace(h, amount=np.where(rows, factor * h.amount, h.amount))


FAULTS: dict[str, Fault] = {
    "amounts x 1.2": amounts_times(1.2),
    "amounts x 1.3": amounts_times(1.3),
    "amounts x 2": amounts_times(2.0),
    "items unknown": lambda h, rows: replace(h, items=np.where(rows, np.nan, h.items)),
}


def main() -> None:
    """Print a line for each data set, and one for each fault."""
    with tempfile.TemporaryDirectory() as name:
        for data, file, columns in cases(Path(name)):
            whole = ingest.read(file, parse(columns).columns).histories
            tenth = np.random.default_rng(0).random(len(whole.customer_ids)) < 0.1
            _print(data, whole)
            _print(f"a tenth of {data}", whole.of(tenth))


def _print(data: str, whole: Histories) -> None:
    days = [
        (day, past)
        for day in range(int(whole.day.max()), int(whole.day.min()), -7)
        if drift(past := whole.until(day), day).features
    ]
    found = {day: _drifted(drift(past, day)) for day, past in days}
    which = Counter(name for names in found.values() for name in names)
    said = [f"{date_of(day)} {', '.join(names)}" for day, names in found.items() if names]
    print(f"{data}: {len(days)} weeks, drifted in {len(said)} {dict(which)}: {'; '.join(said)}")
    for fault, put in FAULTS.items():
        hits = [bool(_drifted(drift(put(past, past.day > day - DAYS), day))) for day, past in days]
        print(f"  {fault}: found in {np.mean(hits):.0%}")


def _drifted(found: Drift) -> list[str]:
    return [name for name, each in found.features.items() if each.drifted]


if __name__ == "__main__":
    main()
