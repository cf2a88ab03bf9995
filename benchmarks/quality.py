"""How good the forecasts are: learnt until a day, judged by what came after, beside naive.

python -m benchmarks.quality [OBJECTIVE or TRAINER ...]     Online Retail, where present, and CDNOW

At the order, the gap of every later order is forecast; at the cutoff, how long every known customer
will still wait.
"""

from __future__ import annotations

import datetime
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ordergap import ingest
from ordergap.contract.hyperparameters import Hyperparameters, parse
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.contract.orders import Columns
from ordergap.contract.trainers import TRAINERS
from ordergap.histories import day_of
from ordergap.tasks.next_order import NextOrder
from ordergap.training.job import learning
from ordergap.training.split import later_split, temporal_split

from local import cdnow

RETAIL = Path("../shared/data/online_retail.csv.gz")
METRICS = ("capped_mae", "concordance", "auc_30", "brier_30", "coverage", "width")


@dataclass(frozen=True)
class Case:
    """A file, the last day to learn from, and the days at which errors are capped."""

    data: str
    file: Path
    columns: Columns
    as_of: datetime.date
    cap_waits: int
    cap_orders: int


def rows(trainers: Sequence[str] = ("naive", "hazard")) -> list[tuple[str, ...]]:
    """A row for each data set, trainer and protocol: their names, then METRICS."""
    with tempfile.TemporaryDirectory() as folder:
        file = cdnow.write(Path(folder))
        columns = Columns(**cdnow.COLUMNS)
        cases = [Case("CDNOW", file, columns, datetime.date(1998, 2, 14), 136, 90)]
        if RETAIL.exists():
            last = datetime.date(2011, 9, 6)
            cases.insert(0, Case("Online Retail", RETAIL, Columns(), last, 94, 60))
        return [
            (case.data, protocol, trainer, *(f"{judged[metric]:.4g}" for metric in METRICS))
            for case in cases
            for trainer in trainers
            for protocol, judged in both_protocols(case, _named(trainer)).items()
        ]


def _named(trainer: str) -> Hyperparameters:
    return parse({"trainer" if trainer in TRAINERS else "objective": trainer})


def both_protocols(
    case: Case, hyperparameters: Hyperparameters
) -> dict[EvaluationProtocol, dict[str, float]]:
    """What the training job makes of the rows until the cutoff, judged by what came after.

    The past is read as it stood then: later cancellations of its orders are not known yet.
    """
    past = ingest.read(case.file, case.columns, as_of=case.as_of).histories
    whole = later_split(past, ingest.read(case.file, case.columns).histories)
    split = temporal_split(past, hyperparameters.validation_fraction)
    task = NextOrder()
    validation = task.search(learning(hyperparameters, split.past, split.cutoff), split)
    everything = learning(hyperparameters, past, day_of(case.as_of))
    heads = {MODEL: task.fit(everything, validation).head}
    caps = {
        EvaluationProtocol.AT_CUTOFF: case.cap_waits,
        EvaluationProtocol.AT_ORDER: case.cap_orders,
    }
    return {
        protocol: judged.metrics(MODEL)
        for protocol, judged in task.evaluate(everything, validation, whole, heads, caps).items()
    }


def main() -> None:
    """Print the table for the trainers that are named."""
    print("| data | protocol | trainer |", " | ".join(METRICS), "|")
    print("|" + " --- |" * (3 + len(METRICS)))
    for row in rows(sys.argv[1:] or ("naive", "hazard")):
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    main()
