"""The Python interface: what a notebook, the command line, the training job and the server use."""

from __future__ import annotations

import datetime
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ordergap.artifacts import MANIFEST, Bundle, Forecasts
from ordergap.contract.hyperparameters import Hyperparameters, parse
from ordergap.contract.manifest import Manifest
from ordergap.contract.metrics import TrainingMetrics
from ordergap.contract.prediction import ScoringRequest
from ordergap.errors import InvalidRequest, ModelNotFound, Problem
from ordergap.histories import Histories
from ordergap.models.base import Snapshot

if TYPE_CHECKING:
    from ordergap.backtest.run import Backtest
    from ordergap.ingest import Orders
    from ordergap.training.job import Job, Trained

log = logging.getLogger("ordergap")

REPORT, METRICS = "report.html", "metrics.json"
Day = datetime.date | str


def fit(
    orders: Orders,
    *,
    validation: Orders | None = None,
    quiet: bool = False,
    **hyperparameters: Any,
) -> Forecaster:
    """A forecaster that has learnt from order lines.

    orders           a CSV, CSV.gz, Parquet or JSON Lines file, a folder of such files, or a pandas,
                     polars or pyarrow frame; a row an order line
    validation       later order lines, which are validated on and never learnt from; without them
                     the last part of the time span validates, and then the model learns from it too
    quiet            whether to show no progress
    hyperparameters  by the names that ``ordergap train --help`` lists, columns among them:
                     ``customer_column="Email"``, ``trainer="lstm"``, ``horizons=[7, 30]``

    The same orders and hyperparameters give the same model, byte for byte, in whatever form the
    orders come. Raises DataError (MissingColumn, NothingToLearn) where the orders cannot be read
    or learnt from, and InvalidHyperparameters, which lists all that is wrong.

    Source: Singer & Willett 1993, "It's about time", for the default model.
    """
    with _progress(quiet=quiet):
        return Forecaster.fit(parse(hyperparameters), orders, validation)


def load(directory: Path | str) -> Forecaster:
    """The forecaster that `Forecaster.save`, or a training job, left in `directory`.

    Raises ModelNotFound where there is none, and ModelMismatch where it is damaged or of another
    version.
    """
    directory = Path(directory)
    if not (directory / MANIFEST).is_file() and directory.suffixes[-2:] == [".tar", ".gz"]:
        raise ModelNotFound(f"{directory} is an archive: unpack it, and load the folder")
    return Forecaster(Bundle.load(directory), directory=directory)


def backtest(
    orders: Orders, cutoffs: int = 4, *, jobs: int = 1, quiet: bool = False, **hyperparameters: Any
) -> Backtest:
    """Learn anew at several past days, and judge by what came after, beside baselines.

    orders           as in `fit`
    cutoffs          how many past days, spread over the third quarter of the time span
    jobs             cutoffs worked on at once, each in a process of its own
    quiet            whether to show no progress
    hyperparameters  as in `fit`

    `print` shows the metrics as a table; `Backtest.comparisons` holds them, `Backtest.save` writes
    them. Raises DataError as `fit` does, and NothingToLearn for less than 60 days.
    """
    from ordergap.backtest.run import backtest as run  # noqa: PLC0415

    with _progress(quiet=quiet):
        return run(parse(hyperparameters), orders, cutoffs, jobs)


