"""The product-limit estimate of survival from gaps that were partly followed to their end.

See docs/decisions/packages.md#kaplan-meier-stands-below-trainers-and-evaluation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_POINTS = 200


def kaplan_meier(
    gap: NDArray[np.floating | np.integer],
    observed: NDArray[np.bool_],
    entry: NDArray[np.floating | np.integer] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Survival after each distinct day on which an observed gap ended.

    `gap` (n,) is days, or the days followed where `observed` (n,) is false; a row censored on an
    event's day still counts as at risk there. `entry` (n,) is the day from which a row was followed
    (left truncation): it is at risk on the days t with entry < t <= gap. Returns the days (k,),
    rising, and S(t) = P(gap > t) (k,); both empty where nothing was observed. With late entries
    S can fall to 0 early, while the risk set is still small.

    Source: Kaplan & Meier 1958, Nonparametric estimation from incomplete observations.

    Raises:
        ValueError: unequal lengths, NaN, an entry after its gap, or an observed gap that ended on
            its entry's day and so was never at risk.

    >>> days, survival = kaplan_meier(np.array([5, 7, 7, 9]), np.array([True, True, False, True]))
    >>> days.tolist(), survival.tolist()
    ([5.0, 7.0, 9.0], [0.75, 0.5, 0.0])
    """
    if gap.ndim != 1 or gap.shape != observed.shape:
        raise ValueError(
            f"gap {gap.shape} and observed {observed.shape} must be columns, equally long"
        )
    if np.isnan(gap).any():
        raise ValueError("a gap is NaN; for a censored row give the days followed")
    days, events = np.unique(gap[observed].astype(np.float64), return_counts=True)
    at_risk = len(gap) - np.searchsorted(np.sort(gap), days)
    if entry is not None:
        if entry.shape != gap.shape:
            raise ValueError(f"entry {entry.shape} must be as long as gap {gap.shape}")
        if not np.all(np.where(observed, entry < gap, entry <= gap)):
            raise ValueError("every entry must be a day before its observed gap ends, and not NaN")
        at_risk -= len(entry) - np.searchsorted(np.sort(entry), days)
    return days, np.cumprod(1 - events / at_risk, dtype=np.float64)


def median_gap(gap: NDArray[np.float64], observed: NDArray[np.bool_]) -> float:
    """Days by which half of all gaps have ended; the longest observed where fewer have.

    At least one must be observed.

    >>> median_gap(np.array([5.0, 7.0, 9.0]), np.array([True, True, False]))
    7.0
    """
    days, survival = kaplan_meier(gap, observed)
    return float(days[np.minimum((survival > 0.5).sum(), len(days) - 1)])


def ratio_curve(
    gap: NDArray[np.float64], observed: NDArray[np.bool_], point: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curve of gap / point (n,): ratios (k,), and log S there, thinned to a few points.

    At least one gap must be observed.
    """
    ratio, survival = kaplan_meier(gap / point, observed)
    # Where the longest gap was observed the estimate ends at 0: half a row keeps its log finite.
    log_s = np.log(np.maximum(survival, 0.5 / len(gap)))
    some = np.unique(np.linspace(0, len(ratio) - 1, _POINTS).astype(int))
    return ratio[some], log_s[some]
