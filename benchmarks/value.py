"""What customers will spend: how good the forecast is beside baselines, and what it costs.

python -m benchmarks.value [SCORE]            two cutoffs of Online Retail, where present, and CDNOW
python -m benchmarks.value --at DATE ORDERS   one cutoff of a file with the default columns

Learnt until the cutoff with the defaults, judged by the 90 days after it, everybody counted. SCORE:
only this one of each row; d2, gini and the others of metrics.json.
"""

from __future__ import annotations

import datetime
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from ordergap import ingest
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.contract.orders import Columns
from ordergap.evaluation.compare import compare
from ordergap.evaluation.value import METRICS, ValueEvaluation
from ordergap.histories import day_of
from ordergap.models.base import Head
from ordergap.survival.curve import Survival
from ordergap.survival.renewal import expected_orders
from ordergap.tasks.base import Fit, Learning, Split, Validation
from ordergap.tasks.next_order import NextOrder
from ordergap.tasks.value import Value
from ordergap.training.job import learning
from ordergap.training.split import later_split, temporal_split

from local import cdnow

RETAIL = Path("../shared/data/online_retail.csv.gz")
CUTOFFS = {
    "Online Retail": ("2011-07-11", "2011-09-10"),
    "CDNOW": ("1997-12-01", "1998-02-01"),
}
SHOWN = (
    "d2", "gini", "top_decile", "total", "decile_error", "rmse", "coverage", "pinball",
    "brier_none",
)  # fmt: skip
DAYS, REPLICATES = 90, 200
_CUSTOMERS, _RUNS = 1000, 9


@dataclass(frozen=True)
class Judged:
    """One cutoff: what was expected and came, and CPU seconds of both final fits."""

    evaluation: ValueEvaluation
    curves: float
    value: float


def judged(file: Path, columns: Columns, cutoff: datetime.date) -> Judged:
    """What a training job until the cutoff makes of the orders, as the file was read then."""
    hyperparameters = Hyperparameters(value_horizon=DAYS)
    until = cutoff + datetime.timedelta(DAYS)
    past, known = (ingest.read(file, columns, as_of=day).histories for day in (cutoff, until))
    inner = temporal_split(past, hyperparameters.validation_fraction)
    before = learning(hyperparameters, inner.past, inner.cutoff)
    whole = learning(hyperparameters, past, day_of(cutoff))
    curves, seconds = _fitted(NextOrder(), before, whole, inner)
    value, of_value = _fitted(
        Value(),
        replace(before, heads={"next_order": curves[0].head}),
        replace(whole, heads={"next_order": curves[1].head}),
        inner,
    )
    heads: dict[str, Head] = {"next_order": curves[1].head}
    split = replace(later_split(past, known), cutoff=day_of(cutoff), as_of=day_of(until))
    evaluations = Value().evaluate(
        replace(whole, heads=heads), Validation(), split, {MODEL: value[1].head}
    )
    judged = cast("ValueEvaluation", evaluations[EvaluationProtocol.AT_CUTOFF])
    return Judged(judged, seconds, of_value)


def _fitted(
    task: NextOrder | Value, before: Learning, whole: Learning, inner: Split
) -> tuple[tuple[Fit, Fit], float]:
    """The validated and the final head, and the CPU seconds of the latter."""
    validation = task.search(before, inner)
    begun = time.process_time()
    final = task.fit(whole, validation)
    seconds = time.process_time() - begun
    return (cast("Fit", validation.fit), final), seconds


def cases(folder: Path) -> Iterator[tuple[str, Path, Columns, datetime.date]]:
    """Data, file, columns and cutoff."""
    files = {"Online Retail": (RETAIL, Columns())} if RETAIL.exists() else {}
    files["CDNOW"] = cdnow.write(folder), Columns(**cdnow.COLUMNS)
    for data, (file, columns) in files.items():
        for cutoff in CUTOFFS[data]:
            yield data, file, columns, datetime.date.fromisoformat(cutoff)


def rows() -> list[tuple[str, str, str, str]]:
    """(measurement, result, baseline, ratio): renewal, and fits."""
    table = [_renewal()]
    with tempfile.TemporaryDirectory() as folder:
        for data, file, columns, cutoff in cases(Path(folder)):
            once = judged(file, columns, cutoff)
            table.append((
                f"fit of value, {data} until {cutoff}",
                f"{once.value:.2f} s of CPU",
                f"fit of the curves {once.curves:.2f} s",
                f"{once.value / once.curves:.2f}",
            ))  # fmt: skip
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


def lines(name: str, each: Judged, scores: Sequence[str]) -> Iterator[str]:
    """The scores of the model and its baselines, and the differences with their intervals."""
    evaluation = each.evaluation
    none = 1 - float(evaluation.ordered.mean())
    yield f"{name}: {len(evaluation.came):,} customers, {none:.0%} buy nothing"
    compared = compare([evaluation], 42, REPLICATES)
    for model, metrics in compared.metrics.items():
        yield f"  {model:24}" + "".join(f"{key} {metrics[key]:.4g}  " for key in scores)
    for baseline, differences in compared.differences.items():
        parts = (
            "{} {:+.3f} ({:+.3f} to {:+.3f})".format(key, *differences[key])
            for key in scores
            if METRICS[key].better and np.isfinite(differences[key][0])
        )
        yield f"  less {baseline:24}" + "  ".join(parts)
    yield f"  CPU of the final fits: curves {each.curves:.2f} s, value {each.value:.2f} s"


def main() -> None:
    """Print the tables."""
    words = sys.argv[1:]
    if words[:1] == ["--at"]:
        day, orders = words[1:]
        each = judged(Path(orders), Columns(), datetime.date.fromisoformat(day))
        print("\n".join(lines(f"{orders} {day}", each, SHOWN)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for data, file, columns, cutoff in cases(Path(folder)):
            each = judged(file, columns, cutoff)
            print("\n".join(lines(f"{data} {cutoff}", each, words or SHOWN)), flush=True)


if __name__ == "__main__":
    main()
