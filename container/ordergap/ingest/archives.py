"""Compressed files and zip archives: the bytes of the one data file that they hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ordergap.errors import DataError
from ordergap.ingest.names import is_beside, is_hidden

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The beginning of an .xls workbook, and of an .xlsx workbook with a password."""
_OPENERS: tuple[tuple[bytes, str, Callable[[Any], Any]], ...] = (
    (GZIP, "gzip", gzip.open),
    (rb"BZh[1-9]1AY&SY", "bzip2", bz2.open),
    (rb"\xfd7zXZ\x00", "xz", lzma.open),
)
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What reading a file, or a damaged compressed file, may raise."""


@contextmanager
def content(data: Path | bytes) -> Iterator[IO[bytes]]:
    """The bytes, decompressed where they begin like gzip, bzip2 or xz, whatever the name is."""
    with _file(data) as file:
        opener = _opener(file)
        if opener is None:
            yield file
        else:
            with opener(file) as inner:
                yield inner


def _file(data: Path | bytes) -> IO[bytes]:
    return io.BytesIO(data) if isinstance(data, bytes) else data.open("rb")


def _opener(file: IO[bytes]) -> Callable[[Any], Any] | None:
    start = file.read(10)
    file.seek(0)
    return next((opener for pattern, _, opener in _OPENERS if re.match(pattern, start)), None)


def compression(data: Path | bytes) -> str | None:
    """How a file is compressed, by its first bytes: gzip, bzip2, xz or zip; None: not so."""
    with _file(data) as file:
        start = file.read(10)
    patterns = ((re.escape(ZIP), "zip"), *((pattern, name) for pattern, name, _ in _OPENERS))
    return next((name for pattern, name in patterns if re.match(pattern, start)), None)


def unpack(name: str, data: Path | bytes, head: bytes) -> tuple[str, Path | bytes]:
    """The name and the data, which are the only data file of a zip archive where it is one.

    head  the beginning, decompressed

    A workbook, which is a zip archive too, stays as it is. What is left compressed is gzip. Raises
    DataError where an archive has no data file, several, or a password.
    """
    if head.startswith(ZIP):
        with content(data) as file:
            data = file.read()
        return _member(name, data)
    with _file(data) as file:
        opener = _opener(file)
    if opener and opener != gzip.open:
        with content(data) as file:
            return name, file.read()
    return name, data


def is_workbook(head: bytes) -> bool:
    """Whether a file that begins so, and that `unpack` has left, is a workbook."""
    return head.startswith((ZIP, OLE))


def _member(name: str, data: bytes) -> tuple[str, bytes]:
    try:
        return _only(name, data)
    except (RuntimeError, NotImplementedError, ValueError) as error:  # a password, damage
        raise DataError(f"{name} cannot be unzipped: {error}") from error


def _only(name: str, data: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inside = [info for info in archive.infolist() if not info.filename.endswith("/")]
        names = {info.filename for info in inside}
        if "[Content_Types].xml" in names or "mimetype" in names:
            if any(each.startswith("xl/") for each in names) or "content.xml" in names:
                return name, data
            raise DataError(f"{name} is a document: save the orders as .xlsx or CSV")
        files = [
            info
            for info in inside
            if info.file_size
            and not any(is_hidden(part) for part in Path(info.filename).parts)
            and not is_beside(Path(info.filename).name)
        ]
        if len(files) != 1:
            listed = ", ".join(sorted(info.filename for info in files)[:5])
            what = f"{len(files)} files ({listed})" if files else "no data file"
            raise DataError(f"the zip archive {name} has {what}: unzip it into a folder")
        inner = archive.read(files[0])
    name = f"{files[0].filename} in {name}"
    with content(inner) as file:
        if file.read(4) == ZIP and _member(name, inner)[1] is not inner:
            raise DataError(f"{name} is a zip archive again: unzip it into a folder")
    return name, inner
