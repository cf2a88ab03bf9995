"""The latest orders of served customers, in the bins of the model's reference.

See docs/decisions/serving.md#served-orders-are-compared-with-the-models-own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.reference import BINS, Reference
from ordergap.models.base import Snapshot
from ordergap.serving.app.counts import Counts

_WIDTH = BINS + 1  # cells of a feature
UNKNOWN = "unknown"


class Served:
    """Counts them as they are served.

    reference  with a feature at least
    names      of the columns of feature vectors
    """

    def __init__(self, reference: Reference, names: Sequence[str], counts: Counts) -> None:
        features = reference.features
        self._days, self._counts = reference.days, counts
        self._columns = [names.index(name) for name in features]
        self._edges = np.full((len(features), BINS - 1), np.inf)
        for row, each in zip(self._edges, features.values(), strict=True):
            row[: len(each.edges)] = each.edges
        self._unknown = np.array([len(each.edges) + 1 for each in features.values()])
        self._first = _WIDTH * np.arange(len(features))

    def __call__(self, customers: Snapshot, matrix: NDArray[np.float32]) -> None:
        """Count the customers whose last order is at most so old; `matrix` (n, F) is of these."""
        values = matrix[customers.elapsed < self._days][:, self._columns]
        below = (values[:, :, None] > self._edges).sum(axis=2)
        places = self._first + np.where(np.isnan(values), self._unknown, below)
        size = _WIDTH * len(self._columns)
        self._counts.count_served(np.bincount(places.ravel(), minlength=size))


def by_bin(reference: Reference, cells: Sequence[float]) -> Iterator[tuple[str, str, float, float]]:
    """Feature, name of the bin, served and learnt from, for each bin.

    cells  of `Total.served`
    """
    for i, (feature, each) in enumerate(reference.features.items()):
        names = [*map(str, range(1, len(each.orders))), UNKNOWN]
        own = cells[_WIDTH * i : _WIDTH * (i + 1)]
        for name, served, learnt in zip(names, own, each.orders, strict=False):
            yield feature, name, served, learnt
