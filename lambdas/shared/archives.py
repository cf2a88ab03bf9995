"""The files of a model.tar.gz, read while it streams from S3: nothing is unpacked to disk."""

from __future__ import annotations

import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Collection
from typing import IO, TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from lambdas.shared.errors import ModelUnreadable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MOST = 4 * 2**30  # bytes of the whole archive, unpacked


def read(
    s3: S3Client, uri: str, most: int, wanted: Collection[str] | None = None
) -> dict[str, bytes]:
    """Path -> content of the files of the archive at `uri`.

    most    bytes that all files together may have
    wanted  paths of the only files to read; no more is read than it takes to find them. None: all

    Raises ModelUnreadable where the object is missing, is no such archive, or is too large.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchBucket", "404"}:
            raise
        raise ModelUnreadable(f"there is no model at {uri}; train again") from error
    try:
        return _members(cast("IO[bytes]", body), most, wanted)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise ModelUnreadable(
            f"{uri} is not a whole model.tar.gz ({error}); train again"
        ) from error
    finally:
        body.close()


def _members(body: IO[bytes], most: int, wanted: Collection[str] | None) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    with (
        _Bounded(fileobj=body) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r|") as archive,
    ):
        for member in archive:
            name = posixpath.normpath(member.name)
            if member.isfile() and (wanted is None or name in wanted):
                most -= member.size
                if most < 0:
                    raise ValueError(f"{name} has {member.size:,} bytes, too many")
                file = archive.extractfile(member)
                members[name] = file.read() if file else b""
            if wanted is not None and len(members) == len(wanted):
                break
    return members


class _Bounded(gzip.GzipFile):
    """Unzips up to `_MOST` bytes and no more: a small archive can unpack to anything."""

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if self.tell() > _MOST:
            raise ValueError(f"it unpacks to more than {_MOST >> 30} GiB")
        return content
