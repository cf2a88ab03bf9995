"""Every customer of a file or frame of transactions, forecast at once or into a file."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ordergap import features, ingest
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import column_options
from ordergap.contract.orders import Columns, Conventions
from ordergap.contract.prediction import LAPSED_WITHIN
from ordergap.errors import (
    InvalidRequest,
    MissingColumn,
    Problem,
    UserError,
)
from ordergap.files import saving
from ordergap.frames import write_parquet
from ordergap.histories import Histories, date_of
from ordergap.ingest import attributes
from ordergap.ingest.attribute_rows import Customers
from ordergap.models.forecasts import Forecasts
from ordergap.scoring import encoders
from ordergap.scoring.answer import Answer
from ordergap.scoring.options import Options, refusal
from ordergap.scoring.selection import EVERYBODY, Selection
from ordergap.scoring.tables import to_frame

BATCH = 8192  # customers forecast at once: beside the orders, memory holds no more than these
PROGRESS = 50  # batches between two lines of progress
PARQUET = "parquet"
_FORMS = {".csv": encoders.CSV, ".jsonl": encoders.JSON_LINES, ".parquet": PARQUET}

log = logging.getLogger("ordergap")


def form_of(output: Path) -> str:
    """The form in which a file of this name is written; UserError where its ending is unknown."""
    if output.suffix.lower() not in _FORMS:
        *most, last = _FORMS
        raise UserError(f"cannot write {output}: its name must end in {', '.join(most)} or {last}")
    return _FORMS[output.suffix.lower()]


def predict(
    bundle: Bundle,
    orders: ingest.Orders,
    options: Options,
    columns: Mapping[str, object] | None = None,
    selection: Selection = EVERYBODY,
    customers: Customers | None = None,
) -> Forecasts:
    """The forecasts of the customers of `orders`, a path of transactions or a frame of them.

    columns    name of an option, such as "customer_column" -> value in place of the model's
    selection  which of them; one that is ranked or of some statuses is forecast twice
    customers  their attributes, a path or a frame; None: all are missing

    They are as of the last day of `orders` where `options` name none, and have the value and large
    orders where the model answers them and `options` do not say otherwise. Raises DataError where
    there is no order until then, InvalidHyperparameters for wrong `columns`, and InvalidRequest for
    what the model does not answer and for a selection by amount where amounts are unknown.
    """
    histories, options = _read(bundle, orders, options, columns or {}, customers)
    return _forecast(bundle, _selected(bundle, histories, options, selection), options)


def columns_of(bundle: Bundle, given: Mapping[str, object]) -> Columns:
    """The columns that the model was fitted with, but for those given.

    An empty text takes away what the model has, such as its `amount_column`. Raises
    InvalidHyperparameters.
    """
    changed = column_options(given)
    return bundle.manifest.hyperparameters.columns.model_copy(update=changed)


def conventions_of(bundle: Bundle, given: Mapping[str, object]) -> Conventions:
    """The conventions of the data that the model learnt from, but for those given."""
    options = {"date_format": "date_order", "decimal": "decimal", "encoding": "encoding"}
    overruled = {each: None for option, each in options.items() if option in given}
    return bundle.manifest.data.conventions.model_copy(update=overruled)


def _read(
    bundle: Bundle,
    orders: ingest.Orders,
    options: Options,
    columns: Mapping[str, object],
    customers: Customers | None,
) -> tuple[Histories, Options]:
    """The histories to forecast from, and the options with the day as of which.

    That is the last one where `options` name none. Raises DataError where there is no order until
    then, and InvalidRequest for what the model does not answer.
    """
    options = options.decided(bundle.manifest, value=True)
    until = None if options.as_of is None else date_of(options.as_of)
    try:
        known = conventions_of(bundle, columns)
        cleaned = ingest.read(orders, columns_of(bundle, columns), known=known, as_of=until)
    except MissingColumn as error:
        raise MissingColumn(f"{error}. What is not set is as the model was fitted") from error
    log.info(ingest.describe(cleaned.report))
    histories = cleaned.histories
    day = int(histories.day.max()) if options.as_of is None else options.as_of
    warn_of_day(bundle, day)
    count = len(histories.customer_ids)
    log.info("forecasting %s customers as of %s", f"{count:,}", date_of(day))
    return _with_attributes(bundle, histories, customers, columns), replace(options, as_of=day)


def warn_of_day(bundle: Bundle, day: int) -> None:
    """Warn where the model has learnt from orders after `day`, or from none of long before it."""
    if bundle.manifest.as_of > date_of(day):
        log.warning(
            "the model was trained on orders until %s, which is after as_of %s: these forecasts "
            "look better than forecasts of the future can",
            bundle.manifest.as_of,
            date_of(day),
        )
    elif (age := (date_of(day) - bundle.manifest.as_of).days) > LAPSED_WITHIN:
        log.warning(
            "as_of %s is %s days after the last order that the model learnt from%s: statuses "
            "compare with the average customer of that day; train again on newer orders",
            date_of(day),
            f"{age:,}",
            ", so the forecasts are stale" if age > bundle.stale_after_days else "",
        )


def _with_attributes(
    bundle: Bundle, histories: Histories, customers: Customers | None, given: Mapping[str, object]
) -> Histories:
    """The orders with the attributes that the model reads."""
    asked = bundle.manifest.hyperparameters
    names = ", ".join(asked.attribute_names[:5])
    if customers is None or not names:
        if names:
            log.warning("no customers are given: the attributes that the model reads (%s) count as "
                        "missing", names)  # fmt: skip
        elif customers is not None:
            log.warning("customers are given and have no effect: the model reads no attributes")
        return histories
    known = bundle.manifest.attribute_conventions or bundle.manifest.data.conventions
    found = attributes.read(customers, asked, columns_of(bundle, given), known)
    histories, notes, warnings = attributes.join(histories, found)
    for note in (*notes, *features.others(histories, bundle.manifest.feature_names)):
        log.info("%s", note)
    for warning in warnings:
        log.warning("%s", warning)
    return histories


def _forecast(bundle: Bundle, histories: Histories, options: Options) -> Forecasts:
    assert options.as_of is not None  # noqa: S101 - `_read` has set it
    return bundle.forecast(histories, options.as_of, options.of_model(bundle.manifest))


def _batches(bundle: Bundle, histories: Histories, options: Options) -> Iterator[Forecasts]:
    customers = len(histories.customer_ids)
    for i, batch in enumerate(histories.batches(BATCH), 1):
        yield _forecast(bundle, batch, options)
        if i % PROGRESS == 0:
            log.info("%s of %s customers", f"{i * BATCH:,}", f"{customers:,}")


def _selected(
    bundle: Bundle, histories: Histories, options: Options, selection: Selection
) -> Histories:
    if selection == EVERYBODY:
        return histories
    if selection.by == "amount" and np.isnan(histories.revenue).all():
        message = "by = 'amount': the amounts of these orders are unknown"
        raise InvalidRequest([Problem(message, field="by", hint="rank by probability")])
    if selection.by == "value" and "value" not in bundle.manifest.tasks:
        raise InvalidRequest([refusal("value_horizons", "by", bundle.manifest)])
    plain = selection.needed(options)  # reasons cost far more than forecasts
    scores = [selection.score(each) for each in _batches(bundle, histories, plain)]
    return histories.pick(selection.chosen(np.concatenate(scores)))


def predict_file(
    bundle: Bundle,
    orders: ingest.Orders,
    output: Path | BinaryIO,
    options: Options,
    columns: Mapping[str, object] | None = None,
    selection: Selection = EVERYBODY,
    *,
    customers: Customers | None = None,
    guarded: bool = True,
) -> Counter[str]:
    """As `predict`, into a file, a batch of customers at a time; how many are of each kind.

    output     ends in .csv (with a header), .jsonl or .parquet; it appears there when it is
               complete. A stream gets CSV
    selection  who is written; one that is ranked or of some statuses is forecast twice
    guarded    whether CSV has ids that a spreadsheet would run as formulas made `inert`

    Raises UserError for another ending and PlatformError where the disk does not take it, besides
    what `predict` raises.
    """
    form = form_of(output) if isinstance(output, Path) else encoders.CSV
    everybody, options = _read(bundle, orders, options, columns or {}, customers)
    histories = _selected(bundle, everybody, options, selection)
    counts: Counter[str] = Counter()

    def counted() -> Iterator[Forecasts]:
        for forecasts in _batches(bundle, histories, options):
            for task in forecasts.tasks.values():
                counts.update(task.counts())
            yield forecasts

    nobody = _forecast(bundle, everybody.pick(np.empty(0, np.int64)), options)
    with _appearing(output) if isinstance(output, Path) else nullcontext(output) as file:
        _write(file, form, nobody, counted(), guarded=guarded)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    log.info(
        "wrote %s forecasts to %s%s",
        f"{len(histories.customer_ids):,}",
        output if isinstance(output, Path) else "the output",
        f": {kinds}" if kinds else "",
    )
    return counts


def write(forecasts: Forecasts, output: Path | BinaryIO) -> None:
    """Forecasts that are there, into a file as `predict_file` has it."""
    form = form_of(output) if isinstance(output, Path) else encoders.CSV
    with _appearing(output) if isinstance(output, Path) else nullcontext(output) as file:
        if form == PARQUET:
            write_parquet([to_frame(forecasts, "polars")], file)
        elif form == encoders.CSV:
            file.write(encoders.csv_with_header(Answer(forecasts), guarded=True))
        else:
            file.write(encoders.encode(Answer(forecasts), form))
    log.info("wrote %s forecasts to %s", f"{len(forecasts):,}", output)


def _write(
    file: BinaryIO, form: str, nobody: Forecasts, batches: Iterator[Forecasts], *, guarded: bool
) -> None:
    """The batches in a form, of which there may be none; `nobody` has their fields."""
    if form == PARQUET:
        write_parquet([to_frame(each, "polars") for each in (nobody, *batches)], file)
    elif form == encoders.CSV:
        file.write(encoders.csv_with_header(Answer(nobody)))
        file.writelines(encoders.csv(Answer(each), guarded=guarded) for each in batches)
    else:
        file.writelines(encoders.encode(Answer(each), form) for each in batches)


@contextmanager
def _appearing(output: Path) -> Iterator[BinaryIO]:
    """A file that takes the name `output` when the block ends well, and else is gone."""
    with saving("the forecasts cannot be written to", output):
        output.parent.mkdir(parents=True, exist_ok=True)
        partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)
