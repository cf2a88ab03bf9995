"""Served orders beside those that a model learnt from: false alarms, faults found, and the cost.

python -m benchmarks inputs

A model of every fourth week of Online Retail, where present, and of CDNOW serves for five weeks.
Every customer is asked about, half of them, or each at each order. Then two applications of one
model, one of which has no reference, are asked in turn.
"""

from __future__ import annotations

import datetime
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from flask.testing import FlaskClient
from numpy.typing import NDArray
from ordergap import features, ingest
from ordergap.contract.hyperparameters import parse
from ordergap.contract.reference import FeatureReference
from ordergap.evaluation.drift import DAYS, FEATURES
from ordergap.evaluation.inputs import counted
from ordergap.features.bins import counts
from ordergap.forecaster import Forecaster, fit
from ordergap.histories import Histories
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings

from benchmarks.cutoff import cases
from benchmarks.features import made_up
from benchmarks.predict import TREES, write_orders
from benchmarks.serving import records

LEAST = 300  # orders served: a third of what the alert asks for, as these shops are small
FACTORS = (1.0, 1.2, 1.3, 2.0)
SINGLE, BATCH = 3000, 100  # requests that are timed, of one customer and of a thousand

_BEFORE_FEW = 14_800  # the day from which on made-up orders are few

Asked = Callable[[Histories, int], NDArray[np.bool_]]


def everybody(orders: Histories, day: int) -> NDArray[np.bool_]:
    """The last order of each customer."""
    last = np.zeros(len(orders), bool)
    last[orders.last_row] = True
    recent: NDArray[np.bool_] = last & (orders.day > day - DAYS)
    return recent


def half(orders: Histories, day: int) -> NDArray[np.bool_]:
    """Of every second customer."""
    other: NDArray[np.bool_] = everybody(orders, day) & (orders.customer % 2 == 0)
    return other


def at_each_order(orders: Histories, day: int) -> NDArray[np.bool_]:
    """Every order, as the last one at its day."""
    asked: NDArray[np.bool_] = orders.day > day - DAYS
    return asked


def excess(served: NDArray[np.int64], learnt: Sequence[int]) -> float:
    """The stability index less what chance makes it, as the recording rules have it."""
    one, other = (np.asarray(each) + 0.5 for each in (served, learnt))
    one, other = one / one.sum(), other / other.sum()
    index = ((one - other) * np.log(one / other)).sum()
    return float(index - (len(learnt) - 1) * (1 / served.sum() + 1 / sum(learnt)))


def drifted(
    orders: Histories, rows: NDArray[np.bool_], reference: Mapping[str, FeatureReference]
) -> list[str]:
    """The features of which the alert would sound."""
    values = features.compute(orders, [*reference], rows).astype(float)
    return [
        name
        for column, (name, own) in zip(values.T, reference.items(), strict=True)
        if excess(counts(column, np.array(own.edges)), own.orders) > own.limit
    ]


def alarms(data: str, whole: Histories, asked: Asked) -> None:
    """Print how many weeks sound, healthy and with dearer orders since the training."""
    first, last = int(whole.day.min()), int(whole.day.max())
    weeks, late = 0, 0  # late: weeks whose 28 days are all dear
    found, names = Counter[tuple[float, bool]](), Counter[str]()
    for trained in range(first + 142, last - 7, DAYS):
        if not (reference := counted(whole.until(trained), trained, FEATURES)):
            continue
        for day in range(trained + 7, min(trained + 36, last + 1), 7):
            known = whole.until(day)
            rows = asked(known, day)
            if np.count_nonzero(rows) < LEAST:
                continue
            weeks, late = weeks + 1, late + (day >= trained + DAYS)
            for factor in FACTORS:
                dearer = np.where(known.day > trained, factor * known.amount, known.amount)
                which = drifted(replace(known, amount=dearer), rows, reference)
                found[factor, day >= trained + DAYS] += bool(which)
                names.update(which if factor == 1 else ())
    hits = ", ".join(
        f"x {factor}: {(found[factor, False] + found[factor, True]) / weeks:.0%}, "
        f"late {found[factor, True] / late:.0%}"
        for factor in FACTORS[1:]
    )
    sound = found[1.0, False] + found[1.0, True]
    print(f"{data}, {asked.__name__}: {weeks} weeks, {sound} sound {dict(names)}; {hits}")


def cost() -> None:
    """Print the CPU of requests that are counted, beside the same ones that are not."""
    customers = [_as_of_last_order(record) for record in records(made_up(400_000))[:1000]]
    with tempfile.TemporaryDirectory() as name:
        write_orders(made_up(100_000).until(_BEFORE_FEW), Path(name) / "orders.csv")
        model = fit(Path(name) / "orders.csv", quiet=True, num_round=TREES, early_stopping_rounds=0)
    assert model.reference  # noqa: S101 - made by this version
    assert model.reference.features  # noqa: S101 - of orders enough
    models = (Forecaster(model.bundle, None, each) for each in (model.reference, None))
    clients = [create_app(each, Settings(), datetime.date.today).test_client() for each in models]
    for what, bodies, times in (
        ("one customer", customers, SINGLE),
        ("1,000 customers", [b"\n".join(customers)], BATCH),
    ):
        taken = np.empty((times, 2))
        for i in range(times):
            for j in (0, 1) if i % 2 else (1, 0):  # the second finds caches that are warm
                taken[i, j] = _cpu(clients[j], bodies[i // 2 % len(bodies)])
        counted_ms, plain_ms = np.median(taken, axis=0) * 1e3
        more = np.median(taken[:, 0] - taken[:, 1]) * 1e3
        print(
            f"{what}: {counted_ms:.3f} ms of CPU, without {plain_ms:.3f} ms; "
            f"median of the differences {more:+.4f} ms, {more / plain_ms:+.1%}"
        )


def _as_of_last_order(record: bytes) -> bytes:
    """Then the order is counted."""
    content = json.loads(record)
    return json.dumps(content | {"as_of": content["orders"][-1]["date"]}).encode()


def _cpu(client: FlaskClient, body: bytes) -> float:
    """CPU seconds of one request, but for its transport."""
    start = time.thread_time()
    answer = client.post("/invocations", data=body, content_type="application/jsonlines")
    taken = time.thread_time() - start
    assert answer.status_code == 200, answer.text  # noqa: S101 - else nothing is measured
    return taken


def main() -> None:
    """Print a line for each data set and who is asked about, then one for each request."""
    with tempfile.TemporaryDirectory() as name:
        for data, file, columns in cases(Path(name)):
            whole = ingest.read(file, parse(columns).columns).histories
            for asked in (everybody, half, at_each_order):
                alarms(data, whole, asked)
    cost()


if __name__ == "__main__":
    main()
