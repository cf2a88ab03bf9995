"""What a backtest says of the task "next order" beside its metrics: weeks, statuses, silences.

See docs/decisions/evaluation.md#a-backtest-ends-with-a-verdict.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from pydantic import JsonValue

from ordergap.contract.metrics import EvaluationProtocol
from ordergap.contract.prediction import Status
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.gaps import WEEKS, GapEvaluation, Week
from ordergap.evaluation.segments import (
    LEAST_CUSTOMERS,
    ORDERS,
    STATUS_DAYS,
    TOLERANCE,
    WAITED,
    SilenceGroup,
    StatusOutcome,
    miscalibrated,
)
from ordergap.report.numbers import plain
from ordergap.tasks.base import Findings
from ordergap.tasks.next_order_verdict import verdict

ALL = "all"


def findings(
    cutoffs: Sequence[datetime.date],
    comparisons: Mapping[EvaluationProtocol, Comparison],
    evaluations: Mapping[EvaluationProtocol, Sequence[GapEvaluation]],
    level: float,
) -> Findings:
    """See `Task.findings`; `level` is that of intervals."""
    protocol = EvaluationProtocol.AT_CUTOFF
    judged = evaluations[protocol]
    off = [
        (cutoff, group)
        for cutoff, each in zip(cutoffs, judged, strict=True)
        for group in each.silences
        if miscalibrated(group)
    ]
    tables = [
        *_weeks_table(cutoffs, judged, level),
        "",
        *_status_table(pooled_statuses(judged)),
        "",
        *_silences_table(pooled_silences(judged)),
        *_guard(off),
    ]
    content: dict[str, JsonValue] = {
        "by_cutoff": [
            _content(cutoff, each, level) for cutoff, each in zip(cutoffs, judged, strict=True)
        ]
    }
    worst = [group for _, group in off]
    return Findings(
        tables, {protocol: content}, verdict(comparisons[protocol], judged, worst, level)
    )


def pooled_statuses(judged: Sequence[GapEvaluation]) -> dict[str, StatusOutcome]:
    """The statuses of all cutoffs together, and ALL; those without a customer are left out."""
    found = [outcome for each in judged for outcome in each.by_status.items()]
    pooled = {
        str(status): _together(outcome for name, outcome in found if name == status)
        for status in Status
        if any(name == status for name, _ in found)
    }
    return pooled | ({ALL: _together(pooled.values())} if pooled else {})


def _together(outcomes: Iterable[StatusOutcome]) -> StatusOutcome:
    parts = [*outcomes]
    customers = sum(part.customers for part in parts)
    ordered: dict[int, float | None] = {}
    for days in STATUS_DAYS:
        shares = [(part.customers, part.ordered[days]) for part in parts]
        known = [count * share for count, share in shares if share is not None]
        ordered[days] = sum(known) / customers if len(known) == len(parts) else None
    return StatusOutcome(customers, ordered)


def pooled_silences(judged: Sequence[GapEvaluation]) -> list[SilenceGroup]:
    """The groups of all cutoffs together; a customer counts at every cutoff."""
    pooled: list[SilenceGroup] = []
    for orders, waited in product(ORDERS, WAITED):
        parts = [
            group
            for each in judged
            for group in each.silences
            if (group.orders, group.waited) == (orders, waited)
        ]
        if n := sum(part.customers for part in parts):
            foreseen = sum(part.customers * part.foreseen for part in parts) / n
            came = sum(part.customers * part.came for part in parts) / n
            days = min(part.days for part in parts)
            pooled.append(SilenceGroup(orders, waited, n, days, foreseen, came))
    return pooled


def _weeks_table(
    cutoffs: Sequence[datetime.date], judged: Sequence[GapEvaluation], level: float
) -> Iterator[str]:
    yield f"customers by week: expected ({level:.0%} interval), came; * outside the interval"
    yield f"  {'days after':<12}" + "".join(f"{cutoff!s:>22}" for cutoff in cutoffs)
    for i, until in enumerate(WEEKS):
        cells = [
            _week_cell(each.weeks[i], each.weekly_error, level) if i < len(each.weeks) else "- "
            for each in judged
        ]
        if any(cell.strip() != "-" for cell in cells):
            span = f"{until - 6} to {until}"
            yield f"  {span:<12}" + "".join(f"{cell:>22}" for cell in cells)


def _week_cell(week: Week, error: float, level: float) -> str:
    span = week.interval(error, level)
    mark = " " if week.held(error, level) else "*"
    return f"{plain(span.mean)} ({plain(span.low)}-{plain(span.high)}), {plain(week.came)}{mark}"


def _status_table(statuses: Mapping[str, StatusOutcome]) -> Iterator[str]:
    heads = [f"in {days} days" for days in STATUS_DAYS]
    first, everybody = STATUS_DAYS[0], statuses[ALL]
    yield f"share who ordered, by status; and of all who ordered in {first} days, how many it holds"
    heads += ["times average", "holds"]
    yield f"  {'':<12}{'customers':>12}" + "".join(f"{head:>15}" for head in heads)
    for status, outcome in statuses.items():
        shares = [plain(outcome.ordered[days], 3) for days in STATUS_DAYS]
        here, average = outcome.ordered[first], everybody.ordered[first]
        if here is None or not average:
            lift, part = "-", "-"
        else:
            lift = plain(here / average, 1)
            part = plain(here / average * outcome.customers / everybody.customers, 3)
        cells = [*shares, lift, part]
        yield f"  {status:<12}{plain(outcome.customers):>12}" + "".join(f"{c:>15}" for c in cells)


def _silences_table(groups: Sequence[SilenceGroup]) -> Iterator[str]:
    yield f"orders within {groups[0].days} days, by orders so far and days waited"
    heads = ("waited, gaps", "customers", "foreseen", "came")
    yield f"  {'':<18}" + "".join(f"{head:>15}" for head in heads)
    for orders, waited, customers, _, foreseen, came in groups:
        cells = (waited, plain(customers), plain(foreseen, 3), plain(came, 3))
        yield f"  {orders:<18}" + "".join(f"{cell:>15}" for cell in cells)
    yield "  waited: times the own mean gap; with one order, times the median gap of all that ended"


def _guard(off: Sequence[tuple[datetime.date, SilenceGroup]]) -> Iterator[str]:
    for cutoff, group in off:
        yield (
            f"off: {group}, at {cutoff}: {group.foreseen:.3f} foreseen, {group.came:.3f} of "
            f"{group.customers:,} customers came"
        )
    if off:
        yield (
            f"  off: of {LEAST_CUSTOMERS} customers or more, by over {TOLERANCE} more than chance "
            "explains (95% interval)"
        )


def _content(cutoff: datetime.date, judged: GapEvaluation, level: float) -> JsonValue:
    weeks: list[JsonValue] = []
    for week in judged.weeks:
        span = week.interval(judged.weekly_error, level)
        weeks.append(
            {
                "until_day": week.until,
                "expected": span.mean,
                "low": span.low,
                "high": span.high,
                "came": week.came,
            }
        )
    return {
        "cutoff": str(cutoff),
        "weeks": weeks,
        "by_status": {
            status: {
                "customers": outcome.customers,
                "ordered": {str(days): share for days, share in outcome.ordered.items()},
            }
            for status, outcome in judged.by_status.items()
        },
        "silences": [{**group._asdict(), "off": miscalibrated(group)} for group in judged.silences],
    }
