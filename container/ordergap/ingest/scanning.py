"""One source as a lazy frame, repaired where it cannot be read as it is."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl

from ordergap.errors import DataError
from ordergap.frames import column_names
from ordergap.ingest.sources import Source, content

_ENCODINGS = (("utf-8-sig", ""), ("cp1252", "Windows-1252"), ("latin-1", "Latin-1"))
_BLOCK = 1 << 24


def versions(
    source: Source, wanted: Collection[str]
) -> Iterator[tuple[Path | bytes, tuple[str, ...]]]:
    """The data as it is; then, for a reader who could not read that, repaired step by step.

    Yields data, for `scan`, and notes for the user. `wanted` are the columns to look for. Raises
    DataError where a line cannot be repaired.
    """
    yield source.data, ()
    if source.form == "parquet":
        return
    text, notes = _to_utf8(source.data)
    yield text, notes
    if source.form == "csv":
        yield _requote(source, text, wanted), notes
    else:
        _raise_for_line(source, text)


def scan(
    source: Source, data: Path | bytes, wanted: Collection[str]
) -> tuple[pl.LazyFrame, tuple[str, ...]]:
    """A lazy frame over one of the versions, all text unless it is Parquet, and notes."""
    if source.form == "parquet":
        file = io.BytesIO(data) if isinstance(data, bytes) else data
        return pl.scan_parquet(file, glob=False), ()
    if source.form == "jsonlines":
        # A key may occur on the last line for the first time.
        keys = pl.scan_ndjson(data, infer_schema_length=None).collect_schema()
        return pl.scan_ndjson(data, schema=dict.fromkeys(keys, pl.String)), ()
    delimiter, names = _header(source, wanted)
    frame = pl.scan_csv(
        data,
        separator=delimiter,
        with_column_names=lambda _: names,
        infer_schema=False,
        truncate_ragged_lines=True,
        glob=False,
    )
    notes = () if delimiter == "," else (f"the delimiter was taken to be {delimiter!r}",)
    # A line of nothing, or of nothing but delimiters, is no row.
    return frame.filter(~pl.all_horizontal(pl.all().is_null())), notes


def _header(source: Source, wanted: Collection[str]) -> tuple[str, list[str]]:
    """The delimiter and the columns' names, stripped and made distinct.

    The delimiter is a comma unless that gives none of the wanted columns.
    """
    head = source.head.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    text = _to_utf8(head.splitlines()[0])[0].decode()
    splits = {
        delimiter: [name.strip() for name in next(csv.reader([text], delimiter=delimiter))]
        for delimiter in ",;\t|"
    }
    matches = {delimiter: len({*wanted} & {*names}) for delimiter, names in splits.items()}
    best = "," if matches[","] else max(splits, key=lambda one: (matches[one], len(splits[one])))
    return best, column_names(splits[best])


def _to_utf8(data: Path | bytes) -> tuple[bytes, tuple[str, ...]]:
    """The whole text in UTF-8, and in which encoding it was."""
    for encoding, name in _ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        text = io.BytesIO()
        try:
            with content(data) as file:
                while block := file.read(_BLOCK):
                    text.write(decoder.decode(block).encode())
            text.write(decoder.decode(b"", final=True).encode())
        except UnicodeDecodeError:
            continue
        return text.getvalue(), (f"the text is not UTF-8: read as {name}",) if name else ()
    raise AssertionError("Latin-1 reads every byte")


def _requote(source: Source, text: bytes, wanted: Collection[str]) -> bytes:
    """CSV written anew, for a file with quotation marks inside unquoted cells."""
    delimiter, _ = _header(source, wanted)
    lines = csv.reader(
        io.TextIOWrapper(io.BytesIO(text), "utf-8", newline=""), delimiter=delimiter, strict=True
    )
    quoted = io.StringIO()
    try:
        csv.writer(quoted, delimiter=delimiter, lineterminator="\n").writerows(lines)
    except csv.Error as error:
        raise DataError(
            f"line {lines.line_num} of {source.name} is not CSV ({error}): close the quotation "
            "mark that is open there or on a line before"
        ) from error
    return quoted.getvalue().encode()


def _raise_for_line(source: Source, text: bytes) -> None:
    """Raise DataError with the number of the first line that is not JSON."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            json.loads(line or b"{}")
        except ValueError as error:
            raise DataError(f"line {number} of {source.name} is not JSON: {error}") from error
