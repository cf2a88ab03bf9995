"""Figures as tables: metrics by their definitions, and what a chart shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ordergap.contract.metrics import MODEL, Metric, Value
from ordergap.contract.orders import DataReport
from ordergap.report.contents import (
    Chart,
    Columns,
    Diagonal,
    Difference,
    Histogram,
    Metrics,
    Ranked,
    Table,
)
from ordergap.report.numbers import NOTHING, count_text, fixed, percent, upper, written

_SOME = 13  # points of a curve that a table shows
_ROWS = "rows"
Values = Mapping[str, Value]
"""Metric -> value."""


def variant(name: str) -> bool:
    """Whether the name is that of a variant of the model, such as "model, no outlier filter"."""
    return name.startswith(f"{MODEL},")


def heading(metric: Metric) -> str:
    """What stands above the figures of a metric."""
    return upper(metric.title) + (", days" if metric.unit == "days" else "")


def meanings(metrics: Mapping[str, Metric]) -> list[tuple[str, str]]:
    """What stands above the figures, and what they mean."""
    return [(heading(metric), metric.meaning) for metric in metrics.values()]


def metrics_table(
    title: str,
    models: Mapping[str, Values],
    metrics: Mapping[str, Metric],
    *,
    best: bool = True,
) -> Table:
    """A row for each model; `best`: the best figure of a column in bold, every one where they tie.

    models  name -> metric -> value; a dash stands for one that is missing, None or NaN
    """
    with_rows = any(_ROWS in values for values in models.values())
    rows, strong = [], set()
    for name, values in models.items():
        rows.append([upper(name), *(written(each, values.get(k)) for k, each in metrics.items())])
        if with_rows:
            rows[-1].append(fixed(values.get(_ROWS)))
    for column, (key, metric) in enumerate(metrics.items(), 1):
        numbers = [values.get(key) for values in models.values()]
        finite = [each for each in numbers if each is not None and math.isfinite(each)]
        if best and metric.better and len(finite) > 1:
            winner = written(metric, (max if metric.better == "higher" else min)(finite))
            strong |= {(row, column) for row, cells in enumerate(rows) if cells[column] == winner}
    head = ["", *map(heading, metrics.values()), *(["Rows"] if with_rows else [])]
    return Table(title, head, rows, strong=strong)


def quality_table(
    protocol: str, cap: Value, scores: Mapping[str, Values], metrics: Mapping[str, Metric]
) -> Table:
    """The model above its baselines; `cap` in days, None or NaN where nothing is capped.

    Variants of the model, called "model, …", are left out: what they show is shown elsewhere.
    """
    capped = "" if fixed(cap) == NOTHING else f", capped at {fixed(cap)} days"
    shown = {name: values for name, values in scores.items() if not variant(name)}
    return metrics_table(f"{upper(protocol)}{capped}", shown, metrics)


def segment_bars(
    protocol: str, segments: Mapping[str, Metrics], metrics: Mapping[str, Metric]
) -> Ranked:
    """The first metric of each segment."""
    key, metric = next(iter(metrics.items()))
    bars = []
    for name, values in segments.items():
        value = values.get(key, math.nan)
        rows = f"{fixed(values[_ROWS])} rows" if _ROWS in values else ""
        bars.append((upper(name), rows, value, written(metric, value)))
    return Ranked(f"{upper(protocol)}: {heading(metric)}", bars)


def differences_table(
    differences: Mapping[str, Mapping[str, Difference]], metrics: Mapping[str, Metric]
) -> Table:
    """Model less baseline with its interval, in bold where the interval leaves out 0."""
    shown = {key: metric for key, metric in metrics.items() if metric.better}
    rows, strong = [], set()
    baselines = {name: each for name, each in differences.items() if not variant(name)}
    for number, (baseline, by_metric) in enumerate(baselines.items()):
        rows.append([f"less {baseline}"])
        for column, (key, metric) in enumerate(shown.items(), 1):
            ends = by_metric.get(key, (math.nan,) * 3)
            mean, low, high = (written(metric, each, sign=True) for each in ends)
            interval = f"({low}\u00a0to\u00a0{high})"
            rows[-1].append(f"{mean} {interval}" if math.isfinite(ends[0]) else NOTHING)
            if ends[1] > 0 or ends[2] < 0:
                strong.add((number, column))
    head = ["Model", *map(heading, shown.values())]
    return Table("Model less baseline, with intervals", head, rows, strong=strong)


def account(data: DataReport) -> Table:
    """What became of the rows that were read."""

    def share(count: int) -> str:
        return percent(count / data.rows_read) if data.rows_read else NOTHING

    rows = [["Rows read", fixed(data.rows_read), ""]]
    for reason, count in data.rejected.items():
        if count:
            text = "< 1\u00a0%" if share(count) == percent(0) else share(count)
            rows.append([f"− {reason.replace('_', ' ')}", fixed(count), text])
    rows.append(["= Rows used", fixed(data.rows_used), share(data.rows_used)])
    strong = {(len(rows) - 1, 1)}
    return Table("What became of the rows", ["", "Rows", "Share"], rows, strong=strong)


def figures(chart: Chart | Table) -> Table:
    """What a chart shows, for who cannot see it or copies the figures; a table is its own."""
    if isinstance(chart, Table):
        return chart
    if isinstance(chart, Ranked):
        rows = [[name, meaning, text] for name, meaning, _, text in chart.bars]
        return Table(chart.title, chart.head, rows, (0, 1))
    head = [upper(chart.x), upper(chart.y)]
    if isinstance(chart, Histogram):
        rows = [[f"{fixed(low)} to {fixed(high)}", fixed(n)] for low, high, n in chart.bars]
    elif isinstance(chart, Columns):
        rows = [[label, count_text(value)] for label, value in chart.columns]
        if chart.ends:
            head += ["From", "To"]
            rows = [
                [*row, *map(count_text, ends)] for row, ends in zip(rows, chart.ends, strict=True)
            ]
    elif isinstance(chart, Diagonal):
        counts = chart.rows or [0] * len(chart.points)
        rows = [
            [percent(x), percent(y), *([fixed(n)] if chart.rows else [])]
            for (x, y), n in zip(chart.points, counts, strict=True)
            if math.isfinite(x + y)
        ]
        head += ["Rows"] if chart.rows else []
    else:
        rows = [[fixed(x), percent(share)] for x, share in thinned(chart.points, _SOME)]
    return Table(chart.title, head, rows)


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many of the points, evenly, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(k * (len(points) - 1) / (most - 1))] for k in range(most)]
