"""How good the forecasts are: learnt until a day, judged by what came after, beside naive.

python -m benchmarks.quality [OBJECTIVE or TRAINER ...]     Online Retail, where present, and CDNOW

Protocol B forecasts the gap of every later order, at that order; protocol A, at the cutoff, how
long every known customer will still wait.
"""

from __future__ import annotations

import datetime
import sys
import tempfile
from pathlib import Path

from container import features, ingest
from container.contract.hyperparameters import Hyperparameters, parse
from container.contract.manifest import inner_level
from container.evaluation.judge import judge
from container.histories import Histories, day_of
from container.targets import orders_after, waits_from
from container.training.fitting import fit_all, search
from container.training.split import temporal_split
from local.quickstart import cdnow

RETAIL = Path("../shared/data/online_retail.csv.gz")
METRICS = ("capped_mae", "concordance", "auc_30", "brier_30", "coverage", "width")


def rows(trainers: tuple[str, ...] = ("naive", "hazard")) -> list[tuple[str, ...]]:
    """A row for each data set, protocol and trainer: their names, then METRICS."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        file, words = cdnow(Path(folder))
        columns = parse(
            {name.lstrip("-"): value for name, value in zip(words[::2], words[1::2], strict=True)}
        )
        orders = ingest.read(file, columns.columns).histories
        sets = [("CDNOW", orders, datetime.date(1998, 2, 14), (136, 90))]
    if RETAIL.exists():
        orders = ingest.read(RETAIL, Hyperparameters().columns).histories
        sets.insert(0, ("Online Retail", orders, datetime.date(2011, 9, 6), (94, 60)))
    for name, orders, as_of, caps in sets:
        for trainer in trainers:
            key = "trainer" if trainer in ("naive", "lstm", "random-forest") else "objective"
            for protocol, judged in both_protocols(
                orders, day_of(as_of), caps, parse({key: trainer})
            ).items():
                figures = (f"{judged[metric]:.4g}" for metric in METRICS)
                result.append((name, protocol, trainer, *figures))
    return result


def both_protocols(
    orders: Histories, as_of: int, caps: tuple[int, int], hyperparameters: Hyperparameters
) -> dict[str, dict[str, float]]:
    """What the training job would make of the orders until `as_of`, judged by those after it."""
    past, end = orders.until(as_of), int(orders.day.max())
    split = temporal_split(past, hyperparameters.validation_fraction)
    findings = search(hyperparameters, split, calendar=False)
    model, _ = fit_all(hyperparameters, past, as_of, findings.found, calendar=False)
    level = inner_level(findings.interval_levels, hyperparameters.interval_level)
    matrix = features.compute(orders, model.feature_names)
    later = {"A": waits_from(orders, as_of, end), "B": orders_after(orders, as_of, end)}
    return {
        protocol: judge(model.survival(matrix[targets.row]), targets, level, cap)
        for (protocol, targets), cap in zip(later.items(), caps, strict=True)
    }


def main() -> None:
    """Print the table for the trainers that are named."""
    print("| data | protocol | trainer |", " | ".join(METRICS), "|")
    print("|" + " --- |" * (3 + len(METRICS)))
    for row in rows(*([tuple(sys.argv[1:])] if sys.argv[1:] else [])):
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    main()
