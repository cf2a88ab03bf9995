"""What a report is made of: plain figures, collected by the job that has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ordergap.contract.orders import DataReport

Metrics = dict[str, float]
"""Metric -> value, NaN where it could not be judged: capped_mae, concordance, auc_30, brier_30,
coverage, width (days), and rows where known."""


@dataclass(frozen=True)
class Calibration:
    """Probabilities of an order within 30 days against what came, in bins; (bins,) each.

    predicted, observed  mean probability and share of events; NaN in a bin without rows
    rows                 rows in each bin
    error                expected calibration error
    """

    predicted: Sequence[float]
    observed: Sequence[float]
    rows: Sequence[int]
    error: float


@dataclass(frozen=True)
class Judged:
    """One protocol's verdict on later data.

    cap          days at which errors, intervals and gaps are capped
    metrics      "model" and baselines -> their metrics, the model first
    differences  baseline -> metric -> (model less baseline, low, high), where they were drawn
    segments     segment -> the model's metrics on it
    calibration  of the model's 30-day probabilities
    coverage     (nominal level, share of later gaps inside the interval), rising
    """

    cap: float
    metrics: dict[str, Metrics]
    differences: dict[str, dict[str, tuple[float, float, float]]] = field(default_factory=dict)
    segments: dict[str, Metrics] = field(default_factory=dict)
    calibration: Calibration | None = None
    coverage: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Contents:
    """Everything on the page; an empty part leaves its section out with a word on why.

    title        such as "Model 4aee195b4aff" or "Backtest at 4 cutoffs"
    card         label -> text: kind of model, learnt from … until …, validated after, settings
    data         what was read and what became of it
    judged       protocol ("every customer", "every order") -> verdict
    gaps         (days from, days to, gaps that ended in between), the distribution of gaps
    still_open   (day, share of gaps still open then), the Kaplan-Meier curve, falling
    drivers      (feature, mean absolute SHAP value in log-odds of an order), largest first
    outliers     a sentence on the filter; then name ("with the filter", …) -> metrics
    due          (ISO week such as 2011-W50, customers whose next order is expected in it), rising
    statuses     status -> customers
    """

    title: str
    card: dict[str, str]
    data: DataReport
    judged: dict[str, Judged]
    gaps: Sequence[tuple[float, float, int]] = ()
    still_open: Sequence[tuple[float, float]] = ()
    drivers: Sequence[tuple[str, float]] = ()
    outliers: tuple[str, dict[str, Metrics]] | None = None
    due: Sequence[tuple[str, int]] = ()
    statuses: dict[str, int] = field(default_factory=dict)
