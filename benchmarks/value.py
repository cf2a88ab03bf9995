"""What value costs: a fit beside the curves', and orders of a thousand customers.

How good it is: python -m benchmarks targets.
"""

from __future__ import annotations

import datetime
import tempfile
import time
from pathlib import Path

import numpy as np
from ordergap.contract.hyperparameters import parse
from ordergap.survival.curve import Survival
from ordergap.survival.renewal import expected_orders

from benchmarks.cutoff import CUTOFFS, cases, learnt

DAYS = 90
_CUSTOMERS, _RUNS = 1000, 9


def rows() -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio): renewal, and fits."""
    table = [_renewal()]
    with tempfile.TemporaryDirectory() as folder:
        for data, file, columns in cases(Path(folder)):
            for cutoff in CUTOFFS[data]:
                day = datetime.date.fromisoformat(cutoff)
                seconds = learnt(file, parse(columns), day, DAYS).seconds
                curves = seconds["next_order"][1]
                table += [
                    (
                        f"fit of {task}, {data} until {cutoff}",
                        f"{fit:.2f} s of CPU",
                        f"fit of the curves {curves:.2f} s",
                        f"{fit / curves:.2f}",
                    )
                    for task, (_, fit) in seconds.items()
                    if task != "next_order"
                ]
    return table


def _renewal() -> tuple[str, str, str, str]:
    """Orders expected within 90 days, beside a plain loop over customers."""
    random = np.random.default_rng(1)
    days = np.unique(np.geomspace(1, 400, 16).astype(int)).astype(float)
    survival = Survival(days, -random.exponential(0.3, (_CUSTOMERS, len(days))).cumsum(axis=1))
    elapsed = random.integers(0, 200, _CUSTOMERS).astype(float)
    seconds = []
    for _ in range(_RUNS):
        begun = time.perf_counter()
        expected_orders(survival, elapsed, [DAYS])
        seconds.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    for i in range(_CUSTOMERS):
        curve = Survival(days, survival.log_s[i : i + 1])
        _plain(curve, float(elapsed[i]))
    plain, fast = time.perf_counter() - begun, float(np.median(seconds))
    return (
        f"orders of {_CUSTOMERS:,} customers within {DAYS} days",
        f"{fast * 1e3:.0f} ms",
        f"a loop over customers {plain * 1e3:.0f} ms",
        f"{plain / fast:.0f} x",
    )


def _plain(curve: Survival, elapsed: float) -> float:
    days = np.arange(DAYS + 1.0)[:, None]
    first, later = (-np.diff(np.exp(curve.log_at(days + e))[:, 0]) for e in (elapsed, 0.0))
    first /= np.exp(curve.log_at(elapsed))[0]
    for day in range(1, DAYS):
        first[day] += later[:day] @ first[day - 1 :: -1]
    return float(first.sum())
