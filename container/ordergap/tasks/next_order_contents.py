"""What the report says of the task "next order"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.contract.prediction import Status
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import METRICS, GapEvaluation
from ordergap.evaluation.metrics import calibration, event_within
from ordergap.histories import Histories, date_of
from ordergap.models.next_order import NextOrderForecast
from ordergap.report.contents import (
    Columns,
    Diagonal,
    Histogram,
    Judged,
    Section,
    Steps,
    Table,
    TaskContents,
)
from ordergap.report.numbers import fixed, percent, upper
from ordergap.survival.kaplan_meier import kaplan_meier
from ordergap.survival.targets import Targets, order_gaps

HORIZON = 30
_BARS = 24
_CURVE_POINTS = 120
_WEEKS = 16
USE = (
    "planning contacts, campaigns and stock: when customers are likely to order next, and how sure "
    "that is"
)
LIMITS = {
    "open gaps": (
        "The gap after each customer's last order has not ended. It counts as lasting at least so "
        "long; how long in the end is an estimate, the less sure the further ahead."
    ),
    "customers with one order": (
        "They have no gap of their own: their forecast is that of similar first orders."
    ),
}


def contents(
    title: str,
    histories: Histories,
    comparisons: Mapping[EvaluationProtocol, Comparison],
    evaluations: Mapping[EvaluationProtocol, Sequence[GapEvaluation]],
    forecast: NextOrderForecast | None,
) -> TaskContents:
    """See `Task.contents`."""
    gaps = order_gaps(histories, int(histories.day.max()))
    return TaskContents(
        title,
        METRICS,
        {
            protocol: Judged(
                evaluations[protocol][0].cap,
                each.metrics,
                each.differences,
                {segment: models[MODEL] for segment, models in each.segments.items()},
                _calibration(protocol, evaluations[protocol]),
            )
            for protocol, each in comparisons.items()
        },
        [
            Section(
                "gaps",
                "Between two orders",
                [
                    Histogram(
                        "Gaps that ended, by length", gap_bars(gaps), "days between two orders",
                        "gaps",
                    ),
                    Steps(
                        "Share of gaps still open", open_curve(gaps), "days since the order",
                        "no next order yet",
                    ),
                ],
                "The gaps that ended are only half the story: many have not ended yet. The curve "
                "counts both (Kaplan-Meier).",
            ),
            Section(
                "due",
                "Who is due",
                _due(forecast) if forecast else [],
                absent="Left out: no customers were forecast.",
                closing=True,
            ),
        ],
        USE,
        LIMITS,
    )  # fmt: skip


def _calibration(
    protocol: EvaluationProtocol, evaluations: Sequence[GapEvaluation]
) -> list[Diagonal]:
    """The model's 30-day probabilities of all cutoffs together, and its intervals."""
    gap, observed, follow_up = (
        np.concatenate([getattr(each.outcomes, name) for each in evaluations])
        for name in ("gap", "observed", "follow_up")
    )
    probability = np.concatenate(
        [each.forecasts[MODEL].probability[HORIZON] for each in evaluations]
    )
    diagonals = []
    rows, event = event_within(gap, observed, follow_up, HORIZON)
    if rows.any():
        error, bins = calibration(probability[rows], event[rows])
        diagonals.append(
            Diagonal(
                f"{upper(protocol)}: an order within {HORIZON} days",
                list(zip(bins.predicted.tolist(), bins.observed.tolist(), strict=True)),
                "probability forecast",
                "ordered",
                bins.rows.tolist(),
                error,
            )
        )
    if held := evaluations[0].coverage:
        title = f"{upper(protocol)}: intervals"
        diagonals.append(Diagonal(title, held, "nominal level", "covered"))
    return diagonals


def gap_bars(gaps: Targets) -> list[tuple[float, float, int]]:
    """Gaps that ended, in equally wide bars of whole days up to the 99th percentile."""
    ended = gaps.gap[gaps.observed]
    wide = max(1, int(np.ceil(np.quantile(ended, 0.99) / _BARS)))
    counts = np.bincount((ended - 1).astype(int) // wide)[:_BARS]
    return [(i * wide + 1.0, (i + 1.0) * wide, int(count)) for i, count in enumerate(counts)]


def open_curve(gaps: Targets) -> list[tuple[float, float]]:
    """Kaplan-Meier curve of all gaps, thinned to a few points."""
    days, survival = kaplan_meier(gaps.gap, gaps.observed)
    some = np.unique(np.linspace(0, len(days) - 1, _CURVE_POINTS).astype(int))
    return [(0.0, 1.0), *zip(days[some].tolist(), survival[some].tolist(), strict=True)]


def _due(forecast: NextOrderForecast) -> list[Columns | Table]:
    counts = forecast.counts()
    rows = [
        [
            upper(status),
            status.meaning,
            fixed(counts[status]),
            percent(counts[status] / len(forecast)),
        ]
        for status in Status
        if counts[status]
    ]
    head = ["Status", "Meaning", "Customers", "Share"]
    return [
        Columns("Customers expected, by week", due_by_week(forecast), "ISO week", "customers"),
        Table("Where the customers stand", head, rows, (0, 1)),
    ]


def due_by_week(forecast: NextOrderForecast) -> list[tuple[str, int]]:
    """(ISO week, customers whose next order is expected in it), rising; the first few weeks."""
    days = forecast.customers.last_day + forecast.gap
    weeks = Counter(
        "{}-W{:02}".format(*date_of(day).isocalendar()[:2]) for day in days[forecast.gap >= 0]
    )
    return sorted(weeks.items())[:_WEEKS]
