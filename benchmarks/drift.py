"""How often inputs of a healthy shop are called drifted, and how often faults are found.

python -m benchmarks drift

Every week of Online Retail, where present, of CDNOW, and of a tenth of the customers of each, whose
last 28 days are held against the 84 before. A fault is put into the last 28 days. A week in which a
shop did change is no false alarm: CDNOW its prices, in September 1997.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ordergap import ingest
from ordergap.contract.hyperparameters import parse
from ordergap.evaluation.drift import DAYS, Drift, drift
from ordergap.histories import Histories, date_of

from benchmarks.cutoff import cases

PARTS = 10
Fault = Callable[[Histories, NDArray[np.bool_]], Histories]


def amounts_times(factor: float) -> Fault:
    """Amounts of the rows are so many times as large."""
    return lambda h, rows: replace(h, amount=np.where(rows, factor * h.amount, h.amount))


def _of(whole: Histories, customer: NDArray[np.int64], count: int) -> Histories:
    """The same orders, each of one of so many customers, who have numbers for names."""
    names = [*map(str, range(count))]
    return Histories.from_orders(names, customer, whole.day, whole.amount, whole.items, whole.lines)


def anonymous(whole: Histories, rows: NDArray[np.bool_]) -> Histories:
    """Each order of the rows is of a customer of its own, as of guests."""
    known = len(whole.customer_ids)
    owner = np.where(rows, known + np.arange(len(rows)), whole.customer)
    return _of(whole, owner, known + len(rows))


def ten_as_one(whole: Histories, rows: NDArray[np.bool_]) -> Histories:
    """Ten customers each have one name in the rows, as where ids are cut."""
    owner = whole.customer
    return _of(whole, np.where(rows, owner // 10 * 10, owner), len(whole.customer_ids))


FAULTS: dict[str, Fault] = {
    "amounts x 1.2": amounts_times(1.2),
    "amounts x 1.3": amounts_times(1.3),
    "amounts x 2": amounts_times(2.0),
    "amounts / 1.3": amounts_times(1 / 1.3),
    "each order a new customer": anonymous,
    "ten customers as one": ten_as_one,
    "items unknown": lambda h, rows: replace(h, items=np.where(rows, np.nan, h.items)),
}


def main() -> None:
    """Print a line for each data set and for each fault, and of parts of the customers."""
    with tempfile.TemporaryDirectory() as name:
        for data, file, columns in cases(Path(name)):
            whole = ingest.read(file, parse(columns).columns).histories
            random, customers = np.random.default_rng(0), len(whole.customer_ids)
            tenth = random.random(customers) < 1 / PARTS
            _faults(_healthy(data, whole))
            _faults(_healthy(f"a tenth of {data}", whole.of(tenth)))
            part = random.integers(0, PARTS, customers)
            for i in range(PARTS):
                _healthy(f"part {i + 1} of {PARTS} of {data}", whole.of(part == i))


def _healthy(data: str, whole: Histories) -> list[tuple[int, Histories]]:
    """Print the weeks that drifted; the quiet ones, each by its day with the orders until then."""
    weeks = {
        day: found
        for day in range(int(whole.day.max()), int(whole.day.min()), -7)
        if (found := drift(whole.until(day), day)).features
    }
    said = {day: ", ".join(names) for day, found in weeks.items() if (names := _drifted(found))}
    print(f"{data}: {len(weeks)} weeks, drifted in {len(said)}"
          + "".join(f"; {date_of(day)} {names}" for day, names in said.items()))  # fmt: skip
    return [(day, whole.until(day)) for day in weeks if day not in said]


def _faults(quiet: Sequence[tuple[int, Histories]]) -> None:
    for fault, put in FAULTS.items():
        hits = [bool(_drifted(drift(put(past, past.day > day - DAYS), day))) for day, past in quiet]
        print(f"  {fault}: found in {np.mean(hits):.0%}")


def _drifted(found: Drift) -> list[str]:
    return [f"{name} {each.excess:.2f}" for name, each in found.features.items() if each.drifted]


if __name__ == "__main__":
    main()
