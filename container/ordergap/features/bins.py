"""Values in bins: tenths of a sample where these differ, and one for unknown values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def edges_of(values: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """(e,) the rising ends of at most so many bins with equal shares of the known `values` (n,)."""
    known = values[~np.isnan(values)]
    shares = np.arange(1, bins) / bins
    return np.unique(np.quantile(known, shares)) if len(known) else known


def counts(values: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """(e + 2,) how many values (n,) there are up to each edge, beyond the last, and unknown."""
    bin_of = np.where(np.isnan(values), len(edges) + 1, edges.searchsorted(values))
    return np.bincount(bin_of, minlength=len(edges) + 2)
