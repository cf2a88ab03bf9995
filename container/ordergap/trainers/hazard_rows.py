"""The rows of a discrete-time hazard: a gap once for each time bin in which it may have ended.

See docs/decisions/trainers.md#of-over-a-million-rows-a-quarter-of-those-without-an-order-is-drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.models.xgboost import predict
from ordergap.trainers.base import Float, Sample
from ordergap.trainers.rows import Rows, blocks

MOST_ROWS = 1_000_000
"""The most rows, on all hosts together, that are all learnt from."""
_ONE_IN = 4
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth's multiplicative hash
_HALF = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Columns:
    """r rows without their features.

    owner   (r,) which gap a row is of
    bins    (r,) the number of its time bin
    label   (r,) whether the gap ended in the bin
    weight  (r,) share of the bin that was observed, if the gap did not end there; where few are
            drawn, times how many rows it stands for
    """

    owner: NDArray[np.integer]
    bins: NDArray[np.integer]
    label: NDArray[np.bool_]
    weight: Float


@dataclass(frozen=True, eq=False)
class HazardRows:
    """n gaps as r rows, one for each time bin in which a gap was at risk of ending.

    A bin that was observed only in part without an order weighs as much as was observed. Rows are
    made when they are asked for: there are six or seven times as many as gaps.

    sample  the gaps
    days    (m,) the time grid
    start   (k, m) log odds that the trees add to, of k gaps; None: one level for all
    drawn   whether of the rows in which the gap did not end one in four stands for all
    """

    sample: Sample
    days: Float
    start: Callable[[Sample], Float] | None = None
    drawn: bool = False

    def __len__(self) -> int:
        """The number of gaps, n."""
        return len(self.sample)

    def rows(self, part: slice) -> Rows:
        """The rows of some gaps; the matrix is the features and the bin's number."""
        return self._rows(part, self._columns(part))

    def _rows(self, part: slice, columns: Columns) -> Rows:
        sample = self.sample[part]
        base = self.start(sample)[columns.owner, columns.bins] if self.start else None
        matrix = _matrix(sample, columns.owner, columns.bins)
        return Rows(matrix, columns.label.astype(float), columns.weight, base=base)

    def spread(self, most: int) -> NDArray[np.float32]:
        """As `Source.spread`, over all rows, drawn or not."""
        first, count = _at_risk(self.sample, self.days)
        ends = count.cumsum()
        row = np.arange(0, total := int(count.sum()), max(1, total // most))
        owner = np.searchsorted(ends, row, side="right")
        return _matrix(self.sample, owner, first[owner] + row - (ends - count)[owner])

    def columns(self) -> Columns:
        """Those of all rows, as narrow as they can be."""
        parts = [(part.start, self._columns(part)) for part in blocks(len(self))]
        return Columns(
            np.concatenate([(start + each.owner).astype(np.int32) for start, each in parts]),
            np.concatenate([each.bins.astype(np.int16) for _, each in parts]),
            np.concatenate([each.label for _, each in parts]),
            np.concatenate([each.weight for _, each in parts]),
        )

    def _columns(self, part: slice) -> Columns:
        columns = expanded(self.sample[part], self.days)
        if not self.drawn:
            return columns
        row = (columns.owner + (part.start or 0)) * len(self.days) + columns.bins
        some = columns.label | (_lots(row) % _ONE_IN == 0)
        weight = columns.weight * np.where(columns.label, 1, _ONE_IN)
        return Columns(columns.owner[some], columns.bins[some], columns.label[some], weight[some])

    def log_odds(self, booster: Any) -> Float:
        """(r,) of the trees and what they add to."""
        return np.concatenate([_log_odds(self.rows(part), booster) for part in blocks(len(self))])

    def losses(self, booster: Any) -> Float:
        """(n,) the log loss of each gap: the sum over its rows."""
        return np.concatenate([self._losses(part, booster) for part in blocks(len(self))])

    def _losses(self, part: slice, booster: Any) -> Float:
        columns = self._columns(part)
        log_odds = _log_odds(self._rows(part, columns), booster)
        of_rows = columns.weight * (np.logaddexp(0, log_odds) - columns.label * log_odds)
        return np.bincount(columns.owner, of_rows, part.stop - part.start).astype(float)


def are_many(sample: Sample, days: Float) -> bool:
    """Whether so many gaps have more rows than are learnt from one by one."""
    return int(_at_risk(sample, days)[1].sum()) > MOST_ROWS


def expanded(sample: Sample, days: Float) -> Columns:
    """A row for each time bin in which a gap was at risk of ending, labelled whether it ended."""
    starts = np.concatenate([[0.0], days[:-1]])
    first, count = _at_risk(sample, days)
    owner = np.repeat(np.arange(len(sample)), count)
    bins = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    last = (first + count - 1)[owner]
    ended = sample.observed[owner] & (bins == last)
    start = np.maximum(sample.left_truncation[owner], starts[bins])
    exposure = np.minimum(sample.gap[owner], days[bins]) - start
    weight = np.where(ended, 1.0, exposure / (days - starts)[bins])
    return Columns(owner, bins, ended, weight)


def _lots(row: NDArray[np.integer]) -> NDArray[np.int64]:
    """(r,) pseudo-random numbers, which depend on the row's place alone."""
    mixed = row.astype(np.uint64) * _MIX
    mixed = (mixed ^ (mixed >> _HALF)) * _MIX
    return (mixed >> _HALF).astype(np.int64)


def _at_risk(sample: Sample, days: Float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) the first bin in which each gap was at risk, and in how many it was."""
    first = np.searchsorted(days, sample.left_truncation, side="right")
    last = np.minimum(np.searchsorted(days, sample.gap, side="left"), len(days) - 1)
    count = np.where(sample.gap > sample.left_truncation, np.maximum(last - first + 1, 0), 0)
    return first, count


def _matrix(
    sample: Sample, owner: NDArray[np.integer], bins: NDArray[np.integer]
) -> NDArray[np.float32]:
    matrix = np.empty((len(owner), sample.features.shape[1] + 1), np.float32)
    matrix[:, :-1] = sample.features[owner]
    matrix[:, -1] = bins
    return matrix


def _log_odds(rows: Rows, booster: Any) -> Float:
    if not len(rows):
        return np.empty(0)
    trees = predict(booster, rows.matrix, "margin")
    return trees if rows.base is None else trees + rows.base
