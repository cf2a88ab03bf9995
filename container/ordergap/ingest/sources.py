"""Which files there are, and their formats."""

from __future__ import annotations

import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ordergap.errors import DataError, Problem, UnsupportedMediaType
from ordergap.ingest import archives, encodings, names, signatures, walking

Form = Literal["csv", "json", "parquet", "workbook"]

# None: as the file looks.
_MEDIA_TYPES: dict[str, Form | None] = {
    "csv": "csv",
    "text/csv": "csv",
    "application/csv": "csv",
    "tsv": "csv",
    "text/tab-separated-values": "csv",
    "json": "json",
    "application/json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "jsonlines": "json",
    "application/jsonl": "json",
    "application/jsonlines": "json",
    "application/x-ndjson": "json",
    "parquet": "parquet",
    "application/parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.ms-excel": None,  # which Windows says of CSV files too
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": None,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": None,
    "application/vnd.oasis.opendocument.spreadsheet": None,
    "application/gzip": None,
    "application/x-gzip": None,
    "application/zip": None,
    "application/x-zip-compressed": None,
    "application/octet-stream": None,
    "binary/octet-stream": None,
    "text/plain": None,
}
_SUFFIXES: dict[str, Form] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
HEAD = 1 << 16
"""Bytes of a source that are looked at to choose its format."""
_LISTED = 5  # names of files in a message


@dataclass(frozen=True)
class Source:
    """A file, or its bytes, and its format; `name` is what messages call it."""

    name: str
    data: Path | bytes
    form: Form
    head: bytes
    """The first 64 KiB, decompressed."""
    columns: Mapping[str, str | None] = field(default_factory=dict)
    """Columns in the names of its folders, such as day=2022-01-11; None where it is missing."""
    notes: tuple[str, ...] = ()
    """Sentences for the user, the same for all files of a folder."""


def find(path: Path, content_type: str | None = None, date_column: str = "") -> Iterator[Source]:
    """The file, or every data file of the folder and the folders in it, in the names' order.

    Empty files, those whose name, or whose folder's name, begins with a dot or an underscore (such
    as ``_SUCCESS``), and what lies beside data (a manifest, README) are no data files. Names of
    folders such as ``shop=a`` are columns, those above the path too; year, month and day are the
    `date_column`. Raises DataError where there are none, and where something of the folder cannot
    be read.
    """
    is_folder = stat.S_ISDIR(walking.status(path).st_mode)
    above = names.hive_folders((path if is_folder else path.parent).absolute())
    if not is_folder:
        columns = names.hive_columns(above / path.name, date_column)
        source = open_source(path.name, path, content_type)
        yield replace(source, columns=columns, notes=_taken(columns))
        return
    files, beside = _files(path)
    if not files:
        there = [str(file.relative_to(path)) for file in beside] or sorted(
            str(file.relative_to(path)) for file in path.iterdir()
        )
        listed = ", ".join(there[:_LISTED]) + ", …" * (len(there) > _LISTED)
        raise DataError(
            f"the folder {path} has no data files{f' (only {listed})' if there else ''}: put CSV, "
            "Parquet, JSON Lines or Excel workbooks there"
        )
    notes: tuple[str, ...] = ()
    if beside:
        count = f"{len(beside):,} file{'s' * (len(beside) > 1)}"
        example = beside[0].relative_to(path)
        notes = (f"{count} beside the data passed over, such as {example}",)
    for file in files:
        relative = file.relative_to(path)
        columns = names.hive_columns(above / relative, date_column)
        source = open_source(str(relative), file, content_type)
        yield replace(source, columns=columns, notes=notes + _taken(columns))


def _taken(columns: Collection[str]) -> tuple[str, ...]:
    taken = f"columns that are in the names of folders: {', '.join(columns)}"
    return (taken,) if columns else ()


def data_files(folder: Path) -> list[Path]:
    """Every data file of the folder and the folders in it, as `find` has it."""
    return _files(folder)[0]


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The data files, and the files beside them."""
    files = sorted(walking.files(folder), key=_by_number)
    return (
        [file for file in files if not names.is_beside(file.name)],
        [file for file in files if names.is_beside(file.name)],
    )


def _by_number(path: Path) -> list[tuple[str, int, str]]:
    """A place in a sequence of names in which ``export_9.csv`` comes before ``export_10.csv``."""
    parts = re.findall(r"(\D*)(\d*)", str(path))
    return [(text, int(digits or 0), digits) for text, digits in parts]


def open_source(name: str, data: Path | bytes, content_type: str | None = None) -> Source:
    """Read the beginning to choose the format. Raises DataError and UnsupportedMediaType."""
    said = _said(content_type)
    try:
        name, data = archives.unpack(name, data, _head(data))
        head = _head(data)
    except archives.DAMAGED as error:
        raise DataError(f"{name} cannot be read: {error}") from error
    if not head.strip():
        raise DataError(f"{name} is empty")
    if refusal := signatures.refusal(head):
        raise DataError(f"{name} {refusal}")
    return Source(name, data, _form(name, head, said), head)


def _head(data: Path | bytes) -> bytes:
    with archives.content(data) as file:
        return file.read(HEAD)


def _said(content_type: str | None) -> Form | None:
    essence = (content_type or "text/plain").partition(";")[0].strip().lower()
    if essence not in _MEDIA_TYPES:
        accepted = ", ".join(_MEDIA_TYPES)
        message = f"{content_type} is not a format of transactions: use one of {accepted}"
        raise UnsupportedMediaType([Problem(message)])
    return _MEDIA_TYPES[essence]


def _form(name: str, head: bytes, said: Form | None) -> Form:
    if head.startswith(b"PAR1"):
        return "parquet"
    if archives.is_workbook(head):
        return "workbook"
    if said:
        return said
    if re.match(r"\s*(\{|\[\s*[\[{\]])", encodings.beginning(head)):
        return "json"
    return _SUFFIXES.get(Path(name.removesuffix(".gz")).suffix.lower(), "csv")
