"""What a run prints: its steps and states as they pass, the metrics and lists of customers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ordergap.contract.metrics import MODEL, TrainingMetrics
from rich.console import Console, JustifyMethod
from rich.table import Table

from lambdas.track_model.handler import OFF
from local.lists import Row, chance, value, worth

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef


def console() -> Console:
    """Standard output; where that is no terminal, lines are up to 120 characters long."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=120)


@dataclass
class Step:
    """What is done, in words; it may be said better at the end."""

    text: str


@contextmanager
def step(console: Console, text: str) -> Iterator[Step]:
    """Print the step's text and duration at its end."""
    told, began = Step(text), time.monotonic()
    with console.status(text):
        yield told
    console.print(f"  [green]✓[/] {told.text:58} {time.monotonic() - began:5.1f} s")


class Progress:
    """Prints a line for each completed task and distributed Map, and a status while it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._taken = 0
        self._now: str | None = None
        self._since = 0.0
        self._is_step = self._failed = False

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        self._status.stop()

    def update(self, events: Iterable[HistoryEventTypeDef]) -> None:
        """Print what is new in the execution's history."""
        for event in itertools.islice(events, self._taken, None):
            self._taken += 1
            self._take(event)
        if self._now:
            waited = time.monotonic() - self._since
            self._status.update(f"{self._now} {waited:.0f} s")

    def _take(self, event: HistoryEventTypeDef) -> None:
        kind, name = event["type"], event.get("stateEnteredEventDetails", {}).get("name")
        if kind in {"TaskStateEntered", "MapStateEntered"}:
            self._now, self._since = name, time.monotonic()
            self._is_step, self._failed = kind == "TaskStateEntered", False
        elif kind == "MapRunStarted":  # a distributed Map
            self._is_step = True
        failure = event.get("taskFailedEventDetails") or event.get("taskTimedOutEventDetails")
        if failure and self._now:
            self._failed = True
            self._console.print(f"  [red]✗[/] {self._now:58} {failure.get('error')}")
        elif kind == "TaskSucceeded":
            self._failed = False
        exited = event.get("stateExitedEventDetails", {}).get("name")
        if exited is not None and exited == self._now:
            if self._is_step and not self._failed:
                seconds = time.monotonic() - self._since
                self._console.print(f"  [green]✓[/] {exited:58} {seconds:5.1f} s")
            self._now = None


def outcome(market: Mapping[str, Any], console: Console) -> None:
    """Print what the execution says of a market: its counts, and MLflow where that is on."""
    console.print(f"\n{market['counts']['sentence']}", markup=False)
    if market["tracking"] != OFF:
        console.print(market["tracking"], markup=False)
    if market["followed"]:
        console.print(market["followed"], markup=False)


def metrics(metrics: TrainingMetrics) -> Iterable[Table]:
    """A table for each task and protocol: the model's metrics, baselines' beside them."""
    for name, task in metrics.tasks.items():
        for protocol, judged in task.protocols.items():
            title = f"{name.replace('_', ' ')}, {protocol}"
            table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
            table.add_column("")
            for metric in task.definitions.values():
                table.add_column(metric.title, justify="right")
            for model, scores in judged.scores.items():
                values = [(scores.get(key), each.digits) for key, each in task.definitions.items()]
                cells = ("–" if v is None else f"{v:.{digits}f}" for v, digits in values)
                table.add_row(model, *cells, style="bold" if model == MODEL else "")
            yield table


LISTS = {
    "most-likely": ["customer", "last order", "usual order", "chance", "status", "as of"],
    "contact-first": [
        "customer", "usual order", "chance", "chance × usual order", "next order", "status", "as of"
    ],
    "value": [
        "customer", "value", "value from", "value to", "next order", "chance", "status", "as of"
    ],
    "win-back": [
        "customer", "usual gap", "waited", "usual order", "chance", "at risk a year", "as of"
    ],
    "dates": [
        "customer", "last order", "next order", "from", "to", "chance", "status", "as of"
    ],
}  # fmt: skip
"""The lists of customers, and the columns of each."""


def customers(rows: Iterable[Row], name: str, days: int) -> Table:
    """A list as a table, a prediction in each row; the chance is that of an order within `days`."""
    table = Table(box=None, padding=(0, 2))
    shown = [_COLUMNS[column] for column in LISTS[name]]
    for heading, justify, _ in shown:
        table.add_column(heading.format(days=days), justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*(cell(row, days) for _, _, cell in shown))
    return table


def _text(name: str) -> Callable[[Row, int], str]:
    return lambda row, _: str(row.get(name) or "")


def _number(name: str, form: str) -> Callable[[Row, int], str]:
    return lambda row, _: "" if row.get(name) is None else format(row[name], form)


def _value(name: str) -> Callable[[Row, int], str]:
    return lambda row, days: "" if (one := value(row, name, days)) is None else f"{one:,.2f}"


_COLUMNS: dict[str, tuple[str, JustifyMethod, Callable[[Row, int], str]]] = {
    "customer": ("customer", "left", _text("customer_id")),
    "last order": ("last order", "left", _text("last_order_date")),
    "next order": ("next order, as\nlikely before\nas after", "left", _text("next_order_date")),
    "from": ("interval\nfrom", "left", _text("next_order_date_low")),
    "to": ("\nto", "left", _text("next_order_date_high")),
    "usual gap": ("usual gap,\ndays", "right", _number("typical_gap_days", ".0f")),
    "waited": ("waited,\ndays", "right", _number("days_since_last_order", ".0f")),
    "usual order": ("usual order", "right", _number("usual_amount", ",.2f")),
    "chance": ("chance within\n{days} days", "right", lambda row, days: f"{chance(row, days):.0%}"),
    "chance × usual order": (
        "chance ×\nusual order",
        "right",
        lambda row, days: "" if (known := worth(row, days)) is None else f"{known:,.2f}",
    ),
    "value": ("value within\n{days} days", "right", _value("expected_value")),
    "value from": ("interval\nfrom", "right", _value("value_low")),
    "value to": ("\nto", "right", _value("value_high")),
    "at risk a year": (
        "revenue at risk\na year",
        "right",
        _number("yearly_revenue_at_risk", ",.2f"),
    ),
    "status": ("status", "left", _text("status")),
    "as of": ("as of", "left", _text("as_of")),
}
"""Name -> heading, side, and the cell of a row."""
