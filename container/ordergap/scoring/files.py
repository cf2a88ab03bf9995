"""Every customer of a file or frame of transactions, forecast at once or into a file."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ordergap import ingest
from ordergap.artifacts import Bundle, Forecasts
from ordergap.errors import MissingColumn, UserError
from ordergap.histories import Histories, date_of
from ordergap.scoring import encoders
from ordergap.scoring.answer import Answer
from ordergap.scoring.options import Options

BATCH = 8192  # customers forecast at once: beside the orders, memory holds no more than these
PROGRESS = 50  # batches between two lines of progress
_FORMS = {".csv": encoders.CSV, ".jsonl": encoders.JSON_LINES}

log = logging.getLogger("ordergap")


def form_of(output: Path) -> str:
    """The form in which a file of this name is written; UserError where its ending is unknown."""
    if output.suffix.lower() not in _FORMS:
        raise UserError(f"cannot write {output}: its name must end in {' or '.join(_FORMS)}")
    return _FORMS[output.suffix.lower()]


def predict(bundle: Bundle, orders: ingest.Orders, options: Options) -> Forecasts:
    """The forecasts of every customer of `orders`, a path of transactions or a frame of them.

    They are as of the last day of `orders` where `options` name none. Raises DataError where there
    is no order until then.
    """
    histories, day = _read(bundle, orders, options.as_of)
    return bundle.forecast(
        histories, day, options.horizons, options.interval_level, options.explain or 0
    )


def _read(bundle: Bundle, orders: ingest.Orders, as_of: int | None) -> tuple[Histories, int]:
    """The histories to forecast from, and the day as of which: the last one where `as_of` is None.

    Raises DataError where there is no order until `as_of`.
    """
    until = None if as_of is None else date_of(as_of)
    try:
        cleaned = ingest.read(orders, bundle.manifest.hyperparameters.columns, as_of=until)
    except MissingColumn as error:
        raise MissingColumn(
            f"{error}. The model reads the columns that it was fitted with: rename yours, or fit "
            "again with these settings"
        ) from error
    log.info(ingest.describe(cleaned.report))
    histories = cleaned.histories
    day = int(histories.day.max()) if as_of is None else as_of
    if bundle.manifest.as_of > date_of(day):
        log.warning(
            "the model was trained on orders until %s, which is after as_of %s: these forecasts "
            "look better than forecasts of the future can",
            bundle.manifest.as_of,
            date_of(day),
        )
    count = len(histories.customer_ids)
    log.info("forecasting %s customers as of %s", f"{count:,}", date_of(day))
    return histories, day


def predict_file(
    bundle: Bundle, orders: ingest.Orders, output: Path, options: Options
) -> Counter[str]:
    """As `predict`, into a file, a batch of customers at a time; how many are of each kind.

    output  ends in .csv (with a header) or .jsonl; it appears there when it is complete

    Raises UserError for another ending, besides what `predict` raises.
    """
    form = form_of(output)
    histories, day = _read(bundle, orders, options.as_of)
    customers = len(histories.customer_ids)
    counts: Counter[str] = Counter()
    with _appearing(output) as file:
        for i, batch in enumerate(histories.batches(BATCH)):
            forecasts = bundle.forecast(
                batch, day, options.horizons, options.interval_level, options.explain or 0
            )
            first = form == encoders.CSV and i == 0
            answer = Answer(forecasts)
            file.write(encoders.encode(answer, encoders.CSV_WITH_HEADER if first else form))
            for task in forecasts.tasks.values():
                counts.update(task.counts())
            if i % PROGRESS == PROGRESS - 1:
                log.info("%s of %s customers", f"{(i + 1) * BATCH:,}", f"{customers:,}")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    log.info("wrote %s forecasts to %s%s", f"{customers:,}", output, f": {kinds}" if kinds else "")
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
