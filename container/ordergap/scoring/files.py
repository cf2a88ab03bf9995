"""Every customer of a transactions file, forecast into a file."""

from __future__ import annotations

import datetime
import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ordergap import ingest
from ordergap.artifacts import Bundle
from ordergap.errors import UserError
from ordergap.histories import Histories, date_of, day_of
from ordergap.scoring import encoders
from ordergap.scoring.answer import Answer

BATCH = 8192  # customers forecast at once: beside the orders, memory holds no more than these
PROGRESS = 50  # batches between two lines of progress
_FORMS = {".csv": encoders.CSV, ".jsonl": encoders.JSON_LINES}

log = logging.getLogger("ordergap")


def form_of(output: Path) -> str:
    """The form in which a file of this name is written; UserError where its ending is unknown."""
    if output.suffix.lower() not in _FORMS:
        raise UserError(f"cannot write {output}: its name must end in {' or '.join(_FORMS)}")
    return _FORMS[output.suffix.lower()]


def read(
    bundle: Bundle, orders: ingest.Orders, as_of: datetime.date | None = None
) -> tuple[Histories, int]:
    """The histories to forecast from, and the day as of which: the last one where `as_of` is None.

    orders  a path of transactions, or a frame of them

    Raises DataError where there is no order until `as_of`.
    """
    cleaned = ingest.read(orders, bundle.manifest.hyperparameters.columns, as_of=as_of)
    log.info(ingest.describe(cleaned.report))
    histories = cleaned.histories
    day = int(histories.day.max()) if as_of is None else day_of(as_of)
    if bundle.manifest.as_of > date_of(day):
        log.warning(
            "the model was trained on orders until %s, which is after as_of %s: these forecasts "
            "look better than forecasts of the future can",
            bundle.manifest.as_of,
            date_of(day),
        )
    log.info("forecasting %d customers as of %s", len(histories.customer_ids), date_of(day))
    return histories, day


def predict_file(
    bundle: Bundle, orders: ingest.Orders, output: Path, as_of: datetime.date | None = None
) -> Counter[str]:
    """Forecast every customer of a transactions file or folder; how many are of each kind.

    output  ends in .csv (with a header) or .jsonl; it appears there when it is complete
    as_of   the last day of the file when None; later orders are not looked at

    Raises UserError for another ending, and DataError where there is no order until `as_of`.
    """
    form = form_of(output)
    histories, day = read(bundle, orders, as_of)
    customers = len(histories.customer_ids)
    counts: Counter[str] = Counter()
    with _appearing(output) as file:
        for i, batch in enumerate(histories.batches(BATCH)):
            forecasts = bundle.forecast(batch, day)
            first = form == encoders.CSV and i == 0
            answer = Answer(forecasts)
            file.write(encoders.encode(answer, encoders.CSV_WITH_HEADER if first else form))
            for task in forecasts.tasks.values():
                counts.update(task.counts())
            if i % PROGRESS == PROGRESS - 1:
                log.info("%d of %d customers", (i + 1) * BATCH, customers)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    log.info("wrote %d forecasts to %s%s", customers, output, f": {kinds}" if kinds else "")
    return counts


@contextmanager
def _appearing(output: Path) -> Iterator[BinaryIO]:
    """A file that takes the name `output` when the block ends well, and else is gone."""
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
