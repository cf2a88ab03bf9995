"""What the report says of the task "next order"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.contract.prediction import Status
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import METRICS, GapEvaluation, Week
from ordergap.evaluation.metrics import calibration, event_within
from ordergap.evaluation.segments import STATUS_DAYS
from ordergap.histories import Histories
from ordergap.models.next_order import NextOrderForecast
from ordergap.report.contents import (
    Diagonal,
    Histogram,
    Judged,
    Section,
    Steps,
    Table,
    TaskContents,
)
from ordergap.report.numbers import NOTHING, fixed, percent, upper
from ordergap.survival.kaplan_meier import kaplan_meier
from ordergap.survival.targets import Targets, order_gaps
from ordergap.tasks.next_order_findings import pooled_silences, pooled_statuses
from ordergap.tasks.variants import WITHOUT
from ordergap.tasks.variants import sections as variant_sections

_MORE = {
    WITHOUT: "This is of the next order alone: value and large orders read no counts, but stand on "
    "its curve."
}
HORIZON = 30
_BARS = 24
_CURVE_POINTS = 120
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
            *variant_sections(comparisons, METRICS, ("concordance", "brier_30"), _MORE),
            *_outcomes(evaluations.get(EvaluationProtocol.AT_CUTOFF, [])),
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
                "standing",
                "Where the customers stand",
                [_standing(forecast)] if forecast else [],
                absent="Left out: no customers were forecast.",
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


def _outcomes(evaluations: Sequence[GapEvaluation]) -> list[Section]:
    """What came of what was read off the curves at the cutoffs, where that was looked at."""
    sections = [
        Section(
            "weeks",
            "Customers by week",
            _weeks(evaluations),
            "How many customers were expected to place their next order in a week, and how many "
            "did. Each counts once, in the week of the next order.",
        ),
        Section(
            "statuses",
            "What became of each status",
            _statuses(evaluations),
            "Of the customers with a status at the cutoff, the share who ordered afterwards.",
        ),
        Section(
            "silences",
            "Long silences",
            _silences(evaluations),
            "Customers by orders so far and by how long they had waited, in multiples of their own "
            "mean gap: the mean probability of an order, and the share who ordered.",
        ),
    ]
    return [section for section in sections if section.blocks]


def _weeks(evaluations: Sequence[GapEvaluation]) -> list[Table]:
    """A column of expected and come for each cutoff."""
    judged = [{week.until: week for week in each.weeks} for each in evaluations if each.weeks]
    rows = [
        [f"{until - 6} to {until}", *(text for weeks in judged for text in _week(weeks.get(until)))]
        for until in sorted({until for weeks in judged for until in weeks})
    ]
    of = [f", cutoff {k}" for k in range(1, len(judged) + 1)] if len(judged) > 1 else [""]
    head = ["Days ahead", *(f"{name}{each}" for each in of for name in ("Expected", "Came"))]
    return [Table("Customers expected to order, and those who came", head, rows)] if rows else []


def _week(week: Week | None) -> list[str]:
    return [fixed(week and week.expected), fixed(week and week.came)]


def _statuses(evaluations: Sequence[GapEvaluation]) -> list[Table]:
    """All cutoffs together."""
    rows = [
        [
            upper(status),
            fixed(outcome.customers),
            *(NOTHING if share is None else percent(share) for share in outcome.ordered.values()),
        ]
        for status, outcome in pooled_statuses(evaluations).items()
    ]
    head = ["Status", "Customers", *(f"Ordered within {days} days" for days in STATUS_DAYS)]
    return [Table("Who ordered, by status at the cutoff", head, rows)] if rows else []


def _silences(evaluations: Sequence[GapEvaluation]) -> list[Table]:
    """All cutoffs together."""
    groups = pooled_silences(evaluations)
    if not groups:
        return []
    rows = [
        [upper(orders), waited, fixed(customers), percent(foreseen), percent(came)]
        for orders, waited, customers, _, foreseen, came in groups
    ]
    head = ["Orders", "Waited, times the own gap", "Customers", "Foreseen", "Came"]
    title = f"Orders within {groups[0].days} days, foreseen and come"
    return [Table(title, head, rows, (0, 1))]


def _standing(forecast: NextOrderForecast) -> Table:
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
    return Table("Where the customers stand", head, rows, (0, 1))
