"""Draw docs/forecast.svg: orders and forecasts of eight CDNOW customers.

python -m docs.picture      two minutes, most of them training

Two customers of each status but new: the first by number of those with at least six orders, or
with the most orders where there are none such.
"""

from __future__ import annotations

import datetime
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import ordergap
import polars as pl
from ordergap.contract.prediction import Status

from local import cdnow

PICTURE = Path(__file__).with_name("forecast.svg")
FIRST, LAST = datetime.date(1997, 1, 1), datetime.date(1998, 12, 31)
OF_A_STATUS, ENOUGH_ORDERS = 2, 6
_LEFT, _RIGHT, _TOP, _ROW, _WIDTH = 80, 610, 54, 34, 800
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a } .number { text-anchor: end }
.order { fill: #57606a } .grid { stroke: #d0d7de } .today { stroke: #24292f; stroke-dasharray: 4 3 }
.due, .active, .overdue, .lapsed { stroke: currentColor; fill: currentColor }
.due { color: #0b7285 } .active { color: #2b8a3e } .overdue { color: #d9480f }
.lapsed { color: #868e96 } .interval { stroke-width: 9; stroke-linecap: round; opacity: .35 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } .order { fill: #9198a1 }
  .grid { stroke: #3d444d } .today { stroke: #e6edf3 } .due { color: #3bc9db }
  .active { color: #69db7c } .overdue { color: #ff922b } .lapsed { color: #adb5bd } }
"""


def main() -> None:
    """Train on CDNOW, choose the customers and draw them."""
    with tempfile.TemporaryDirectory() as folder:
        path = cdnow.write(Path(folder))
        columns: dict[str, Any] = cdnow.COLUMNS
        forecasts = ordergap.fit(path, **columns).predict(path)
        lines = pl.read_csv(path, try_parse_dates=True, schema_overrides={"customer": pl.String})
    orders = dict(lines.group_by("customer").agg(pl.col("date").unique().sort()).iter_rows())
    rows = [(record, orders[record["customer_id"]]) for record in forecasts.iter_rows(named=True)]
    last_day = max(days[-1] for days in orders.values())
    PICTURE.write_text(draw(last_day, _chosen(rows)), encoding="utf-8")
    print(f"wrote {PICTURE}")


Row = tuple[dict[str, Any], list[datetime.date]]


def _chosen(rows: list[Row]) -> list[Row]:
    """Some customers of each status."""
    rows = sorted(rows, key=lambda row: -min(len(row[1]), ENOUGH_ORDERS))
    return [
        row
        for status in Status
        if status != Status.NEW  # who has one order has no history to draw
        for row in islice((row for row in rows if row[0]["status"] == status), OF_A_STATUS)
    ]


def draw(as_of: datetime.date, rows: list[Row]) -> str:
    """The picture: a line for each customer, past orders left of `as_of`, the forecast right."""
    height = _TOP + _ROW * len(rows) + 46
    bottom = height - 40
    months = [datetime.date(year, month, 1) for year in (1997, 1998) for month in range(1, 13, 3)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>Orders until {as_of} and forecasts of {len(rows)} customers</title>",
        f"<style>{_STYLE}</style>",
        *(_line("grid", _x(day), _TOP - 12, _x(day), bottom) for day in months),
        *(_text(_x(day), bottom + 16, f"{day:%b %Y}", "small") for day in months),
        _line("today", _x(as_of), _TOP - 22, _x(as_of), bottom),
        _text(_x(as_of) - 6, _TOP - 24, f"orders until {as_of}", "small number"),
        _text(_x(as_of) + 6, _TOP - 24, "next order, 80 % interval", "small"),
        _text(0, _TOP - 24, "customer", "small"),
        _text(_RIGHT + 20, _TOP - 24, "status", "small"),
        _text(_WIDTH, _TOP - 24, "buys within 30 days", "small number"),
    ]
    for number, (record, days) in enumerate(rows):
        parts += _row(record, days, _TOP + _ROW * number + _ROW // 2)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(record: dict[str, Any], days: list[datetime.date], y: int) -> list[str]:
    status = str(record["status"])
    low, middle, high = (
        record[name] or datetime.date.max
        for name in ("next_order_date_low", "next_order_date", "next_order_date_high")
    )
    parts = [
        _text(0, y + 4, record["customer_id"]),
        *(f'<circle class="order" cx="{_x(day):.1f}" cy="{y}" r="4"/>' for day in days),
        _text(_RIGHT + 20, y + 4, status),
        _text(_WIDTH, y + 4, f"{record['buy_probability_30']:.0%}", "number"),
    ]
    if low <= LAST:
        parts.append(_line(f"interval {status}", _x(low), y, _x(min(high, LAST)), y))
    if middle <= LAST:
        parts.append(f'<circle class="{status}" cx="{_x(middle):.1f}" cy="{y}" r="5.5"/>')
    else:
        parts.append(_text(_RIGHT + 4, y + 4, "later", "small number"))
    return parts


def _x(day: datetime.date) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (day - FIRST) / (LAST - FIRST)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}"/>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}"{f" class={kind!r}" if kind else ""}>{text}</text>'


if __name__ == "__main__":
    main()
