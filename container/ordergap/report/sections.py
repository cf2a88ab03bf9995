"""The parts of the page, each from the contents that it shows; "" where there is nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ordergap.contract.prediction import Status
from ordergap.features.table import CALENDAR, TABULAR
from ordergap.report import charts
from ordergap.report.contents import Contents
from ordergap.report.markup import (
    NOTHING,
    beside,
    figure,
    fixed,
    heading,
    items,
    paragraph,
    percent,
    table,
    terms,
    upper,
)
from ordergap.report.scores import METRICS, days, differences_table, metrics_table, score

MOST_DRIVERS = 20
_SOME = 13  # rows of a table that goes with a curve

STATUSES: dict[str, str] = {
    Status.DUE: "expected within 7 days",
    Status.ACTIVE: "not yet expected",
    Status.OVERDUE: "has waited longer than is usual for this customer",
    Status.LAPSED: "less than 10 % likely to order within 90 days",
}

INTENDED = {
    "for": (
        "planning contacts, campaigns and stock: when customers are likely to order next, and how "
        "sure that is"
    ),
    "not for": (
        "credit, prices, or any decision about a person that has legal or similarly grave effects"
    ),
}
LIMITS = {
    "history": (
        "A pattern longer than the training window, such as a yearly one in a year of data, "
        "cannot be known."
    ),
    "open gaps": (
        "The gap after each customer's last order has not ended. It counts as lasting at least so "
        "long; how long in the end is an estimate, the less sure the further ahead."
    ),
    "customers with one order": (
        "They have no gap of their own: their forecast is that of similar first orders."
    ),
    "season": "Months, holidays or promotions that the data never showed are not foreseen.",
}


def data(contents: Contents) -> str:
    """What was read, what was rejected and why, what is left."""
    report = contents.data
    rows = [["Rows read", fixed(report.rows_read), ""]]
    for reason, count in report.rejected.items():
        if count:
            share = percent(count / report.rows_read) if report.rows_read else NOTHING
            share = "< 1\u00a0%" if share == percent(0) else share
            rows.append([f"− {reason.replace('_', ' ')}", fixed(count), share])
    share = percent(report.rows_used / report.rows_read) if report.rows_read else NOTHING
    rows.append(["= Rows used", fixed(report.rows_used), share])
    left = report.rows_read - report.rows_used - sum(report.rejected.values())
    verdict = (
        f"{fixed(left)} rows are not accounted for." if left else "Every row is accounted for."
    )
    account = table("What became of the rows", ["", "Rows", "Share"], rows, {(len(rows) - 1, 1)})
    notes = [heading(3, "Notes"), items(report.notes)] if report.notes else []
    return "".join([
        account,
        paragraph(f"{verdict} Orders of one customer on one day count as one."),
        *notes,
    ])  # fmt: skip


def quality(contents: Contents) -> str:
    """Each protocol's metrics beside those of the baselines."""
    if not contents.judged:
        return ""
    parts = [
        paragraph(
            "The model learnt until a day and was judged by what came after. The best figure of "
            "a column is bold, and so is a difference whose interval leaves out 0."
        )
    ]
    for protocol, verdict in contents.judged.items():
        parts += [
            heading(3, upper(protocol)),
            metrics_table(f"Capped at {fixed(verdict.cap)} days", verdict.metrics),
            differences_table(verdict),
        ]
    return "".join([
        *parts,
        heading(3, "What the columns mean"),
        terms([(metric.title, metric.meaning) for metric in METRICS.values()], "meanings"),
    ])  # fmt: skip


def calibration(contents: Contents) -> str:
    """Probabilities and intervals against what came."""
    figures, errors = [], []
    for number, (protocol, verdict) in enumerate(contents.judged.items(), 1):
        if bins := verdict.calibration:
            points = list(zip(bins.predicted, bins.observed, strict=True))
            title = f"{upper(protocol)}: an order within 30 days"
            chart = charts.against_diagonal(
                f"calibration-{number}", title, points, bins.rows, "probability forecast", "ordered"
            )
            rows = [
                [percent(p), percent(o), fixed(n)]
                for (p, o), n in zip(points, bins.rows, strict=True)
                if n
            ]
            errors.append(f"{fixed(100 * bins.error, 1)} points for {protocol}")
            figures.append(figure(title, chart, ["Forecast", "Ordered", "Rows"], rows))
        if verdict.coverage:
            title = f"{upper(protocol)}: the interval's promise"
            chart = charts.against_diagonal(
                f"coverage-{number}", title, verdict.coverage, [], "promised", "held", joined=True
            )
            rows = [[percent(level), percent(held)] for level, held in verdict.coverage]
            figures.append(figure(title, chart, ["Promised", "Held"], rows))
    if not figures:
        return ""
    said = paragraph(
        "On the dashed line, what is said is what happens. Below it the forecasts promise too "
        "much, above it too little. The larger a dot, the more rows it stands for."
    )
    mean = f"Mean distance from the line: {', '.join(errors)}." if errors else ""
    return said + (paragraph(mean) if mean else "") + beside(figures)


