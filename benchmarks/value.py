"""What value and large orders cost: fits beside the curves', and requests of a thousand customers.

How good it is: python -m benchmarks targets.
"""

from __future__ import annotations

import datetime
import itertools
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import ordergap
from ordergap import ingest
from ordergap.contract.hyperparameters import parse
from ordergap.histories import date_of
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings
from ordergap.survival.curve import Survival
from ordergap.survival.renewal import expected_orders

from benchmarks.cutoff import CUTOFFS, cases, learnt

DAYS = 90
ASKED: Mapping[str, Mapping[str, object]] = {
    "value": {"value_horizons": [DAYS]},
    "value and large orders": {"value_horizons": [DAYS], "large_thresholds": [50]},
}
_CUSTOMERS, _RUNS = 1000, 9


def rows() -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio): renewal, requests and fits."""
    table = [_renewal()]
    with tempfile.TemporaryDirectory() as folder:
        for data, file, columns in cases(Path(folder)):
            table += _requests(data, file, columns)
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


def _requests(data: str, file: Path, columns: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """Processor seconds of a request that asks for more than dates, beside one that does not."""
    model = ordergap.fit(file, quiet=True, **columns)
    histories = ingest.read(file, parse(columns).columns).histories
    instances = [
        {
            "customer_id": histories.customer_ids[i],
            "orders": [
                {"date": str(date_of(day)), "amount": amount}
                for day, amount in zip(
                    histories.day[first:end].tolist(),
                    histories.amount[first:end].tolist(),
                    strict=True,
                )
            ],
        }
        for i, (first, end) in enumerate(itertools.pairwise(histories.offsets.tolist()))
        if i < _CUSTOMERS
    ]
    last = date_of(int(histories.day.max()))
    client = create_app(model, Settings(), lambda: last).test_client()
    questions = {"": {}, **ASKED}
    seconds = dict.fromkeys(questions, np.inf)
    for _ in range(_RUNS):  # in turns: the machine's other work slows each alike
        for name, asked in questions.items():
            body = json.dumps({"instances": instances, **asked})
            begun = time.process_time()
            answer = client.post("/invocations", data=body, content_type="application/json")
            seconds[name] = min(seconds[name], time.process_time() - begun)
            if answer.status_code != 200:
                raise RuntimeError(answer.text)
    return [
        (
            f"request of {_CUSTOMERS:,} customers that asks for {name}, {data}",
            f"{seconds[name] * 1e3:.0f} ms of CPU",
            f"one that does not {seconds[''] * 1e3:.0f} ms",
            f"{seconds[name] / seconds['']:.2f}",
        )
        for name in ASKED
    ]


def _plain(curve: Survival, elapsed: float) -> float:
    days = np.arange(DAYS + 1.0)[:, None]
    first, later = (-np.diff(np.exp(curve.log_at(days + e))[:, 0]) for e in (elapsed, 0.0))
    first /= np.exp(curve.log_at(elapsed))[0]
    for day in range(1, DAYS):
        first[day] += later[:day] @ first[day - 1 :: -1]
    return float(first.sum())
