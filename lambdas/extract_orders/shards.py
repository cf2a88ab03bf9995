"""Rows on their way through a temporary folder, partitioned by customer."""

from __future__ import annotations

import zlib
from pathlib import Path

import polars as pl
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest.cells import dates, identifiers

from lambdas.shared.errors import BadEvent

_SHARD = "_shard"


class Shards:
    """Takes frames and returns them shard by shard. All rows of a customer are in one shard.

    The shard depends only on the customer's id, as cleaning reads it, and the number of shards.
    Rows without a customer are distributed by their date.
    """

    def __init__(self, folder: Path, count: int, columns: Columns) -> None:
        self.count = count
        self.rows = 0
        self.folder = folder
        self._columns = columns
        self._pieces = 0
        self._slashed: set[str] = set()

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows, whose columns are text."""
        self.rows += len(frame)
        self._pieces += 1
        self._note_slashes(frame)
        shards = frame.with_columns(self._shard(frame)).partition_by(
            _SHARD, include_key=False, as_dict=True
        )
        for (shard,), part in shards.items():
            folder = self._shard_folder(shard)
            folder.mkdir(parents=True, exist_ok=True)
            part.write_parquet(folder / f"{self._pieces:06}.parquet", compression="lz4")

    def _shard(self, frame: pl.DataFrame) -> pl.Series:
        key = identifiers(frame[self._columns.customer_column])
        key = key.fill_null(frame[self._columns.date_column]).fill_null("")
        keys = key.unique()
        shards = [zlib.crc32(text.encode()) % self.count for text in keys]
        return key.replace_strict(keys, pl.Series(shards), return_dtype=pl.UInt32).alias(_SHARD)

    def _note_slashes(self, frame: pl.DataFrame) -> None:
        texts = frame[self._columns.date_column].unique()
        slashed = texts.filter(texts.str.contains("/", literal=True))
        self._slashed.update(slashed.str.extract(r"(\S*/\S*)").unique())

    def take(self, shard: int) -> list[pl.DataFrame]:
        """A shard's rows, which are deleted from the folder."""
        pieces = sorted(self._shard_folder(shard).glob("*.parquet"))
        frames = [pl.read_parquet(piece, glob=False, memory_map=False) for piece in pieces]
        for piece in pieces:
            piece.unlink()
        return frames

    def _shard_folder(self, shard: object) -> Path:
        return self.folder / f"{shard:05}"

    def cleaning(self) -> Columns:
        """The columns, with the date_format that all rows together show; one shard may not show it.

        Raises BadEvent where rows contradict each other.
        """
        if self._columns.date_format or not self._slashed:
            return self._columns
        try:
            date_format = dates(pl.Series(sorted(self._slashed))).date_format
        except DataError as error:
            raise BadEvent([f"market.columns: {error}"]) from None
        return self._columns.model_copy(update={"date_format": date_format})
