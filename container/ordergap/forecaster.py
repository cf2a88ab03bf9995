"""The Python interface: what a notebook, the command line, the training job and the server use."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ordergap.artifacts import Bundle
from ordergap.backtesting import Backtested
from ordergap.contract.hyperparameters import Hyperparameters, parse
from ordergap.contract.metrics import TrainingMetrics
from ordergap.contract.reference import REFERENCE, Reference
from ordergap.errors import ModelNotFound
from ordergap.files import replace, saving
from ordergap.manifests import read_beside, read_reference
from ordergap.progress import progress
from ordergap.scoring.options import given
from ordergap.scoring.selection import Selection

if TYPE_CHECKING:
    from ordergap.ingest import Orders
    from ordergap.ingest.attribute_rows import Customers
    from ordergap.inspection import Check
    from ordergap.leads.reading import LeadSource
    from ordergap.report.document import Report
    from ordergap.training.job import Job

METRICS, REPORT = "metrics.json", "report.html"
Day = datetime.date | np.datetime64 | str


def fit(
    orders: Orders,
    *,
    validation: Orders | None = None,
    leads: LeadSource | None = None,
    customers: Customers | None = None,
    quiet: bool = False,
    **hyperparameters: Any,
) -> Forecaster:
    """A forecaster that has learnt from order lines.

    orders           a CSV, Parquet, JSON or Excel file, a folder of such files, or a pandas,
                     polars or pyarrow frame; a row an order line, with a customer, a day, and
                     a quantity and a price, or an amount
    validation       later order lines, which are validated on and never learnt from; without them
                     the last part of the time span validates, and then the model learns from it too
    leads            people without an order, and their events: see `Forecaster.predict_leads`
    customers        a file, a folder or a frame with the columns that numeric_attributes and
                     category_attributes name: a row a customer, or one for each day `valid_from`
    quiet            whether to show neither progress nor warnings
    hyperparameters  by the names that ``ordergap train --help`` lists, columns among them:
                     ``customer_column="Email"``, ``trainer="lstm"``, ``horizons=[7, 30]``

    The same orders and hyperparameters give the same model, byte for byte, in whatever form the
    orders come; another kind of processor may round last digits otherwise. Raises DataError
    (MissingColumn, NothingToLearn) where the orders cannot be read or learnt from, and
    InvalidHyperparameters, which lists all that is wrong.

    Source: Singer & Willett 1993, "It's about time", for the default model.
    """
    with progress(quiet=quiet):
        parsed = parse(hyperparameters)
        return Forecaster.fit(parsed, orders, validation, leads=leads, customers=customers)


def load(directory: Path | str) -> Forecaster:
    """The forecaster that `Forecaster.save`, or a training job, left in the folder `directory`.

    Raises ModelNotFound where there is none, and ModelMismatch where it is damaged, of another
    version or unable to forecast, or where one of its files is a link or no file.
    """
    place = Path(directory)
    bundle = Bundle.load(place)
    return Forecaster(bundle, read_beside(place, REPORT), read_reference(place, bundle.manifest))


class Forecaster(Backtested):
    """A fitted model that forecasts when each customer will order next.

    bundle     what is fitted, and its manifest; it forecasts from histories or feature vectors
    reference  the orders learnt from, counted; None in models of earlier versions
    """

    def __init__(
        self, bundle: Bundle, report: bytes | None = None, reference: Reference | None = None
    ) -> None:
        self.bundle, self._report, self.reference = bundle, report, reference

    @classmethod
    def fit(
        cls,
        hyperparameters: Hyperparameters,
        orders: Orders,
        validation: Orders | None = None,
        job: Job | None = None,
        leads: LeadSource | None = None,
        customers: Customers | None = None,
    ) -> Forecaster:
        """As `ordergap.fit`, from parsed hyperparameters and as part of a training job.

        job  how the job runs; None: alone, to its end, without checkpoints. Of several hosts the
             first alone has a report
        """
        from ordergap.training.job import fit as train  # noqa: PLC0415 - only learning needs it

        trained = train(hyperparameters, orders, validation, job, leads, customers)
        first = job is None or job.hosts.leads  # the other hosts save nothing
        return cls(trained.bundle, trained.report() if first else None, trained.reference())

    @property
    def metrics(self) -> TrainingMetrics:
        """How the model did on later orders in its validation, beside the naive baseline.

        ``metrics.tasks["next_order"].scores["at cutoff"]["model"]["capped_mae"]`` is the mean error
        in days of the forecasts of one day; ``["naive"]`` stands beside ``["model"]``, and "at
        order" beside "at cutoff".
        """
        return TrainingMetrics.model_validate(self.manifest.metrics)

    def predict(
        self,
        orders: Orders,
        as_of: Day | None = None,
        horizons: Iterable[int] | None = None,
        interval_level: float | None = None,
        explain: int = 0,
        *,
        value_horizons: Iterable[int] | None = None,
        large_thresholds: Iterable[float] | None = None,
        status: str | Iterable[str] | None = None,
        top: int | None = None,
        by: str | None = None,
        customers: Customers | None = None,
        quiet: bool = False,
        **columns: Any,
    ) -> Any:
        """A frame with a row for each customer of `orders`, of the kind that came in.

        orders          as in `fit`; for a path the frame is polars'
        as_of           the day at whose end is forecast, such as "2011-12-09" or a date; later
                        order lines are left out. None: the last day of `orders`
        horizons        days ahead from 1 to 3650, each of which gives a column such as
                        `buy_probability_30`. None: those of the fit
        interval_level  how often the next order should lie from `next_order_date_low` to
                        `next_order_date_high`, from 0.01 to 0.99. None: as in the fit
        status          only customers with one of these statuses, such as "due,overdue" or a list
        top             only so many customers, the first by rank
        by              what ranks: "probability", of an order within the shortest horizon;
                        "amount", that times the usual one; "value", within the shortest of
                        `value_horizons`. None: probability with `top`, else the sequence of ids
        explain         how many reasons of each forecast to give, at most, to 10: a column
                        `reasons` of JSON, the strongest first. 0: no such column
        customers       their attributes, as in `fit`, known at the end of `as_of`; None: missing
        value_horizons  days to 365 of `expected_value_30` etc. (): none. None: the model's, if any
        large_thresholds  at most 20 amounts of `large_order_probability_500_30` etc.; likewise
        quiet           whether to show neither progress nor warnings
        columns         names of columns that are not those of the fit, such as
                        ``customer_column="Email"``; "" takes one of the fit's away

        The columns are the fields of a prediction. Gaps are in days, probabilities from 0 to 1.
        Days and dates are null where the forecast lies beyond `max_horizon_days` after `as_of`.
        Raises DataError where `orders` cannot be read or have no order until `as_of`,
        InvalidRequest for other or unanswered options, and InvalidHyperparameters for `columns`.
        """
        from ordergap.frames import kind_of  # noqa: PLC0415 - polars, which a server does without
        from ordergap.scoring import files  # noqa: PLC0415
        from ordergap.scoring.tables import to_frame  # noqa: PLC0415

        options = given(as_of, horizons, interval_level, explain, value_horizons, large_thresholds)
        selection = Selection.parse(status, top, by)
        with progress(quiet=quiet):
            forecasts = files.predict(self.bundle, orders, options, columns, selection, customers)
        kind = "polars" if isinstance(orders, str | os.PathLike) else kind_of(orders)
        return to_frame(forecasts, kind)

    def predict_file(
        self,
        orders: Orders,
        output: Path | str | BinaryIO,
        as_of: Day | None = None,
        horizons: Iterable[int] | None = None,
        interval_level: float | None = None,
        explain: int = 0,
        *,
        value_horizons: Iterable[int] | None = None,
        large_thresholds: Iterable[float] | None = None,
        status: str | Iterable[str] | None = None,
        top: int | None = None,
        by: str | None = None,
        customers: Customers | None = None,
        guard_formulas: bool = True,
        quiet: bool = False,
        **columns: Any,
    ) -> None:
        """As `predict`, into a file; memory holds few forecasts, but for Parquet.

        output          ends in .csv, .jsonl or .parquet; a binary stream gets CSV
        guard_formulas  whether CSV has a ' before ids that spreadsheets run as formulas (=1+1)

        Raises UserError for another ending, PlatformError where it cannot be written, and more.
        """
        from ordergap.scoring import files  # noqa: PLC0415

        options = given(as_of, horizons, interval_level, explain, value_horizons, large_thresholds)
        selection = Selection.parse(status, top, by)
        place = Path(output) if isinstance(output, str | os.PathLike) else output
        with progress(quiet=quiet):
            files.predict_file(
                self.bundle, orders, place, options, columns, selection, customers=customers,
                guarded=guard_formulas)  # fmt: skip

    def check(self, orders: Orders, **columns: Any) -> Check:
        """Whether orders are like those that the model learnt from, before they are forecast from.

        orders and columns are as in `predict`. `print` the result, or look at its `verdict`: "ok";
        "warning", where shares of rejected rows, mean amounts, customers or days differ much; or
        "refused", where `predict` would not read them. Its `findings` say why. Raises
        InvalidHyperparameters for `columns`.
        """
        from ordergap import inspection  # noqa: PLC0415 - polars, which a server does without
        from ordergap.scoring import files  # noqa: PLC0415

        known = files.conventions_of(self.bundle, columns)
        read_with = files.columns_of(self.bundle, columns)
        return inspection.check(self.manifest, orders, read_with, known)

    def report(self, path: Path | str | None = None) -> Report:
        """The report of the training as a page of HTML, written to `path` where one is given.

        A notebook shows the page where the call is a cell's last line. Raises ModelNotFound for a
        model that was saved without its report, and PlatformError where the path cannot be written.
        """
        from ordergap.report.document import Report  # noqa: PLC0415 - a server shows none

        if self._report is None:
            raise ModelNotFound(
                f"model {self.manifest.model_version} was saved without its {REPORT}: put it into "
                "the model's folder and load again, or fit again"
            )
        if path is not None:
            with saving("the report cannot be written to", Path(path)):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                replace(Path(path), self._report)
        return Report(self._report, "utf-8")

    def save(self, directory: Path | str) -> None:
        """Write the model and what is beside it into a folder, where `load` finds them.

        A model that is there is replaced. Raises PlatformError where the disk does not take it.
        """
        files = self._side_files()
        if self.reference:
            files[REFERENCE] = f"{self.reference.model_dump_json(indent=2)}\n".encode()
        self.bundle.save(Path(directory), files)

    def save_report(self, directory: Path) -> None:
        """Write metrics and report alone, into a folder. Raises PlatformError."""
        with saving("metrics and report cannot be saved in", directory):
            directory.mkdir(parents=True, exist_ok=True)
            for name, content in self._side_files().items():
                replace(directory / name, content)

    def _side_files(self) -> dict[str, bytes]:
        """metrics.json, and report.html where there is one."""
        metrics = json.dumps(self.manifest.metrics, indent=2) + "\n"
        return {METRICS: metrics.encode()} | ({REPORT: self._report} if self._report else {})

    def __repr__(self) -> str:
        m = self.manifest
        return (
            f"<Forecaster {m.model_version}: {', '.join(m.tasks)} by "
            f"{m.hyperparameters.trainer.name}, learnt from {m.data.orders:,} orders of "
            f"{m.first_day} to {m.as_of}>"
        )
