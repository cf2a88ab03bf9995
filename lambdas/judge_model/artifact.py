"""What a trained model says of itself, read out of its model.tar.gz while that streams from S3."""

from __future__ import annotations

import datetime
import gzip
import posixpath
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from botocore.exceptions import ClientError
from ordergap.contract.metrics import METRICS_SCHEMA_VERSION, TrainingMetrics
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambdas.shared.errors import ModelUnreadable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WANTED = ("manifest.json", "metrics.json")
_MOST_OF_ONE = 4 * 2**20  # bytes of one of the two files
_MOST = 4 * 2**30  # bytes of the whole archive, unpacked


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
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchBucket", "404"}:
            raise
        raise ModelUnreadable(f"there is no model at {uri}; train again") from error
    try:
        members = _members(cast("IO[bytes]", body))
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise ModelUnreadable(
            f"{uri} is not a whole model.tar.gz ({error}); train again"
        ) from error
    finally:
        body.close()
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


def _members(body: IO[bytes]) -> dict[str, bytes]:
    members = {}
    with (
        _Bounded(fileobj=body) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r|") as archive,
    ):
        for member in archive:
            name = posixpath.normpath(member.name)
            if name in _WANTED and member.isfile():
                if member.size > _MOST_OF_ONE:
                    raise ValueError(f"{name} has {member.size:,} bytes")
                file = archive.extractfile(member)
                members[name] = file.read() if file else b""
            if len(members) == len(_WANTED):
                break
    return members


class _Bounded(gzip.GzipFile):
    """Unzips up to `_MOST` bytes and no more: a small archive can unpack to anything."""

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if self.tell() > _MOST:
            raise ValueError(f"it unpacks to more than {_MOST >> 30} GiB")
        return content
