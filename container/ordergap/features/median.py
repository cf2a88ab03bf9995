"""The running median of every customer's gaps, the one running value that needs all of the past."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

LONG = 500  # gaps from which two heaps are faster than a sorted array
UNEVEN = 32  # times the average history: beyond, the array would be mostly empty
FEW = 8  # customers for whom a step of vectors costs more than it saves


def running_median(
    gap: NDArray[np.int64], starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Median of each customer's gaps up to each order; NaN at first orders.

    `gap` (n,) holds the days before each order, `starts` and `counts` (c,) each customer's first
    row and orders. The longest histories go one by one, the others abreast.
    """
    medians = np.full(len(gap), np.nan)
    longest_first = (-counts).argsort(kind="stable")
    long = min(LONG, UNEVEN * len(gap) / len(counts))
    alone = max(FEW, int(np.count_nonzero(counts > long)))
    for i in longest_first[:alone]:
        rows = slice(starts[i] + 1, starts[i] + counts[i])
        medians[rows] = _one_by_one(gap[rows].tolist())
    if len(rest := longest_first[alone:]):
        _abreast(gap, starts[rest] + 1, counts[rest] - 1, medians)
    return medians


def _one_by_one(gaps: list[int]) -> list[float]:
    """Two heaps hold the lower half (negated) and the upper half; the lower may have one more."""
    lower: list[int] = []
    upper: list[int] = []
    medians = []
    for gap in gaps:
        if len(lower) > len(upper):
            heapq.heappush(upper, -heapq.heappushpop(lower, -gap))
            medians.append((upper[0] - lower[0]) / 2)
        else:
            heapq.heappush(lower, -heapq.heappushpop(upper, gap))
            medians.append(float(-lower[0]))
    return medians


def _abreast(
    gap: NDArray[np.int64],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    medians: NDArray[np.float64],
) -> None:
    """Sort the j-th gap of all customers who have one into columns of their earlier gaps.

    `first` (c,) is the row of each customer's first gap, `counts` (c,) falls.
    """
    longest = max(int(counts[0]), 0)
    active = np.searchsorted(-counts, -np.arange(longest))  # customers with more than j gaps
    ranked = np.full((longest, len(counts)), np.iinfo(np.int32).max, np.int32)
    raised = np.empty_like(ranked)
    for j, m in enumerate(active.tolist()):
        rows = first[:m] + j
        new = gap[rows].astype(np.int32)
        np.maximum(ranked[:j, :m], new, out=raised[:j, :m])
        np.minimum(ranked[1 : j + 1, :m], raised[:j, :m], out=ranked[1 : j + 1, :m])
        np.minimum(ranked[0, :m], new, out=ranked[0, :m])
        medians[rows] = (ranked[j // 2, :m] + ranked[(j + 1) // 2, :m]) / 2
