"""Small charts as inline SVG: colours come from the page's style, texts are escaped here.

Every chart has a title and a description for screen readers, and a tooltip on each mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ordergap.report.contents import Chart, Columns, Diagonal, Histogram, Ranked, Steps
from ordergap.report.numbers import count_text, fixed, percent
from ordergap.report.tables import thinned

WIDTH, HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 424, 30, 236
_LETTER = 6.4  # px: a generous mean width of a character at the size of labels
_BOLD = 1.2  # how much wider letters of a name are
_NUMBER = 12  # px: room for a number above the highest bar
_ROW = 40  # px: a name above its bar
_CURVE_POINTS = 300
Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """From values low … high to pixels start … stop."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


def ticks(high: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to the first at or above `high`, about `most` steps.

    >>> ticks(87), ticks(0.3)
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0], [0.0, 0.1, 0.2, 0.3])
    """
    if not (math.isfinite(high) and high > 0):
        return [0.0, 1.0]
    rough = high / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    return [round(step * k, 10) for k in range(math.ceil(high / step - 1e-9) + 1)]


def draw(chart: Chart, name: str) -> str:
    """The chart as SVG; `name` makes its ids unique on the page."""
    match chart:
        case Histogram():
            return _histogram(chart, name)
        case Columns():
            return _columns(chart, name)
        case Diagonal():
            return _diagonal(chart, name)
        case Steps():
            return _steps(chart, name)
        case Ranked():
            return _ranked(chart, name)


def _histogram(chart: Histogram, name: str) -> str:
    bins = [each for each in chart.bars if all(map(math.isfinite, each))]
    x = Scale(0, (marks := ticks(max((b[1] for b in bins), default=1), 8))[-1], _LEFT, _RIGHT)
    labels = [(x(mark), _plain(mark)) for mark in marks]
    tips = [f"{_plain(low)} to {_plain(high)}: {_plain(n)}" for low, high, n in bins]
    bars = [(x(low), x(high), n) for low, high, n in bins]
    return _bars(chart, name, bars, tips, labels)


def _columns(chart: Columns, name: str) -> str:
    """As many of the labels are written as have room."""
    values = chart.columns
    x = Scale(0, max(len(values), 1), _LEFT, _RIGHT)
    apart = 8 if chart.ends else 22  # such columns are days, whose letters are narrow
    wide = max((len(label) for label, _ in values), default=0) * _LETTER + apart
    every = max(1, math.ceil(wide / (x(1) - x(0))))
    labels = [(x(k + 0.5), values[k][0]) for k in range(0, len(values), every)]
    tips = [f"{label}: {count_text(value)}" for label, value in values]
    if chart.ends:
        tips = [
            f"{tip} ({count_text(low)} to {count_text(high)})"
            for tip, (low, high) in zip(tips, chart.ends, strict=True)
        ]
    bars = [(x(k), x(k + 1), value) for k, (_, value) in enumerate(values)]
    return _bars(chart, name, bars, tips, labels, chart.ends)


def _diagonal(chart: Diagonal, name: str) -> str:
    """A dot for each point, as large as it has rows; without rows a line through all."""
    x, y = Scale(0, 1, _LEFT, _RIGHT), Scale(0, 1, _BOTTOM, _TOP)
    rows = chart.rows or [0] * len(chart.points)
    finite = [
        (point, n)
        for point, n in zip(chart.points, rows, strict=True)
        if all(map(math.isfinite, point))
    ]
    most = max((n for _, n in finite), default=0) or 1
    dots = "".join(
        f'<circle class="dot" cx="{x(p):.1f}" cy="{y(o):.1f}" '
        f'r="{3.5 + 9 * math.sqrt(n / most) * (n > 0):.1f}">'
        f"<title>{escape(f'{percent(p)}: {percent(o)}' + (f', {n:,} rows' if n else ''))}</title>"
        "</circle>"
        for (p, o), n in finite
    )
    ideal = f'<line class="ideal" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>'
    line = "" if chart.rows else _path([(x(p), y(o)) for (p, o), _ in finite])
    described = "; ".join(f"{percent(p)} became {percent(o)}" for (p, o), _ in finite)
    inside = _axes(_shares(x), _shares(y), chart.x, chart.y) + ideal + line + dots
    return _svg(name, chart.title, f"The dashed diagonal is the ideal. {described}.", inside)


def _steps(chart: Steps, name: str) -> str:
    points = thinned(chart.points, _CURVE_POINTS)
    finite = [point for point in points if all(map(math.isfinite, point))]
    x = Scale(0, (marks := ticks(max((p[0] for p in finite), default=1), 6))[-1], _LEFT, _RIGHT)
    y = Scale(0, 1, _BOTTOM, _TOP)
    corners, height = [(x(0), y(1))], 1.0
    for day, share in finite:
        corners += [(x(day), y(height)), (x(day), y(share))]
        height = share
    area = _path([*corners, (corners[-1][0], y(0)), (x(0), y(0))], "area")
    axes = _axes([(x(mark), _plain(mark)) for mark in marks], _shares(y), chart.x, chart.y)
    half = next((day for day, share in finite if share <= 0.5), None)
    halfway = (
        "It stays above half." if half is None else f"It falls to half at {_plain(half)} {chart.x}."
    )
    return _svg(name, chart.title, halfway, axes + area + _path(corners))


def _ranked(chart: Ranked, name: str) -> str:
    finite = [each for each in chart.bars if math.isfinite(each[2])]
    longest = max((value for _, _, value, _ in finite), default=0) or 1
    x = Scale(0, longest, 0, WIDTH - 12 - max((len(text) for *_, text in finite), default=0) * 7)
    inside, width = "", int(WIDTH / _LETTER)
    for k, (term, meaning, value, text) in enumerate(finite):
        top, end = k * _ROW, max(x(max(value, 0)), 1.5)
        called = _short(term, width)
        room = width - round(_BOLD * len(called)) - 2
        inside += (
            f'<text class="name" x="0" y="{top + 13}">{escape(called)}'
            f'<tspan class="meaning" dx="6">{escape(_short(meaning, room))}'
            "</tspan></text>"
            f'<rect class="bar" x="0" y="{top + 19}" width="{end:.1f}" height="11" rx="2"/>'
            f'<text class="value" x="{end + 6:.1f}" y="{top + 29}">{escape(text)}</text>'
        )
    described = "; ".join(f"{term} {text}" for term, _, _, text in finite)
    return _svg(name, chart.title, f"{described}.", inside, _ROW * len(finite))


def _bars(
    chart: Histogram | Columns,
    name: str,
    bars: Sequence[tuple[float, float, float]],
    tips: Sequence[str],
    across: Sequence[tuple[float, str]],
    ends: Sequence[tuple[float, float]] = (),
) -> str:
    heights = [*(height for *_, height in bars), *(high for _, high in ends)]
    marks = ticks(max(heights, default=1))
    y = Scale(0, marks[-1], _BOTTOM, _TOP + _NUMBER * bool(ends))
    drawn = "".join(
        f'<rect class="bar" x="{left:.1f}" y="{y(height):.1f}" '
        f'width="{(right - left) * 0.86:.2f}" height="{_BOTTOM - y(height):.1f}">'
        f"<title>{escape(tip)}</title></rect>"
        for (left, right, height), tip in zip(bars, tips, strict=True)
    )
    for (left, right, height), (low, high) in zip(bars[: len(ends)], ends, strict=True):
        middle = left + (right - left) * 0.43
        drawn += (
            f'<line class="ends" x1="{middle:.1f}" y1="{y(low):.1f}" x2="{middle:.1f}" '
            f'y2="{y(high):.1f}"/><text class="value" x="{middle:.1f}" y="{y(high) - 6:.1f}" '
            f'text-anchor="middle">{escape(_brief_count(height))}</text>'
        )
    highest = max(zip(bars, tips, strict=True), key=lambda each: each[0][2], default=None)
    described = f"{len(bars)} bars. The highest is {highest[1]}." if highest else "No bars."
    axes = _axes(across, [(y(mark), _brief(mark)) for mark in marks], chart.x, chart.y)
    return _svg(name, chart.title, described, axes + drawn)


def _shares(scale: Scale) -> list[tuple[float, str]]:
    """Where the labels of an axis of shares stand, and what they say."""
    return [(scale(k / 5), percent(k / 5)) for k in range(6)]


def _axes(
    across: Sequence[tuple[float, str]],
    up: Sequence[tuple[float, str]],
    x_label: str,
    y_label: str,
) -> str:
    """Thin lines at the ticks of y, labels at both, and what the axes mean: y on top, x below."""
    lines = "".join(
        f'<line class="grid" x1="{_LEFT}" y1="{at:.1f}" x2="{_RIGHT}" y2="{at:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">'
        f"{escape(text)}</text>"
        for at, text in up
    )
    below = "".join(
        f'<text class="tick" x="{_within(at, text):.1f}" y="{_BOTTOM + 18}" text-anchor="middle">'
        f"{escape(text)}</text>"
        for at, text in across
    )
    return (
        f"{lines}{below}"
        f'<line class="axis" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}"/>'
        f'<text class="label" x="0" y="12">{escape(y_label)}</text>'
        f'<text class="label" x="{_RIGHT}" y="{_BOTTOM + 38}" text-anchor="end">'
        f"{escape(x_label)}</text>"
    )


def _svg(name: str, title: str, description: str, inside: str, height: int = HEIGHT) -> str:
    name = escape(name)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{inside}</svg>'
    )


def _path(points: Sequence[Point], kind: str = "line") -> str:
    return f'<path class="{kind}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def _within(at: float, text: str) -> float:
    """Where a centred label stays inside the chart."""
    half = len(text) * _LETTER / 2
    return min(max(at, half), WIDTH - half)


def _plain(value: float) -> str:
    """A number in as few decimals as it has."""
    return fixed(value, next((k for k in range(4) if round(value, k) == round(value, 4)), 4))


def _brief(value: float) -> str:
    """A tick that leaves room for the chart: 20 k, 1.5 M."""
    for least, size, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{_plain(value / size)}\u00a0{unit}"
    return _plain(value)


def _brief_count(value: float) -> str:
    """An expected number of customers that leaves room for its neighbours: 2.3, 435, 12.3 k."""
    return count_text(value) if value < 1e4 else _brief(float(f"{value:.3g}"))


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)].rstrip() + "…"
