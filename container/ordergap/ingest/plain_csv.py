"""CSV that polars reads, with conditions that fail where the file is not as plain as its beginning.

See docs/decisions/data.md#odd-csv-goes-through-pythons-reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from ordergap.ingest.archives import content
from ordergap.ingest.delimited import Sample
from ordergap.ingest.header import Header, Wanted

UNREADABLE = (PolarsError, PanicException)
"""What polars raises, which panics at a damaged Parquet file."""
_BLOCK = 1 << 24


def frames(
    data: Path | bytes, beginning: Sample | None, header: Header, wanted: Wanted
) -> Iterator[pl.LazyFrame]:
    """The rows, all text, for a user who takes the first frame that polars can read; UTF-8.

    A frame fails where rows have more or fewer cells than the header, and where a quotation mark
    may make one cell of several rows. What the first ones look at costs less and is less exact.
    """
    if beginning is None or (beginning.quoted and _has_odd_quotes(data, header.delimiter)):
        return
    columns = list(header.names)
    frame = pl.scan_csv(
        data,
        separator=header.delimiter,
        skip_lines=header.skipped,
        has_header=header.lines > 0,
        with_column_names=lambda _: columns,
        infer_schema=False,
        glob=False,
    )
    frame = without_blank(frame)
    checked = [pl.col(name) for name in columns if name not in wanted.values]
    breaks = [cell.str.contains("\n", literal=True) for cell in checked]
    last = max((i for i, name in enumerate(columns) if name in wanted.used), default=0)
    ends = pl.col(columns[-1:] if beginning.filled else columns[last:])
    short = pl.all_horizontal(ends.is_null())
    if not beginning.breaks:
        # A cell with an order line in it is longer than delimiters and these cells together.
        shortest = zip(columns, beginning.shortest, strict=True)
        least = len(columns) - 1 + sum(size for name, size in shortest if name in wanted.regular)
        lengths = dict(zip(columns, beginning.longest, strict=True))
        likely = [
            cell.str.len_bytes() > least if lengths[cell.meta.output_name()] <= least else broken
            for cell, broken in zip(checked, breaks, strict=True)
        ]
        yield frame.filter(_failing(short, *likely))
        yield frame.filter(_failing(short, *breaks))
    if not _has_short_lines(data, header):
        rows = [
            broken & (cell.str.count_matches(header.delimiter, literal=True) > len(columns) - 2)
            for cell, broken in zip(checked, breaks, strict=True)
        ]
        yield frame.filter(_failing(*rows))


def without_blank(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The rows but for lines of nothing, or of nothing but delimiters."""
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _failing(*odd: pl.Expr) -> pl.Expr:
    """A filter that keeps every row, and fails where one of the conditions holds for a row."""
    any_odd = pl.any_horizontal(pl.lit(value=False), *odd).fill_null(value=False)
    return (-any_odd.cast(pl.Int8)).cast(pl.UInt8) == 0  # -1 is no unsigned number


def _has_short_lines(data: Path | bytes, header: Header) -> bool:
    """Whether a line may have fewer cells than the header, or is a part of a row."""
    line = pl.col("line").str.replace_all('"[^"]*"', "")
    short = line.str.count_matches(header.delimiter, literal=True) < len(header.names) - 1
    blank = pl.col("line").str.strip_chars(f" \r{header.delimiter}") == ""
    part = line.str.contains('"', literal=True)
    try:
        lines = pl.scan_csv(
            data,
            separator="\x1f",
            quote_char=None,
            has_header=False,
            skip_lines=header.skipped,
            schema={"line": pl.String},
            truncate_ragged_lines=True,
            glob=False,
        )
        odd = ((short & ~blank) | part).any()
        return bool(lines.select(odd).collect(engine="streaming").item())
    except UNREADABLE:
        return True


def _has_odd_quotes(data: Path | bytes, delimiter: str) -> bool:
    """Whether quotation marks are escaped by backslashes, or within cells and not doubled."""
    mark = re.escape(delimiter).encode()
    odd = re.compile(rb'"(?<=\\")|"(?<![%b\n"]")(?![%b\r\n"])' % (mark, mark))
    with content(data) as file:
        before = b"\n"
        while block := file.read(_BLOCK):
            text = before + block + file.readline()
            if odd.search(text, 1):
                return True
            before = text[-1:]
    return False
