"""Bundle: a model with its manifest, saved and loaded as one and refused when they do not fit."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ordergap import features
from ordergap.contract.manifest import SCHEMA_VERSION, Manifest
from ordergap.errors import ModelMismatch, ModelNotFound, PlatformError
from ordergap.features.table import computation
from ordergap.forecast import Forecasts, Known, forecast
from ordergap.histories import Histories
from ordergap.models.base import Model
from ordergap.models.formats import model_class

MANIFEST = "manifest.json"
_STAGING = ".saving-"
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost-cpu", "xgboost", "torch")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that knows what it is, ready to forecast."""

    manifest: Manifest
    model: Model

    def forecast(
        self,
        histories: Histories,
        as_of: NDArray[np.int64] | int,
        horizons: Sequence[int] | None = None,
        interval_level: float | None = None,
    ) -> Forecasts:
        """The next order of every customer of `histories`, as known at the end of `as_of`.

        as_of  a day for all or one for each customer; every customer has an order, none after it
        horizons, interval_level  in place of those the model was trained with
        """
        last = histories.last_row
        known = Known(
            histories.customer_ids,
            np.broadcast_to(np.asarray(as_of, np.int64), last.shape),
            histories.day[last].astype(np.int64),
            histories.order_count,
        )
        matrix = features.compute(histories, self.manifest.feature_names, last)
        return self.forecast_features(known, matrix, horizons, interval_level)

    def forecast_features(
        self,
        known: Known,
        matrix: NDArray[np.float32],
        horizons: Sequence[int] | None = None,
        interval_level: float | None = None,
    ) -> Forecasts:
        """As `forecast`, from the feature vectors (n, F) of each customer's last order."""
        settings = self.manifest.hyperparameters
        level = settings.interval_level if interval_level is None else interval_level
        return forecast(
            self.model.survival(matrix),
            known,
            horizons=horizons or settings.horizons,
            interval_level=level,
            inner_level=self.manifest.inner_level(level),
            max_horizon_days=settings.max_horizon_days,
            model_version=self.manifest.model_version,
        )

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
                for name in replaced - self.manifest.files.keys():
                    (directory / name).unlink(missing_ok=True)
                files = Path(staging).iterdir()
                for path in sorted(files, key=lambda path: path.name == MANIFEST):
                    path.replace(directory / path.name)
        except OSError as error:
            raise PlatformError(
                f"the model cannot be saved in {directory}: {error.strerror or error}; "
                "make room there, or name a directory that can be written"
            ) from error

    def _write(self, directory: Path, side_files: dict[str, bytes]) -> None:
        self.model.save(directory / self.model.file_name)
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
        kind = model_class(manifest.model_kind)
        path = directory / kind.file_name
        parameters = manifest.model_parameters | {"days": list(manifest.time_grid)}
        try:
            model = kind.load(path, manifest.feature_names, parameters)
        except KeyError as error:
            raise ModelMismatch(
                f"{directory / MANIFEST} lacks the model parameter {error}; train again"
            ) from error
        if model.feature_names != manifest.feature_names:
            raise ModelMismatch(
                f"{path} reads {', '.join(model.feature_names)}, its {MANIFEST} names other "
                "features; copy the whole model again"
            )
        return cls(manifest, model)


def _model_files(directory: Path) -> set[str]:
    """The model files of the manifest in `directory`; none where it cannot be read."""
    try:
        return {*read_manifest(directory).files}
    except (ModelNotFound, ModelMismatch):
        return set()


def seal(model: Model, **card: object) -> Bundle:
    """The model with a manifest: `card` is what the manifest says besides the model itself.

    The version is a digest of the model and of all that the manifest says.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / model.file_name)
        files = {model.file_name: file_digest(Path(folder) / model.file_name)}
    manifest = Manifest.model_validate({
        "model_version": "",
        "model_kind": model.kind,
        "model_parameters": {k: v for k, v in model.parameters.items() if k != "days"},
        "feature_names": model.feature_names,
        "time_grid": model.days.tolist(),
        "files": files,
        "libraries": libraries(),
        **card,
    })  # fmt: skip
    digest = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
    return Bundle(manifest.model_copy(update={"model_version": digest[:12]}), model)


def libraries() -> dict[str, str]:
    """Library -> version, of those that make models and are installed."""
    found = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def check(directory: Path) -> Manifest:
    """The manifest in `directory`, once its files are those it was written for.

    Raises what `Bundle.load` raises, without loading the model.
    """
    manifest = read_manifest(directory)
    needed = model_class(manifest.model_kind).file_name
    if needed not in manifest.files:
        raise ModelMismatch(f"{directory / MANIFEST} does not list {needed}; train again")
    for name, digest in manifest.files.items():
        if not (directory / name).is_file():
            raise ModelMismatch(f"{directory / name} is missing; copy the whole model again")
        if file_digest(directory / name) != digest:
            raise ModelMismatch(
                f"{directory / name} is damaged or of another model: its checksum is not the "
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
    if not path.is_file():
        raise ModelNotFound(f"no model in {directory}: {MANIFEST} is not there; train one first")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
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