def segments(contents: Contents) -> str:
    """Where the model errs more, where less."""
    parts = []
    for number, (protocol, verdict) in enumerate(contents.judged.items(), 1):
        if verdict.segments:
            title = f"{upper(protocol)}: error in days"
            bars = [
                (upper(name), f"{fixed(metrics['rows'])} rows" if "rows" in metrics else "",
                 metrics.get("capped_mae", math.nan))
                for name, metrics in verdict.segments.items()
            ]  # fmt: skip
            chart = charts.ranked(f"segments-{number}", title, bars, days)
            parts += [
                heading(3, upper(protocol)),
                f"<figure><figcaption>Error in days</figcaption>{chart}</figure>",
                metrics_table("All metrics by segment", verdict.segments, best=False),
            ]
    return "".join(parts)


def gaps(contents: Contents) -> str:
    """How long customers wait between two orders."""
    figures = []
    if contents.gaps:
        title = "Gaps that ended, by length"
        chart = charts.histogram("gaps", title, contents.gaps, "days between two orders", "gaps")
        rows = [
            [f"{fixed(low)} to {fixed(high)}", fixed(count)] for low, high, count in contents.gaps
        ]
        figures.append(figure(title, chart, ["Days", "Gaps"], rows))
    if contents.still_open:
        title = "Share of gaps still open"
        curve = _thinned(contents.still_open, 300)
        chart = charts.falling_steps(
            "still-open", title, curve, "days since the order", "no next order yet"
        )
        rows = [[fixed(day), percent(share)] for day, share in _thinned(curve, _SOME)]
        figures.append(figure(title, chart, ["Days", "Still open"], rows))
    if not figures:
        return ""
    return paragraph(
        "The gaps that ended are only half the story: many have not ended yet. The curve counts "
        "both (Kaplan-Meier)."
    ) + beside(figures)


def drivers(contents: Contents) -> str:
    """The features that move the forecast most."""
    shown = contents.drivers[:MOST_DRIVERS]
    if not shown:
        return ""
    title = "Mean absolute SHAP value, in log-odds of an order"
    bars = [(name, _meaning(name), value) for name, value in shown]
    rows = [[name, _meaning(name), score(value)] for name, value in shown]
    chart = charts.ranked("drivers", title, bars, score)
    rest = len(contents.drivers) - len(shown)
    return (
        paragraph(
            "How far each feature moves the chance of an order, up or down, on the average. "
            "It says what the model looks at, not what causes an order."
        )
        + figure(title, chart, ["Feature", "Meaning", "Value"], rows, words=(0, 1))
        + (paragraph(f"{rest} more move it less.", "aside") if rest else "")
    )


def outliers(contents: Contents) -> str:
    """What leaving unusual customers out of the training does."""
    if contents.outliers is None:
        return ""
    sentence, metrics = contents.outliers
    shown = metrics_table("With and without the filter", metrics) if metrics else ""
    return paragraph(sentence) + shown


def due(contents: Contents) -> str:
    """When customers are expected, and where they stand."""
    parts = []
    if contents.due:
        title = "Customers expected, by week"
        chart = charts.columns("due", title, contents.due, "ISO week", "customers")
        rows = [[week, fixed(count)] for week, count in contents.due]
        parts.append(figure(title, chart, ["Week", "Customers"], rows))
    total = sum(contents.statuses.values())
    if total:
        names = list(dict.fromkeys([*STATUSES, *contents.statuses]))
        rows = [
            [upper(name), STATUSES.get(name, ""), fixed(count), percent(count / total)]
            for name in names
            if (count := contents.statuses.get(name, 0))
        ]
        head = ["Status", "Meaning", "Customers", "Share"]
        parts.append(table("Where the customers stand", head, rows, words=(0, 1)))
    return "".join(parts)


def card(contents: Contents) -> str:
    """What the model is for, what it is not for, and how it was made."""
    report = contents.data
    made = dict(contents.card)
    if report.first_day and report.last_day:
        made["data"] = f"{report.first_day} to {report.last_day}"
    return "".join([
        heading(3, "Intended use"), _facts(INTENDED),
        heading(3, "Limits"), _facts(LIMITS),
        heading(3, "How it was made"), _facts(made),
    ])  # fmt: skip


def _meaning(feature: str) -> str:
    if known := TABULAR.get(feature) or CALENDAR.get(feature):
        return known[0]
    step = re.fullmatch(r"(gap|amount)_(\d+)", feature)
    if step is None:
        return ""
    latest = "the latest" if step[2] == "1" else f"number {step[2]} counted back, 1 the latest"
    return f"{step[1]}, {latest}"


def _facts(facts: dict[str, str]) -> str:
    return terms([(upper(term), text) for term, text in facts.items()], "card")


def _thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many of the points, evenly, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(k * (len(points) - 1) / (most - 1))] for k in range(most)]
