"""What XGBoost boosts on: rows in memory, or pages on the disk made of rows block by block.

See docs/decisions/trainers.md#rows-of-many-orders-are-pages-on-the-disk.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ordergap.errors import PlatformError
from ordergap.files import saving
from ordergap.models.xgboost import load_xgboost

BLOCK = 65_536
"""Gaps whose rows are held at once; where there are so many or fewer, all are."""
_VALUE, _ROW = 6, 32  # bytes on the disk, at most, of a value and of what a row has besides
_FAILURE = "the rows that are learnt from cannot be kept in"
_Column = NDArray[np.float64] | None
_NAMES = {
    "matrix": "data", "lower": "label_lower_bound", "upper": "label_upper_bound",
    "base": "base_margin",
}  # fmt: skip


class Source(Protocol):
    """Gaps, and the rows that are made of them."""

    def __len__(self) -> int:
        """The number of gaps."""

    def rows(self, part: slice) -> Rows:
        """The rows of some gaps that follow one another."""

    def spread(self, most: int) -> NDArray[np.float32]:
        """The matrix of some rows, spread evenly over all: `most`, or up to twice as many."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What the booster is given: matrix (n, c), label, weight, limits for AFT, base margin (n,).

    As a `Source` each row is of a gap of its own.
    """

    matrix: NDArray[np.float32]
    label: _Column = None
    weight: _Column = None
    lower: _Column = None
    upper: _Column = None
    base: _Column = None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.matrix)

    def rows(self, part: slice) -> Rows:
        """Some of the rows."""
        return Rows(**{name: column[part] for name, column in self._columns()})

    def spread(self, most: int) -> NDArray[np.float32]:
        """As `Source.spread`."""
        return self.matrix[:: max(1, len(self) // most)]

    def dmatrix(self) -> Any:
        """The rows as XGBoost wants them."""
        return load_xgboost().DMatrix(**self.named())

    def named(self) -> dict[str, Any]:
        """The columns that there are, by XGBoost's names."""
        return {_NAMES.get(name, name): column for name, column in self._columns()}

    def _columns(self) -> Iterator[tuple[str, Any]]:
        for each in fields(self):
            if (column := getattr(self, each.name)) is not None:
                yield each.name, column


def blocks(gaps: int) -> Iterator[slice]:
    """All of so many gaps, a block at a time."""
    for start in range(0, gaps, BLOCK):
        yield slice(start, min(start + BLOCK, gaps))


Matrix = Callable[[Source, Any], Any]
"""Makes what is boosted on: of rows and, for rows that validate, the matrix that is learnt from."""


@contextmanager
def matrices(gaps: int, hosts: int, device: str) -> Iterator[Matrix]:
    """Matrices for a fit on so many `gaps`, of all hosts; boosters are the same with both kinds.

    They are held whole where a block has all gaps of a host, and on a graphics card. Of others the
    disk has all but a block: their pages lie in the temporary folder, as long as this context.
    Raises PlatformError where it has no room for them; XGBoost itself would end the process.
    """
    # The same on all hosts, whose parts differ by a gap: they find the cut points together.
    if device != "cpu" or gaps <= BLOCK * hosts:
        yield lambda source, _: source.rows(slice(None)).dmatrix()
        return
    with saving(_FAILURE, Path(tempfile.gettempdir())):
        folder = tempfile.TemporaryDirectory(prefix="ordergap-rows-", ignore_cleanup_errors=True)
    with folder:
        yield lambda source, learnt: load_xgboost().ExtMemQuantileDMatrix(
            _blocks()(source, folder.name), ref=learnt
        )


@cache
def _blocks() -> Any:
    class Blocks(load_xgboost().DataIter):  # type: ignore[misc]
        """Gives XGBoost the rows of one block after the other, as often as it asks."""

        def __init__(self, source: Source, folder: str) -> None:
            super().__init__(cache_prefix=f"{folder}/rows")
            self._source, self._folder = source, folder
            self.reset()

        def reset(self) -> None:
            self._left = map(self._source.rows, blocks(len(self._source)))

        def next(self, input_data: Callable[..., None]) -> bool:
            rows = next(filter(len, self._left), None)  # the gaps of a block may have none
            if rows is None:
                return False
            _refuse_too_little_room(rows, self._folder)
            input_data(**rows.named())
            return True

    return Blocks


def _refuse_too_little_room(rows: Rows, folder: str) -> None:
    """For the page of a block, and one before it that may still be written."""
    needed = 2 * (rows.matrix.size * _VALUE + len(rows) * _ROW)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PlatformError(
            f"{_FAILURE} {tempfile.gettempdir()}: {needed >> 20} MiB more are needed and "
            f"{free >> 20} are left; make room there, or name a larger folder as TMPDIR"
        )
