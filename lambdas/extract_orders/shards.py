"""Rows on their way through a temporary folder, partitioned by customer."""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import polars as pl
from ordergap.clock import today
from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError
from ordergap.ingest import Decided, Evidence, dates, decide
from ordergap.ingest.cells import customers, identifiers
from ordergap.ingest.roles import names as names_of

from lambdas.shared.customers import without
from lambdas.shared.errors import BadEvent

ROW = "_row"
_SHARD = "_shard"


class Shards:
    """Takes frames and returns them shard by shard. All rows of a customer are in one shard.

    The shard depends only on the customer, as cleaning reads it, and the number of shards. Rows
    without a customer follow the lines of their order, or are distributed by their date.

    reused    the number of rows of an earlier run
    rows      the number of rows added besides
    evidence  how the cells of the rows added are written
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        columns: Columns,
        source: Mapping[str, str],
        numbers: Iterable[str],
        *,
        iso: bool,
    ) -> None:
        """Rows for training files that are read by `columns`.

        source   name in training files -> name in the database, of every column
        numbers  names in training files of the columns that are numbers, not texts
        iso      whether all dates begin with the day in ISO 8601, and so show nothing
        """
        self.count = count
        self.folder = folder
        self.reused = 0
        self.rows = 0
        self.evidence = Evidence()
        self._columns = columns
        self._source = source
        self._iso = iso
        numbers = {*numbers}
        self._schema = {name: pl.Float64 if name in numbers else pl.String for name in source}
        self._pieces = 0

    def reuse(self, shard: int, frame: pl.DataFrame) -> None:
        """Put a shard's rows of an earlier run, before any are added."""
        frame = frame.with_row_index(ROW, self.reused)
        self.reused += len(frame)
        aside = self._may_follow(frame)
        self._write(frame.filter(~aside), self._shard_folder(shard))
        if aside.any():  # new rows may change what their orders agree on
            frame = frame.filter(aside)
            self._write(frame.with_columns(self._shard(frame)), self._aside)

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows, whose columns are text. Raises BadEvent for customers that lost digits."""
        frame = frame.cast(self._schema, strict=False)  # type: ignore[arg-type]
        self.evidence = Evidence.join([self.evidence, self._evidence(frame)])
        shards = self._shard(frame)
        frame = frame.with_row_index(ROW, self.reused + self.rows).with_columns(shards)
        self.rows += len(frame)
        aside = self._may_follow(frame)
        self._divide(frame.filter(~aside))
        if aside.any():
            self._write(frame.filter(aside), self._aside)

    def _evidence(self, frame: pl.DataFrame) -> Evidence:
        """What the cells show; a column is called as in the database."""
        names = names_of(self._columns)
        columns = self._columns.model_copy(update={"date_column": self._source[names["date"]]})
        numbers = [names["quantity"], names["price"]]
        texts = {
            self._source[name]: frame[name].unique()
            for name in numbers
            if self._schema.get(name) == pl.String
        }
        dated = frame[names["date"]].unique()
        return Evidence.of(columns, dated.clear() if self._iso else dated, texts, today())

    def _shard(self, frame: pl.DataFrame) -> pl.Series:
        texts = frame[self._columns.customer_column]
        try:
            key = customers(texts, self._columns.no_customer_words)
        except DataError as error:
            raise BadEvent([f"market.columns.customer_column: {error}"]) from None
        key = key.fill_null(frame[self._columns.date_column]).fill_null("")
        keys = key.unique()
        shards = [zlib.crc32(text.encode()) % self.count for text in keys]
        return key.replace_strict(keys, pl.Series(shards), return_dtype=pl.UInt32).alias(_SHARD)

    def _may_follow(self, frame: pl.DataFrame) -> pl.Series:
        """True for rows without a customer whose order's other lines may have one."""
        if self._columns.order_column not in self._schema:
            return pl.repeat(value=False, n=len(frame), dtype=pl.Boolean, eager=True)
        nobody = identifiers(frame[self._columns.customer_column]).is_null()
        return nobody & identifiers(frame[self._columns.order_column]).is_not_null()

    def settle(self, columns: Columns, as_of: datetime.date) -> None:
        """Put each row that was set aside into a shard, when all are added.

        That is the shard of the customer whom cleaning takes from the other lines of its order,
        until `as_of`. Where they do not agree on one, the row is read alone: in a shard, which has
        some of them, they may.

        columns  with what was decided
        """
        pieces = sorted(self._aside.glob("*.parquet"))
        if not pieces:
            return
        orders = pl.concat([_read(piece, [columns.order_column]) for piece in pieces])
        lines = self._lines(identifiers(orders.to_series()).unique(), columns, as_of)
        one = pl.col("who").n_unique() == 1
        first = pl.col("shard").first()
        of_day = lines.drop_nulls("day").group_by("of", "day").agg(first, one=one).filter("one")
        # A row without a date, or a refund of a later day, which cleaning sees there.
        of_order = lines.group_by("of").agg(first, one=one & (pl.col("day").n_unique() == 1))
        of_order = of_order.filter("one")
        for piece in pieces:
            frame = _read(piece)
            piece.unlink()
            order, day = frame[columns.order_column], days(frame[columns.date_column], columns)
            keys = frame.select(of=identifiers(order), day=day)
            by_day = keys.join(of_day, on=["of", "day"], how="left", maintain_order="left")
            by_order = keys.join(of_order, on="of", how="left", maintain_order="left")
            shard = by_day["shard"].fill_null(by_order["shard"])
            alone = shard.is_null()
            self._divide(
                frame.with_columns(shard.fill_null(frame[_SHARD]).alias(_SHARD)).filter(~alone)
            )
            self._divide(frame.filter(alone), alone=True)

    def forget(self, listed: Container[str]) -> int:
        """Leave out the rows of listed customers, when all are settled; returns how many."""
        before = after = 0
        for shard in range(self.count):
            frame = self.read(shard)
            left = without(frame, listed, self._columns.no_customer_words)
            before, after = before + len(frame), after + len(left)
            if len(left) < len(frame):
                for piece in self._pieces_of(shard, alone=False):
                    piece.unlink()
                self._write(left, self._shard_folder(shard))
        return before - after

    def _lines(self, orders: pl.Series, columns: Columns, as_of: datetime.date) -> pl.DataFrame:
        """The lines of `orders` until `as_of` with a customer and a date."""
        name, date = columns.customer_column, columns.date_column
        found = []
        for shard in range(self.count):
            frame = self.read(shard, [ROW, columns.order_column, name, date])
            frame = frame.filter(
                identifiers(frame[columns.order_column]).is_in(orders.implode()),
                identifiers(frame[date]).is_not_null(),
            )
            lines = frame.select(
                of=identifiers(frame[columns.order_column]),
                who=customers(frame[name], columns.no_customer_words),
                day=days(frame[date], columns),
                shard=pl.lit(shard, pl.UInt32),
            )
            late = (pl.col("day") > as_of).fill_null(value=False)
            found.append(lines.filter(pl.col("who").is_not_null(), ~late).unique())
        return pl.concat(found)

    def read(
        self, shard: int, columns: list[str] | None = None, *, alone: bool = False
    ) -> pl.DataFrame:
        """A shard's rows in their sequence: `ROW` numbers them, first those that are reused.

        alone  those of them that are read without the others, rather than the others
        """
        empty = pl.DataFrame(schema={ROW: pl.UInt32, **self._schema})
        if columns is not None:
            empty = empty.select(columns)
        frames = [_read(piece, columns) for piece in self._pieces_of(shard, alone=alone)]
        return pl.concat([empty, *frames]).sort(ROW)

    def delete(self, shard: int) -> None:
        """Delete a shard's rows from the folder."""
        for alone in (False, True):
            for piece in self._pieces_of(shard, alone=alone):
                piece.unlink()

    def _divide(self, frame: pl.DataFrame, *, alone: bool = False) -> None:
        for (shard,), part in frame.partition_by(_SHARD, include_key=False, as_dict=True).items():
            self._write(part, self._shard_folder(shard, alone=alone))

    def _write(self, frame: pl.DataFrame, folder: Path) -> None:
        self._pieces += 1
        folder.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(folder / f"{self._pieces:06}.parquet", compression="lz4")

    def _pieces_of(self, shard: int, *, alone: bool) -> list[Path]:
        return sorted(self._shard_folder(shard, alone=alone).glob("*.parquet"))

    def _shard_folder(self, shard: object, *, alone: bool = False) -> Path:
        return self.folder / f"{shard:05}" / ("alone" if alone else "together")

    @property
    def _aside(self) -> Path:
        return self.folder / "aside"

    def decide(self, known: Conventions | None) -> Decided:
        """How cells are written, as all rows together show; one shard may not show it.

        known  what an earlier run found, whose rows are reused

        Raises BadEvent where rows contradict each other or what is known, or do not decide.
        """
        try:
            return decide(self.evidence, self._columns, known)
        except DataError as error:
            raise BadEvent([f"market.columns: {error}"]) from None


def _read(piece: Path, columns: list[str] | None = None) -> pl.DataFrame:
    return pl.read_parquet(piece, columns=columns, glob=False, memory_map=False)


def days(texts: pl.Series, columns: Columns) -> pl.Series:
    """The days of dates, by columns with what was decided."""
    return dates.read(texts, columns.date_format, time_zone=columns.time_zone).dt.date()
