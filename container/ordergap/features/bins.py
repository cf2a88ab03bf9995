"""Values in bins: tenths of a sample where these differ, and one for unknown values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def edges_of(values: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """(e,) the rising ends of at most so many bins with equal shares of the known `values` (n,)."""
    known = values[~np.isnan(values)]
    shares = np.arange(1, bins) / bins
    return np.unique(np.quantile(known, shares)) if len(known) else known


def bin_of(values: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the bin of each value: e + 1 bins, up to each edge and beyond the last; then unknown."""
    return np.where(np.isnan(values), len(edges) + 1, edges.searchsorted(values))


def counts(values: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """(e + 2,) how many values (n,) there are in each bin."""
    return np.bincount(bin_of(values, edges), minlength=len(edges) + 2)
