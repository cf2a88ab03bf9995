"""Bundle: a model with its manifest, saved and loaded as one and refused when they do not fit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ordergap import features, files
from ordergap.contract.manifest import MANIFEST, Manifest, TaskSection
from ordergap.contract.prediction import STALE_AFTER_DAYS
from ordergap.errors import (
    AlgorithmError,
    InvalidRequest,
    ModelMismatch,
    ModelNotFound,
    PlatformError,
    Problem,
)
from ordergap.histories import Histories, day_of
from ordergap.leads.table import LeadTable
from ordergap.manifests import ModelFiles, digest, listed, read, read_manifest
from ordergap.models import trial
from ordergap.models.base import ForecastOptions, Head, Snapshot, TaskForecast
from ordergap.models.first_order import FirstOrderHead
from ordergap.models.forecasts import Forecasts
from ordergap.models.kinds import head_class
from ordergap.models.lead_forecasts import FIRST_ORDER, LeadForecast, lead_remedy, no_leads

_STAGING = ".saving-"
_FAILURE = "the model cannot be saved in"
_FAULTS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a model raises that is not what its loader expects; XGBoost's own error is a ValueError."""
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost-cpu", "xgboost", "torch")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that knows what it is, ready to forecast: the head of every task, by its name.

    stale_after_days  forecasts as of a day that is further after the data learnt from are stale
    """

    manifest: Manifest
    heads: Mapping[str, Head]
    stale_after_days: int = STALE_AFTER_DAYS

    @property
    def options(self) -> ForecastOptions:
        """What is asked where nothing else is: what the model was trained with, no value."""
        own = self.manifest.hyperparameters
        return ForecastOptions(own.horizons, own.interval_level, own.max_horizon_days)

    def forecast(
        self,
        histories: Histories,
        as_of: NDArray[np.int64] | int,
        options: ForecastOptions | None = None,
    ) -> Forecasts:
        """The forecasts of every customer of `histories`, as known at the end of `as_of`.

        as_of    a day for all or one for each customer; every customer has an order, none after it
        options  in place of the model's own
        """
        return self.forecast_features(*self.known(histories, as_of), options)

    def known(
        self, histories: Histories, as_of: NDArray[np.int64] | int
    ) -> tuple[Snapshot, NDArray[np.float32]]:
        """What `forecast` makes its forecasts from: see `forecast_features`."""
        known, names = histories.as_known(as_of), self.manifest.feature_names
        matrix = features.compute(known, names, known.last_row)
        return Snapshot.of(known, as_of), matrix

    def forecast_features(
        self,
        customers: Snapshot,
        matrix: NDArray[np.float32],
        options: ForecastOptions | None = None,
    ) -> Forecasts:
        """As `forecast`, from the feature vectors (n, F) of each customer's last order."""
        options = options or self.options
        names = self.manifest.feature_names
        tasks: dict[str, TaskForecast] = {}
        for task, head in self.heads.items():
            own = matrix
            if head.feature_names != names:
                own = matrix[:, [names.index(name) for name in head.feature_names]]
            tasks[task] = head.forecast(customers, own, options, tasks)
        known_until = day_of(self.manifest.as_of)
        version = self.manifest.model_version
        return Forecasts(customers, tasks, version, known_until, self.stale_after_days)

    def forecast_leads(
        self, leads: LeadTable, as_of: NDArray[np.int64], horizons: Sequence[int] | None = None
    ) -> LeadForecast:
        """The forecasts of leads without an order, as known at the end of each one's `as_of`.

        Raises InvalidRequest where this model does not answer leads.
        """
        ahead = horizons or self.manifest.hyperparameters.horizons
        return self.lead_head().forecast_leads(leads, as_of, ahead)

    def lead_head(self) -> FirstOrderHead:
        """What forecasts leads; InvalidRequest where this model does not."""
        head = self.heads.get(FIRST_ORDER)
        if not isinstance(head, FirstOrderHead):
            raise InvalidRequest(
                [Problem(no_leads(self.manifest), hint=lead_remedy(self.manifest))]
            )
        return head

    def save(self, directory: Path, side_files: Mapping[str, bytes] | None = None) -> None:
        """Write everything beside `directory`, read it back, then move it in: the manifest last.

        `side_files` (such as metrics.json) go along. A reader never sees half a model: until all is
        written the one that was in `directory` stays, and while files move in there is none.
        Raises PlatformError where the directory or the disk does not take them, or gives back
        others, and AlgorithmError for a model that cannot forecast.
        """
        with files.saving(_FAILURE, directory):
            directory.mkdir(parents=True, exist_ok=True)
            for left in directory.glob(f"{_STAGING}*"):  # by a process that was killed here
                shutil.rmtree(left)
            with tempfile.TemporaryDirectory(prefix=_STAGING, dir=directory) as staging:
                written = self._write(Path(staging), side_files or {})
                _read_back(Path(staging), directory)
                replaced = _model_files(directory)
                (directory / MANIFEST).unlink(missing_ok=True)
                for name in replaced:
                    (directory / name).unlink(missing_ok=True)
                for name in written:
                    target = directory / name
                    target.parent.mkdir(exist_ok=True)
                    (Path(staging) / name).replace(target)
                    files.sync_folder(target.parent)
                files.sync_folder(directory)

    def _write(self, directory: Path, side_files: Mapping[str, bytes]) -> list[Path]:
        """Where each file now is below `directory`, the manifest last."""
        content = {
            Path(task, name): each
            for task, head in self.heads.items()
            for name, each in head.files().items()
        }
        content |= {Path(name): each for name, each in side_files.items()}
        manifest = self.manifest.model_dump_json(indent=2, by_alias=True)
        content[Path(MANIFEST)] = f"{manifest}\n".encode()
        for name, each in content.items():
            (directory / name).parent.mkdir(exist_ok=True)
            files.write(directory / name, each)
        return [*content]

    @classmethod
    def load(cls, directory: Path) -> Bundle:
        """The model in `directory`, once it has forecast a few made-up customers.

        Raises what `manifests.read` raises, and ModelMismatch where the model is not what its
        manifest says or cannot forecast.
        """
        return cls._built(*read(directory), directory)

    @classmethod
    def _built(cls, manifest: Manifest, contents: ModelFiles, directory: Path) -> Bundle:
        try:
            heads = {
                task: head_class(task).load(contents[task], section)
                for task, section in manifest.tasks.items()
            }
            bundle = cls(manifest, heads)
            with np.errstate(all="ignore"):  # what is no number is refused below
                asked = replace(
                    bundle.options, value_horizons=trial.HORIZONS, large_thresholds=None
                )
                answers = bundle.forecast(trial.customers(), trial.AS_OF, asked)
                trial.check(answers)
        except ModelMismatch as error:
            raise ModelMismatch(f"the model in {directory}: {error}") from error
        except (AlgorithmError, *_FAULTS) as error:
            raise ModelMismatch(
                f"the model in {directory} cannot forecast ({_cause(error)}); copy the whole model "
                "again, or train again"
            ) from error
        return bundle


