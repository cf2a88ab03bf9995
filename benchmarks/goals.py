"""What value and large orders are to reach, and to cost at most."""

from __future__ import annotations

from collections.abc import Mapping

from ordergap.evaluation.value_baselines import LAST_DAYS, TEXTBOOK

HORIZON = 90
BEATEN = (LAST_DAYS, TEXTBOOK)
"""Baselines over which the gain must be sure; to none may there be a sure loss."""
ANY = float("inf")
Goal = tuple[float, float]
_METRICS = (
    "d2", "gini", "rmse", "top_decile", "decile_error", "coverage", "auc", "brier", "brier_none",
)  # fmt: skip
GOALS: Mapping[tuple[str, str], Mapping[str, Goal]] = {
    case: dict(zip(_METRICS, goals, strict=True))
    for case, goals in {
        ("Online Retail", "2011-07-11"): (
            (0.53, ANY), (0.827, ANY), (0, 1920), (0.605, ANY), (0, 0.15), (0.78, 0.92),
            (0.897, ANY), (0, 0.0490), (0, 0.199),
        ),
        ("Online Retail", "2011-09-10"): (
            (0.445, ANY), (0.787, ANY), (0, 2500), (0.550, ANY), (0, 0.13), (0.75, 0.90),
            (0.880, ANY), (0, 0.0615), (0, 0.213),
        ),
        ("CDNOW", "1997-12-01"): (
            (0.30, ANY), (0.711, ANY), (0, 38), (0.545, ANY), (0, 0.08), (0.90, 0.96),
            (0.857, ANY), (0, 0.0216), (0, 0.104),
        ),
        ("CDNOW", "1998-02-01"): (
            (0.345, ANY), (0.751, ANY), (0, 36), (0.580, ANY), (0, 0.12), (0.90, 0.96),
            (0.889, ANY), (0, 0.0191), (0, 0.104),
        ),
    }.items()
}  # fmt: skip
"""Data, cutoff -> metric -> least and most that the model may have within HORIZON days."""
COSTS = {"CDNOW": 2.0}
"""Data -> most CPU of the fits of value and large orders, times the curves'; of others 1."""
