"""What the training job tells its report."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import inner_level
from ordergap.evaluation.judge import NOMINAL_LEVELS, forecasts, outcomes
from ordergap.evaluation.metrics import (
    Outcomes,
    Predicted,
    calibration,
    coverage_and_width,
    evaluate,
    event_within,
)
from ordergap.evaluation.segments import segments
from ordergap.forecast import Forecasts
from ordergap.histories import Histories, date_of
from ordergap.report.contents import Calibration, Contents, Judged
from ordergap.survival.kaplan_meier import kaplan_meier
from ordergap.survival.targets import Targets, every_order
from ordergap.training.fitting import Check, Findings, Fit
from ordergap.training.split import Split

HORIZON = 30
_BARS = 24
_CURVE_POINTS = 120
_WEEKS = 16


def contents(
    bundle: Bundle, orders: Histories, split: Split, findings: Findings, fit: Fit
) -> Contents:
    """Everything on the report of a training job."""
    manifest = bundle.manifest
    settings = manifest.hyperparameters
    gaps = every_order(orders, int(orders.day.max()))
    ahead = bundle.forecast(orders, int(orders.day.max()))
    learnt_until = str(manifest.as_of)
    if fit is findings.past:
        learnt_until = f"{date_of(split.cutoff)}; it was stopped early, and has not learnt the rest"
    return Contents(
        title=f"Model {manifest.model_version}",
        card={
            "trainer": settings.trainer,
            "kind of model": manifest.model_kind,
            "learnt from": f"{manifest.first_day} to {learnt_until}",
            "validated on": f"what came after {date_of(split.cutoff)}; rounds and interval levels "
            "were chosen there, so coverage holds for these rows by choice",
            "settled on the validation": ", ".join(
                f"{name} {value:g}" for name, value in (findings.found or {}).items()
            ) or "nothing to search",
            "features": str(len(manifest.feature_names)),
            "settings": spoken(settings),
            "made with": ", ".join(f"{k} {v}" for k, v in manifest.libraries.items()),
        },
        data=manifest.data,
        judged={
            protocol: _judged(check, findings, split.whole, protocol, settings.interval_level)
            for protocol, check in findings.checks.items()
        },
        gaps=gap_bars(gaps),
        still_open=open_curve(gaps),
        drivers=sorted(fit.drivers.items(), key=lambda each: -each[1]),
        outliers=(fit.outliers.note, {}),
        due=due_by_week(ahead),
        statuses=dict(Counter(str(status) for status in ahead.status).most_common()),
    )  # fmt: skip


def spoken(hyperparameters: Hyperparameters) -> str:
    """The hyperparameters as name=value."""
    values = hyperparameters.model_dump(mode="json", by_alias=True, exclude_none=True)
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _judged(
    check: Check, findings: Findings, whole: Histories, protocol: str, level: float
) -> Judged:
    own = inner_level(findings.interval_levels, level)
    answer, what = forecasts(check.survival, check.targets, own, check.cap), outcomes(check.targets)
    *baselines, ours = findings.scores[protocol].items()
    by_segment = {
        name: evaluate(answer[rows], what[rows], check.cap)
        for name, rows in segments(whole, check.targets).items()
    }
    return Judged(
        cap=check.cap,
        metrics={"model": ours[1], **dict(baselines)},
        segments=by_segment,
        calibration=calibrated(answer, what),
        coverage=[_covered(check, findings, nominal) for nominal in NOMINAL_LEVELS],
    )


def calibrated(answer: Predicted, what: Outcomes) -> Calibration | None:
    """Of the 30-day probabilities; None where no row was followed up so long."""
    rows, event = event_within(what.gap, what.observed, what.follow_up, HORIZON)
    if not rows.any():
        return None
    error, bins = calibration(answer.probability[HORIZON][rows], event[rows])
    return Calibration(bins.predicted.tolist(), bins.observed.tolist(), bins.rows.tolist(), error)


def _covered(check: Check, findings: Findings, nominal: float) -> tuple[float, float]:
    own = inner_level(findings.interval_levels, nominal)
    answer, what = forecasts(check.survival, check.targets, own, check.cap), outcomes(check.targets)
    ends = (answer.low, answer.high, what.gap, what.follow_up)
    return nominal, coverage_and_width(*ends, check.cap)[0]


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


def due_by_week(ahead: Forecasts) -> list[tuple[str, int]]:
    """(ISO week, customers whose next order is expected in it), rising; the first few weeks."""
    known = ahead.known.last_day + ahead.gap
    weeks = Counter(
        "{}-W{:02}".format(*date_of(day).isocalendar()[:2]) for day in known[ahead.gap >= 0]
    )
    return sorted(weeks.items())[:_WEEKS]
