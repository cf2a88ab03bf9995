"""Tables in memory: frames of pandas, polars and pyarrow, read in blocks and built.

Neither pandas nor pyarrow is needed: each is imported only to build a frame of its kind.

See docs/decisions/data.md#frames-are-read-in-blocks-and-need-no-library-of-their-own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Literal, Protocol, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.contract.column_names import column_name
from ordergap.errors import DataError

Kind = Literal["pandas", "polars", "pyarrow"]

BLOCK = 1 << 18  # rows of a pandas or pyarrow frame that are converted at once
_CLASSES = {
    ("pandas", "DataFrame"),
    ("polars", "DataFrame"),
    ("polars", "LazyFrame"),
    ("pyarrow", "RecordBatch"),
    ("pyarrow", "Table"),
}


class ArrowStream(Protocol):
    """What frames have in common: pandas' and polars' DataFrame, pyarrow's Table, RecordBatch."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The frame as a stream of Arrow's C data interface."""
        ...


Frame = ArrowStream | pl.LazyFrame


def kind_of(frame: object) -> Kind:
    """The library that a frame is from; raises DataError for anything else.

    >>> kind_of(pl.DataFrame())
    'polars'
    """
    for cls in type(frame).__mro__:
        library = cls.__module__.partition(".")[0]
        if (library, cls.__name__) in _CLASSES:
            return cast("Kind", library)
    cls = type(frame)
    raise DataError(
        f"orders cannot be read from {cls.__module__}.{cls.__qualname__}: give a path, or a frame "
        "of pandas, polars or pyarrow"
    )


def blocks(frame: Frame) -> Iterator[pl.LazyFrame]:
    """The rows of a frame, in blocks that become polars frames one at a time; at least one block.

    Numbers and moments keep their values, a moment with a time zone its zone. All else in a pandas
    column becomes text. Columns get the names that `column_names` makes; pandas' index is left out.
    Raises DataError for what is no frame.
    """
    kind = kind_of(frame)
    table = cast("Any", frame)
    if kind == "polars":
        schema = table.lazy().collect_schema()
        things = [name for name, dtype in schema.items() if dtype == pl.Object]
        if things:
            table = table.lazy().collect()
            table = table.with_columns(_texts(name, table[name].to_list()) for name in things)
        yield table.lazy().rename(dict(zip(schema, column_names(schema), strict=True)))
        return
    names = column_names(table.columns if kind == "pandas" else table.schema.names)
    for start in range(0, max(len(table), 1), BLOCK):
        if kind == "pandas":
            columns = (column for _, column in table.iloc[start : start + BLOCK].items())
            yield pl.LazyFrame([_column(*each) for each in zip(names, columns, strict=True)])
        else:
            yield pl.DataFrame(table.slice(start, BLOCK).rename_columns(names)).lazy()


def _column(name: str, column: Any) -> pl.Series:
    """A pandas column; pyarrow is used only for what it holds itself."""
    if hasattr(column.dtype, "pyarrow_dtype") or getattr(column.dtype, "storage", "") == "pyarrow":
        return pl.Series(name, column.array.__arrow_array__())
    if getattr(column.dtype, "tz", None):
        utc = pl.Series(name, column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
        return _zoned(utc.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), column.dtype.tz)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM":
        values = column.to_numpy()
        return pl.Series(name, values.astype("M8[us]") if values.dtype.kind == "M" else values)
    values = column.to_numpy(dtype=object, copy=True)
    values[column.isna().to_numpy()] = None
    return _texts(name, values.tolist())


def _zoned(utc: pl.Series, zone: object) -> pl.Series:
    """Moments with their zone; those of a zone without a name as text with their offset."""
    try:
        return utc.dt.convert_time_zone(str(zone))
    except pl.exceptions.ComputeError:
        moments = (None if each is None else each.astimezone(zone) for each in utc.to_list())
        return _texts(utc.name, [each and each.isoformat() for each in moments])


def _texts(name: str, values: Sequence[object]) -> pl.Series:
    texts = [value if value is None or type(value) is str else _text(value) for value in values]
    return pl.Series(name, texts, pl.String)


def _text(value: object) -> str:
    """A whole number as the integer that a file would have: a column of both can hold either."""
    if not isinstance(value, float | Decimal) or not math.isfinite(value):
        return str(value)
    return str(int(value)) if value == int(value) else exact(value)


def exact(number: object) -> str:
    """A number beside texts, marked: its point is a decimal one, whatever theirs is.

    >>> exact(1.459)
    '=1.459'
    """
    return f"={number}"


def column_names(names: Iterable[object]) -> list[str]:
    """Names as `column_name` has them; where one is repeated, with the column's number.

    >>> column_names(["a", " b", "a"])
    ['a', 'b', 'a (column 3)']
    """
    distinct: list[str] = []
    for number, name in enumerate(names, 1):
        text = column_name(name)
        distinct.append(f"{text} (column {number})" if text in distinct else text)
    return distinct


def repeats(name: str, present: Iterable[str]) -> list[str]:
    """What `column_names` calls further columns of that name.

    >>> repeats("a", ["a", "b", "a (column 3)"])
    ['a (column 3)']
    """
    return [other for other in present if other.startswith(f"{name} (column ")]


def build(
    columns: Mapping[str, Sequence[object] | NDArray[Any]],
    kind: Kind,
    types: Mapping[str, type] | None = None,
) -> Any:
    """A frame of `kind` (pandas.DataFrame, polars.DataFrame, pyarrow.Table) with these columns.

    columns  name -> values, None where one is missing; or a NumPy array
    types    name -> str, int, float, bool or datetime.date, for columns whose values may all be
             missing; a column that is not named has the type of its values

    Dates are dates (datetime64 in pandas). In pandas, integers and booleans are of a nullable
    type (Int64, boolean) unless they came as an array. Raises ImportError where pandas or pyarrow
    is wanted and is not installed.
    """
    schema = {name: pl.DataType.from_python(each) for name, each in (types or {}).items()}
    frame = pl.DataFrame(columns, schema_overrides=schema)
    if kind == "polars":
        return frame
    if kind == "pyarrow":
        return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    import pandas as pd  # noqa: PLC0415 - only where such a frame is wanted

    text = pd.Series(["text"]).dtype  # str, or object before pandas 3
    nullable = {pl.String: text, pl.Int64: "Int64", pl.Boolean: "boolean"}
    series = {}
    for name, values in columns.items():
        column = frame[name]
        dtype = None if isinstance(values, np.ndarray) else nullable.get(type(column.dtype))
        cells = column.to_numpy() if dtype is None else column.to_list()
        series[name] = pd.Series(cells, dtype=dtype)
    return pd.DataFrame(series)


def write_parquet(frames: Sequence[pl.DataFrame], file: IO[bytes]) -> None:
    """The rows of polars frames with equal columns, one frame after the other, as Parquet."""
    pl.concat(frames).write_parquet(file)


def read_parquet(path: Path, columns: Sequence[str] | None = None, rows: int | None = None) -> Any:
    """A Parquet file, or its first `rows`, as a polars frame.

    columns  those that are read, of which some may be missing; None: all

    Raises DataError where it cannot be read.
    """
    try:
        lazy = pl.scan_parquet(path, n_rows=rows, glob=False)
        if columns is not None:
            lazy = lazy.select(pl.col(name) for name in lazy.collect_schema() if name in columns)
        return lazy.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0][:200]
        raise DataError(f"{path} is cut, or no Parquet file: copy it again ({first})") from error
