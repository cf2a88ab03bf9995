"""The latest orders of a training: whether they have drifted, and a reference for those served."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.contract.manifest import Manifest
from ordergap.contract.metrics import InputDrift, Inputs
from ordergap.contract.reference import BINS, FeatureReference, Reference
from ordergap.evaluation.drift import (
    DAYS,
    FEATURES,
    WINDOWS,
    Drift,
    FeatureDrift,
    feature_drift,
    season_of,
    too_few,
)
from ordergap.features.bins import counts, edges_of
from ordergap.histories import Histories, day_of


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
    """What orders served by a model are compared with: those that it learnt from."""
    return Reference(
        model_version=manifest.model_version,
        as_of=manifest.as_of,
        days=DAYS,
        windows=1 + WINDOWS,
        features=counted(histories, day_of(manifest.as_of), manifest.feature_names),
    )


def counted(
    histories: Histories, as_of: int, names: Collection[str]
) -> dict[str, FeatureReference]:
    """The latest order of each customer in each window until day `as_of`, by feature.

    Of the features that are among `names`, and known of some order. Empty where a window has too
    few orders, or there are too few days before the first.
    """
    window = (as_of - histories.day.astype(np.int64)) // DAYS  # 0 is the latest
    customer = histories.customer
    latest = np.append((customer[1:] != customer[:-1]) | (window[1:] != window[:-1]), True)
    rows = np.flatnonzero(latest & (window >= 0) & (window <= WINDOWS))
    window = window[rows]
    if too_few(histories, as_of, window):
        return {}
    compared = [name for name in FEATURES if name in names]
    values = features.compute(histories, compared, rows).astype(float)
    return {
        name: _counted(column, feature_drift(column, window, season_of(name)))
        for name, column in zip(compared, values.T, strict=True)
        if not np.isnan(column).all()
    }


def _counted(values: NDArray[np.float64], found: FeatureDrift) -> FeatureReference:
    edges = edges_of(values, BINS)
    return FeatureReference(
        edges=edges.tolist(),
        orders=counts(values, edges).tolist(),
        limit=found._replace(usual=max(found.excess, found.usual)).limit,
    )