class Forecaster:
    """A fitted model that forecasts when each customer will order next."""

    def __init__(
        self, bundle: Bundle, *, trained: Trained | None = None, directory: Path | None = None
    ) -> None:
        self._bundle, self._trained, self._directory = bundle, trained, directory

    @classmethod
    def fit(
        cls,
        hyperparameters: Hyperparameters,
        orders: Orders,
        validation: Orders | None = None,
        job: Job | None = None,
    ) -> Forecaster:
        """As the function `fit`, with parsed hyperparameters.

        job  how a job of the platform runs; None: alone, to its end, without checkpoints
        """
        from ordergap.training.job import fit as train  # noqa: PLC0415 - only learning needs it

        trained = train(hyperparameters, orders, validation, job)
        return cls(trained.bundle, trained=trained)

    @property
    def manifest(self) -> Manifest:
        """What the model is, what it was made from and what it expects."""
        return self._bundle.manifest

    @property
    def metrics(self) -> TrainingMetrics:
        """How the model did on later orders in its validation, beside the naive baseline."""
        return TrainingMetrics.model_validate(self.manifest.metrics)

    def predict(
        self,
        orders: Orders,
        as_of: Day | None = None,
        horizons: Sequence[int] | None = None,
        interval_level: float | None = None,
        *,
        quiet: bool = False,
    ) -> Any:
        """A frame with a row for each customer of `orders`, of the kind that came in.

        orders          as in `fit`, with the columns that the model was trained on; for a path the
                        frame is polars'
        as_of           the last day to know of, such as "2011-12-09"; later order lines are left
                        out. None: the last day of `orders`
        horizons        days ahead for which `buy_probability_30` and the like are given; None:
                        those of training
        interval_level  of `next_order_date_low` and `next_order_date_high`; None: as in training
        quiet           whether to show no progress

        Days and dates are null where the forecast lies beyond `max_horizon_days` after `as_of`.
        Raises DataError where `orders` cannot be read or have no order until `as_of`, and
        InvalidRequest for options that cannot be.
        """
        from ordergap.frames import kind_of  # noqa: PLC0415 - polars, which a server does without
        from ordergap.scoring import files  # noqa: PLC0415
        from ordergap.scoring.tables import to_frame  # noqa: PLC0415

        day, horizons, interval_level = _options(as_of, horizons, interval_level)
        with _progress(quiet=quiet):
            histories, last = files.read(self._bundle, orders, day)
            forecasts = self.forecast(histories, last, horizons, interval_level)
        kind = "polars" if isinstance(orders, str | os.PathLike) else kind_of(orders)
        return to_frame(forecasts, kind)

    def predict_file(
        self, orders: Orders, output: Path, as_of: datetime.date | None = None
    ) -> None:
        """As `predict`, into a file that ends in .csv or .jsonl; memory holds few forecasts."""
        from ordergap.scoring import files  # noqa: PLC0415

        files.predict_file(self._bundle, orders, output, as_of)

    def forecast(
        self,
        histories: Histories,
        as_of: NDArray[np.int64] | int,
        horizons: Sequence[int] | None = None,
        interval_level: float | None = None,
    ) -> Forecasts:
        """The forecasts from histories that were cleaned already; see `Bundle.forecast`."""
        return self._bundle.forecast(histories, as_of, horizons, interval_level)

    def forecast_features(
        self,
        customers: Snapshot,
        matrix: NDArray[np.float32],
        horizons: Sequence[int] | None = None,
        interval_level: float | None = None,
    ) -> Forecasts:
        """The forecasts from ready feature vectors; see `Bundle.forecast_features`."""
        return self._bundle.forecast_features(customers, matrix, horizons, interval_level)

    def backtest(
        self, orders: Orders, cutoffs: int = 4, *, jobs: int = 1, quiet: bool = False
    ) -> Backtest:
        """How models of these hyperparameters did at several past days; see `backtest`."""
        settings = self.manifest.hyperparameters.flat()
        return backtest(orders, cutoffs, jobs=jobs, quiet=quiet, **settings)

    def report(self, path: Path | str | None = None) -> str:
        """The report of the training as an HTML page, written to `path` where one is given.

        Raises ModelNotFound for a model that was saved without its report.
        """
        page = self._side_files().get(REPORT)
        if page is None:
            raise ModelNotFound(f"no {REPORT} lies beside the model in {self._directory}")
        if path is not None:
            Path(path).write_bytes(page)
        return page.decode()

    def save(self, directory: Path | str) -> None:
        """Write the model, its metrics and its report into a folder, where `load` finds them.

        A model that is there is replaced. Raises PlatformError where the disk does not take it.
        """
        self._bundle.save(Path(directory), self._side_files())

    def save_report(self, directory: Path) -> None:
        """Write metrics and report alone."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in self._side_files().items():
            (directory / name).write_bytes(content)

    def _side_files(self) -> dict[str, bytes]:
        if self._trained:
            return self._trained.side_files
        paths = [self._directory / name for name in (METRICS, REPORT)] if self._directory else []
        return {path.name: path.read_bytes() for path in paths if path.is_file()}

    def __repr__(self) -> str:
        m = self.manifest
        return (
            f"<Forecaster {m.model_version}: {', '.join(m.tasks)} by "
            f"{m.hyperparameters.trainer.name}, learnt from {m.data.orders:,} orders of "
            f"{m.first_day} to {m.as_of}>"
        )


def _options(
    as_of: Day | None, horizons: Sequence[int] | None, interval_level: float | None
) -> tuple[datetime.date | None, Sequence[int] | None, float | None]:
    """The options of a request, checked as the server checks them."""
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        request = ScoringRequest.model_validate({
            "instances": [],
            "as_of": as_of,
            "horizons": None if horizons is None else list(horizons),
            "interval_level": interval_level,
        })  # fmt: skip
    except ValidationError as error:
        problems = [
            Problem(
                f"{each['loc'][0]} = {each['input']!r}: {each['msg']}", field=str(each["loc"][0])
            )
            for each in error.errors()
        ]
        raise InvalidRequest(problems) from error
    rising = sorted(set(request.horizons)) if request.horizons else None
    return request.as_of, rising, request.interval_level


@contextmanager
def _progress(*, quiet: bool) -> Iterator[None]:
    """Show the log on stdout, where nobody has said what becomes of it; nothing when `quiet`."""
    level, handler = log.level, None
    if quiet:
        log.setLevel(logging.ERROR)
    elif not log.hasHandlers():
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        if handler:
            log.removeHandler(handler)
