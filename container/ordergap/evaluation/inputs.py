"""The latest orders of a training: whether they have drifted, and a reference for those served."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.contract.manifest import Manifest
from ordergap.contract.metrics import InputDrift, Inputs
from ordergap.contract.reference import BINS, FeatureReference, Reference
from ordergap.evaluation.drift import DAYS, FEATURES, LEAST_ORDERS, WINDOWS, Drift, feature_drift
from ordergap.features.bins import counts, edges_of
from ordergap.histories import Histories, day_of

_PAST = 30  # days that the features look back
_LARGE, _TIMES = 0.1, 1.5


def summary(found: Drift) -> Inputs:
    """As metrics.json and follow.json hold it."""
    return Inputs(
        recent_orders=found.recent,
        earlier_orders=found.earlier,
        features={
            name: InputDrift(**each._asdict(), drifted=each.drifted)
            for name, each in found.features.items()
        },
    )


def reference(histories: Histories, manifest: Manifest) -> Reference:
    """The latest order of each customer in each window until the last day learnt from.

    Of the features that the model reads. Without any where a window has too few orders, or there
    are too few days before the first.
    """
    as_of, windows = day_of(manifest.as_of), 1 + WINDOWS
    window = (as_of - histories.day.astype(np.int64)) // DAYS  # 0 is the latest
    customer = histories.customer
    latest = np.append((customer[1:] != customer[:-1]) | (window[1:] != window[:-1]), True)
    rows = np.flatnonzero(latest & (window >= 0) & (window < windows))
    window = window[rows]
    found: dict[str, FeatureReference] = {}
    seen = as_of - int(histories.day.min()) >= DAYS * windows + _PAST
    if seen and np.bincount(window, minlength=windows).min() >= LEAST_ORDERS:
        names = [name for name in FEATURES if name in manifest.feature_names]
        values = features.compute(histories, names, rows).astype(float)
        for name, column in zip(names, values.T, strict=True):
            if not np.isnan(column).all():
                found[name] = _counted(column, window)
    return Reference(
        model_version=manifest.model_version,
        as_of=manifest.as_of,
        days=DAYS,
        windows=windows,
        features=found,
    )


def _counted(values: NDArray[np.float64], window: NDArray[np.int64]) -> FeatureReference:
    edges, drift = edges_of(values, BINS), feature_drift(values, window)
    return FeatureReference(
        edges=edges.tolist(),
        orders=counts(values, edges).tolist(),
        limit=max(_LARGE, _TIMES * max(drift.excess, drift.usual)),
    )