def _cause(error: Exception) -> str:
    """One line of at most 200 characters."""
    lines = [*str(error).splitlines(), ""]
    name = "" if isinstance(error, AlgorithmError) else f"{type(error).__name__}: "
    return f"{name}{lines[0]}"[:200]


def _read_back(staging: Path, directory: Path) -> None:
    """Refuse what was written unless it is what was to be written, and forecasts."""
    try:
        saved = read(staging)
    except (ModelMismatch, ModelNotFound) as error:
        raise PlatformError(
            f"{_FAILURE} {directory}: what was written there is not what is read "
            f"back ({error}); name a place on another disk"
        ) from error
    try:
        Bundle._built(*saved, directory)  # noqa: SLF001 - of the class above
    except ModelMismatch as error:
        raise AlgorithmError(f"a model was trained and is not saved: {error}") from error


def _model_files(directory: Path) -> set[Path]:
    """The model files of the manifest in `directory`; none where it cannot be read."""
    try:
        return {Path(task, name) for task, name, _ in listed(read_manifest(directory))}
    except (ModelNotFound, ModelMismatch):
        return set()


def seal(heads: Mapping[str, Head], **card: object) -> Bundle:
    """The model with a manifest: `card` is what the manifest says besides the model itself.

    Its version is the manifest's `digest`.
    """
    sections = {
        name: TaskSection(
            kind=head.kind,
            parameters=head.parameters,
            feature_names=head.feature_names,
            files={file: digest(content) for file, content in head.files().items()},
        )
        for name, head in heads.items()
    }
    manifest = Manifest.model_validate(
        {"model_version": "", "tasks": sections, "libraries": libraries(), **card}
    )
    model_version = manifest.digest()[:12]
    return Bundle(manifest.model_copy(update={"model_version": model_version}), dict(heads))


def libraries() -> dict[str, str]:
    """Library -> version, of those that make models and are installed."""
    versions = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
