"""Which files there are, and their formats."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from ordergap.errors import DataError, Problem, UnsupportedMediaType

Form = Literal["csv", "jsonlines", "parquet"]

_MEDIA_TYPES: dict[str, Form] = {
    "csv": "csv",
    "text/csv": "csv",
    "application/csv": "csv",
    "jsonl": "jsonlines",
    "ndjson": "jsonlines",
    "jsonlines": "jsonlines",
    "application/jsonl": "jsonlines",
    "application/jsonlines": "jsonlines",
    "application/x-ndjson": "jsonlines",
    "parquet": "parquet",
    "application/parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.parquet": "parquet",
}
_SUFFIXES: dict[str, Form] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonlines",
    ".ndjson": "jsonlines",
    ".json": "jsonlines",
}
_GZIP = b"\x1f\x8b"
DAMAGED = (OSError, EOFError, zlib.error)
"""What reading a file, or a damaged gzip file, may raise."""


@dataclass(frozen=True)
class Source:
    """A file, or its bytes, and its format; `name` is what messages call it."""

    name: str
    data: Path | bytes
    form: Form
    head: bytes
    """The first 64 KiB, unzipped."""


def find(path: Path, content_type: str | None = None) -> Iterator[Source]:
    """The file, or every data file of the folder and the folders in it, in the names' order.

    Empty files and those whose name, or whose folder's name, begins with a dot or an underscore
    (such as ``_SUCCESS``) are no data files. Raises DataError where there are none.
    """
    if path.is_file():
        yield open_source(path.name, path, content_type)
        return
    if not path.is_dir():
        raise DataError(f"there is no file or folder {path}")
    files = data_files(path)
    if not files:
        raise DataError(
            f"the folder {path} has no data files: put CSV, Parquet or JSON Lines there"
        )
    for file in files:
        yield open_source(str(file.relative_to(path)), file, content_type)


def data_files(folder: Path) -> list[Path]:
    """Every data file of the folder and the folders in it, as `find` has it."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
        and file.is_file()
        and file.stat().st_size
    ]


def open_source(name: str, data: Path | bytes, content_type: str | None = None) -> Source:
    """Read the beginning to choose the format. Raises DataError and UnsupportedMediaType."""
    try:
        with content(data) as file:
            head = file.read(1 << 16)
    except DAMAGED as error:
        raise DataError(f"{name} cannot be read: {error}") from error
    if not head.strip():
        raise DataError(f"{name} is empty")
    form = _form(name, head, content_type)
    if form != "parquet" and b"\0" in head:
        what = "a zip archive or Excel workbook" if head.startswith(b"PK") else "binary or UTF-16"
        raise DataError(f"{name} is {what}: save it as CSV (UTF-8), Parquet or JSON Lines")
    return Source(name, data, form, head)


def _form(name: str, head: bytes, content_type: str | None) -> Form:
    if content_type:
        essence = content_type.partition(";")[0].strip().lower()
        if essence not in _MEDIA_TYPES:
            accepted = ", ".join(_MEDIA_TYPES)
            message = f"{content_type} is not a format of transactions: use one of {accepted}"
            raise UnsupportedMediaType([Problem(message)])
        return _MEDIA_TYPES[essence]
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
        return "jsonlines"
    return _SUFFIXES.get(Path(name.removesuffix(".gz")).suffix.lower(), "csv")


def content(data: Path | bytes) -> IO[bytes]:
    """The bytes, unzipped where they begin like a gzip file, whatever the name is."""
    if isinstance(data, bytes):
        zipped = data.startswith(_GZIP)
    else:
        with data.open("rb") as file:
            zipped = file.read(2) == _GZIP
    if zipped:
        return cast("IO[bytes]", gzip.open(io.BytesIO(data) if isinstance(data, bytes) else data))
    return io.BytesIO(data) if isinstance(data, bytes) else data.open("rb")
