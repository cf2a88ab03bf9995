"""Bundle: a model with its manifest, saved and loaded as one and refused when they do not fit."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ordergap import features
from ordergap.contract.manifest import MANIFEST, SCHEMA_VERSION, Manifest, TaskSection
from ordergap.contract.prediction import STALE_AFTER_DAYS
from ordergap.errors import ModelMismatch, ModelNotFound, PlatformError
from ordergap.features.table import computation
from ordergap.histories import Histories, day_of
from ordergap.models.base import ForecastOptions, Head, Snapshot, TaskForecast
from ordergap.models.forecasts import Forecasts
from ordergap.models.kinds import head_class

_STAGING = ".saving-"
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost-cpu", "xgboost", "torch")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that knows what it is, ready to forecast: the head of every task, by its name.

    stale_after_days  forecasts as of a day that is further after the data learnt from are stale
    """

    manifest: Manifest
    heads: Mapping[str, Head]
    stale_after_days: int = STALE_AFTER_DAYS

    def forecast(
        self,
        histories: Histories,
        as_of: NDArray[np.int64] | int,
        horizons: Sequence[int] | None = None,
        interval_level: float | None = None,
        explain: int = 0,
    ) -> Forecasts:
        """The forecasts of every customer of `histories`, as known at the end of `as_of`.

        as_of  a day for all or one for each customer; every customer has an order, none after it
        horizons, interval_level  in place of those the model was trained with
        explain  how many reasons of a forecast are given, at most
        """
        last = histories.last_row
        customers = Snapshot(
            histories.customer_ids,
            np.broadcast_to(np.asarray(as_of, np.int64), last.shape),
            histories.day[last].astype(np.int64),
            histories.order_count,
            histories.revenue,
        )
        matrix = features.compute(histories, self.manifest.feature_names, last)
        return self.forecast_features(customers, matrix, horizons, interval_level, explain)

    def forecast_features(
        self,
        customers: Snapshot,
        matrix: NDArray[np.float32],
        horizons: Sequence[int] | None = None,
        interval_level: float | None = None,
        explain: int = 0,
    ) -> Forecasts:
        """As `forecast`, from the feature vectors (n, F) of each customer's last order."""
        settings = self.manifest.hyperparameters
        level = settings.interval_level if interval_level is None else interval_level
        most = settings.max_horizon_days
        options = ForecastOptions(horizons or settings.horizons, level, most, explain)
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

    def save(self, directory: Path, side_files: dict[str, bytes] | None = None) -> None:
        """Write everything beside `directory`, then move it in: the manifest comes last.

        `side_files` (such as metrics.json) go along. A reader never sees half a model: until all is
        written the one that was in `directory` stays, and while files move in there is none.
        Raises PlatformError where the directory or the disk does not take them.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for left in directory.glob(f"{_STAGING}*"):  # by a process that was killed here
                shutil.rmtree(left)
            with tempfile.TemporaryDirectory(prefix=_STAGING, dir=directory) as staging:
                self._write(Path(staging), side_files or {})
                replaced = _model_files(directory)
                (directory / MANIFEST).unlink(missing_ok=True)
                for name in replaced:
                    (directory / name).unlink(missing_ok=True)
                files = [path for path in Path(staging).rglob("*") if path.is_file()]
                for path in sorted(files, key=lambda path: path.name == MANIFEST):
                    target = directory / path.relative_to(staging)
                    target.parent.mkdir(exist_ok=True)
                    path.replace(target)
        except OSError as error:
            raise PlatformError(
                f"the model cannot be saved in {directory}: {error.strerror or error}; "
                "make room there, or name a directory that can be written"
            ) from error

    def _write(self, directory: Path, side_files: dict[str, bytes]) -> None:
        _write_heads(self.heads, directory)
        for name, content in side_files.items():
            (directory / name).write_bytes(content)
        text = self.manifest.model_dump_json(indent=2, by_alias=True)
        (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Bundle:
        """The model in `directory`.

        Raises ModelNotFound where there is no manifest, and ModelMismatch where the manifest is of
        another schema or a file is missing, altered or not what the manifest says.
        """
        manifest = check(directory)
        heads = {
            name: head_class(name).load(directory / name, section)
            for name, section in manifest.tasks.items()
        }
        return cls(manifest, heads)


def _write_heads(heads: Mapping[str, Head], directory: Path) -> None:
    for name, head in heads.items():
        (directory / name).mkdir()
        head.save(directory / name)


def _model_files(directory: Path) -> set[str]:
    """The model files of the manifest in `directory`; none where it cannot be read."""
    try:
        return {str(path) for path, _ in _files(read_manifest(directory))}
    except (ModelNotFound, ModelMismatch):
        return set()


def _files(manifest: Manifest) -> Iterator[tuple[Path, str]]:
    """Every file of the model, from its directory, and its digest."""
    for task, section in manifest.tasks.items():
        for name, digest in section.files.items():
            yield Path(task, name), digest


def seal(heads: Mapping[str, Head], **card: object) -> Bundle:
    """The model with a manifest: `card` is what the manifest says besides the model itself.

    Its version is the manifest's `digest`.
    """
    sections = {}
    with tempfile.TemporaryDirectory() as folder:
        _write_heads(heads, Path(folder))
        for name, head in heads.items():
            paths = [Path(folder, name, file) for file in head.file_names(head.kind)]
            sections[name] = TaskSection(
                kind=head.kind,
                parameters=head.parameters,
                feature_names=head.feature_names,
                files={path.name: file_digest(path) for path in paths},
            )
    manifest = Manifest.model_validate(
        {"model_version": "", "tasks": sections, "libraries": libraries(), **card}
    )
    digest = manifest.digest()[:12]
    return Bundle(manifest.model_copy(update={"model_version": digest}), dict(heads))


def libraries() -> dict[str, str]:
    """Library -> version, of those that make models and are installed."""
    versions = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def check(directory: Path) -> Manifest:
    """The manifest in `directory`, once its files are those it was written for.

    Raises what `Bundle.load` raises, without loading the model.
    """
    manifest = read_manifest(directory)
    for task, section in manifest.tasks.items():
        for name in head_class(task).file_names(section.kind):
            if name not in section.files:
                raise ModelMismatch(f"{directory / MANIFEST} does not list {name}; train again")
    for path, digest in _files(manifest):
        if not (directory / path).is_file():
            raise ModelMismatch(f"{directory / path} is missing; copy the whole model again")
        if file_digest(directory / path) != digest:
            raise ModelMismatch(
                f"{directory / path} is damaged or of another model: its checksum is not the "
                "manifest's; copy the whole model again"
            )
    for name in manifest.feature_names:
        try:
            computation(name)
        except ValueError as error:
            raise ModelMismatch(
                f"the model reads a feature that this version does not make, {name}; use the "
                "version that trained it, or train again"
            ) from error
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """The manifest in `directory`; ModelNotFound or ModelMismatch where there is no good one."""
    path = directory / MANIFEST
    if directory.is_file():
        raise ModelNotFound(f"{directory} is a file: give a model's folder, unpacked")
    if not path.is_file():
        raise ModelNotFound(f"no model in {directory}: {MANIFEST} is not there; train one first")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelMismatch(f"{path} is not a manifest; copy the whole model again") from error
    if schema != SCHEMA_VERSION:
        raise ModelMismatch(
            f"{path} has schema {schema}, this version reads {SCHEMA_VERSION}; train again"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        raise ModelMismatch(
            f"{path} is not a valid manifest ({where}: {first['msg']}); train again"
        ) from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
