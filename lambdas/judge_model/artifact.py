"""What a trained model says of itself, read out of its model.tar.gz while that streams from S3."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ordergap.contract.metrics import METRICS_SCHEMA_VERSION, TrainingMetrics
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambdas.shared import archives
from lambdas.shared.errors import ModelUnreadable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WANTED = ("manifest.json", "metrics.json")
_MOST = 4 * 2**20  # bytes of both files


@dataclass(frozen=True)
class Trained:
    """A model's manifest and metrics; `text` is metrics.json as it was."""

    manifest: About
    metrics: TrainingMetrics
    text: bytes

    @property
    def model_version(self) -> str:
        """The version of the model."""
        return self.manifest.model_version


class _Asked(BaseModel):
    """The part of the hyperparameters that is looked at."""

    interval_level: float = Field(0.8, gt=0, lt=1)


class About(BaseModel):
    """The part of manifest.json that is looked at."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str
    hyperparameters: _Asked = _Asked()
    first_day: datetime.date | None = None
    as_of: datetime.date | None = None
    data_digest: str | None = None


def read(s3: S3Client, uri: str) -> Trained:
    """Manifest and metrics of the model.tar.gz at `uri`.

    Nothing is unpacked to disk, and no more is read than it takes to find both files. Raises
    ModelUnreadable where the object is missing, is no such archive, or unpacks to more than 4 GiB.
    """
    members = archives.read(s3, uri, _MOST, _WANTED)
    if missing := [name for name in _WANTED if name not in members]:
        raise ModelUnreadable(
            f"{uri} does not hold {' and '.join(missing)}, which every Ordergap model has; "
            "train with Ordergap's image"
        )
    about, text = (members[name] for name in _WANTED)
    try:
        manifest = About.model_validate_json(about)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ModelUnreadable(f"{uri}: manifest.json: {where}: {first['msg']}") from error
    return Trained(manifest, parse(text, uri), text)


def parse(text: bytes, uri: str) -> TrainingMetrics:
    """A metrics.json; ModelUnreadable where this version cannot read it."""
    try:
        metrics = TrainingMetrics.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ModelUnreadable(
            f"{uri}: metrics.json is not as it should be ({where}: {first['msg']}); "
            "train with the image of this version"
        ) from error
    if metrics.schema_version != METRICS_SCHEMA_VERSION:
        raise ModelUnreadable(
            f"{uri}: metrics.json has schema {metrics.schema_version}, this version reads "
            f"{METRICS_SCHEMA_VERSION}; train with the image of this version"
        )
    return metrics
