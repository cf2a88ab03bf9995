"""How good the forecasts are: learnt until a day, judged by what came after, beside naive.

python -m benchmarks.quality [OBJECTIVE or TRAINER ...]     Online Retail, where present, and CDNOW
python -m benchmarks.quality --cutoffs [OBJECTIVE or TRAINER]  eight cutoffs, beside BG/NBD
python -m benchmarks.quality --short [OBJECTIVE or TRAINER]    three with one to three months before

At the order, the gap of every later order is forecast; at the cutoff, how long every known customer
will still wait.
"""

from __future__ import annotations

import datetime
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from ordergap import ingest
from ordergap.contract.hyperparameters import Hyperparameters, parse
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.contract.orders import Columns
from ordergap.contract.trainers import TRAINERS
from ordergap.evaluation.compare import compare
from ordergap.evaluation.gaps import GapEvaluation
from ordergap.evaluation.metrics import coverage_and_width
from ordergap.histories import day_of
from ordergap.tasks.next_order import NextOrder
from ordergap.training.job import learning
from ordergap.training.split import later_split, temporal_split

from local import cdnow

RETAIL = Path("../shared/data/online_retail.csv.gz")
METRICS = ("capped_mae", "concordance", "auc_30", "brier_30", "coverage", "width")
DECIDING = METRICS[:4]
RIVAL = "BG/NBD"
REPLICATES = 200
GROUPS = ("one order", "2 to 4 orders", "5 orders or more")
CUTOFFS = {
    "Online Retail": ("2011-06-09", "2011-07-24", "2011-09-07", "2011-10-10"),
    "CDNOW": ("1997-10-15", "1997-12-17", "1998-02-15", "1998-04-01"),
}
SHORT = {"Online Retail": ("2011-02-01", "2011-03-15"), "CDNOW": ("1997-04-01",)}


@dataclass(frozen=True)
class Case:
    """A file, the last day to learn from, and the days at which errors are capped, if any are."""

    data: str
    file: Path
    columns: Columns
    as_of: datetime.date
    caps: tuple[float, float] | None = None  # at cutoff, at order


def rows(trainers: Sequence[str] = ("naive", "hazard")) -> list[tuple[str, ...]]:
    """A row for each data set, trainer and protocol: their names, then METRICS."""
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            replace(case, as_of=as_of, caps=caps)
            for case in _data(Path(folder))
            for as_of, caps in [
                (datetime.date(2011, 9, 6), (94, 60))
                if case.data == "Online Retail"
                else (datetime.date(1998, 2, 14), (136, 90))
            ]
        ]
        return [
            (case.data, protocol, trainer, *(f"{metrics[name]:.4g}" for name in METRICS))
            for case in cases
            for trainer in trainers
            for protocol, each in judged(case, _named(trainer))[0].items()
            for metrics in [each.metrics(MODEL)]
        ]


def _data(folder: Path) -> Iterator[Case]:
    if RETAIL.exists():
        yield Case("Online Retail", RETAIL, Columns(), datetime.date.max)
    yield Case("CDNOW", cdnow.write(folder), Columns(**cdnow.COLUMNS), datetime.date.max)


def _named(trainer: str) -> Hyperparameters:
    return parse({"trainer" if trainer in TRAINERS else "objective": trainer})


def judged(
    case: Case, hyperparameters: Hyperparameters
) -> tuple[dict[EvaluationProtocol, GapEvaluation], int]:
    """What the training job makes of the rows until the cutoff, judged by what came after.

    The past is read as it stood then: later cancellations of its orders are not known yet. And the
    days of the window that the job itself validated on.
    """
    past = ingest.read(case.file, case.columns, as_of=case.as_of).histories
    whole = later_split(past, ingest.read(case.file, case.columns).histories)
    split = temporal_split(past, hyperparameters.validation_fraction)
    task = NextOrder()
    validation = task.search(learning(hyperparameters, split.past, split.cutoff), split)
    everything = learning(hyperparameters, past, day_of(case.as_of))
    heads = {MODEL: task.fit(everything, validation).head}
    caps = dict(zip(EvaluationProtocol, case.caps, strict=True)) if case.caps else None
    evaluations = task.evaluate(everything, validation, whole, heads, caps)
    return cast("dict[EvaluationProtocol, GapEvaluation]", evaluations), split.as_of - split.cutoff


def at_cutoffs(trainer: str, cutoffs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Lines: of each cutoff and protocol the model's metrics, less the rival's, and coverage."""
    hyperparameters = _named(trainer)
    with tempfile.TemporaryDirectory() as folder:
        for data in _data(Path(folder)):
            for cutoff in cutoffs[data.data]:
                day = datetime.date.fromisoformat(cutoff) - datetime.timedelta(1)
                evaluations, window = judged(replace(data, as_of=day), hyperparameters)
                for protocol, each in evaluations.items():
                    compared = compare([each], hyperparameters.seed, REPLICATES)
                    less = compared.differences[RIVAL]
                    yield f"{data.data} {cutoff}, {protocol}, {len(each.customer):,} rows"
                    for name in DECIDING:
                        mean, low, high = less[name]
                        yield (
                            f"  {name:12} {compared.metrics[MODEL][name]:8.4f}, less {RIVAL}'s "
                            f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
                        )
                    for cap in (window, 2 * window, each.cap):
                        yield f"  interval holds, capped at {cap:g} days: {_coverages(each, cap)}"


def _coverages(each: GapEvaluation, cap: float) -> str:
    """How often the model's interval holds, of all and of each group of orders."""
    forecast, what = each.forecasts[MODEL], each.outcomes
    groups = {"all": np.ones(len(each.customer), bool)} | {g: each.segments[g] for g in GROUPS}
    shares = (
        (
            name,
            coverage_and_width(
                forecast.low[some], forecast.high[some], what.gap[some], what.follow_up[some], cap
            ),
        )
        for name, some in groups.items()
    )
    return ", ".join(f"{name} {share:.2f} ({width:.0f} days)" for name, (share, width) in shares)


def main() -> None:
    """Print the table for the trainers that are named."""
    words = sys.argv[1:]
    options: dict[str, Mapping[str, Sequence[str]]] = {"--cutoffs": CUTOFFS, "--short": SHORT}
    for option, cutoffs in options.items():
        if option in words:
            words.remove(option)
            for line in at_cutoffs(words[0] if words else "hazard", cutoffs):
                print(line, flush=True)
            return
    print("| data | protocol | trainer |", " | ".join(METRICS), "|")
    print("|" + " --- |" * (3 + len(METRICS)))
    for row in rows(words or ("naive", "hazard")):
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    main()
