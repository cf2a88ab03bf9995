"""What a run prints: its states as they pass, the metrics and the next customers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ordergap.contract.metrics import MODEL, TrainingMetrics
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

    from local.due import Item


def console() -> Console:
    """Standard output; where that is no terminal, lines are up to 120 characters long."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=120)


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


def metrics(metrics: TrainingMetrics) -> Iterable[Table]:
    """A table for each task and protocol: the model's metrics, naive's beside them."""
    for task in metrics.tasks.values():
        for protocol, judged in task.protocols.items():
            table = Table(title=protocol, title_justify="left", box=None, padding=(0, 2))
            table.add_column("")
            for metric in task.definitions.values():
                table.add_column(metric.title, justify="right")
            for name, scores in judged.scores.items():
                values = [(scores.get(key), each.digits) for key, each in task.definitions.items()]
                cells = ("–" if v is None else f"{v:.{digits}f}" for v, digits in values)
                table.add_row(name, *cells, style="bold" if name == MODEL else "")
            yield table


def customers(items: Iterable[Item]) -> Table:
    """A table with a row for each item."""
    table = Table(box=None, padding=(0, 2))
    columns = {
        "customer_id": "customer",
        "last_order_date": "last order",
        "next_order_date": "next order",
        "next_order_date_high": "at the latest",
        "status": "status",
    }
    for heading in columns.values():
        table.add_column(heading, no_wrap=True)
    table.add_column("within 30 days", justify="right", no_wrap=True)
    for item in items:
        chance = item["buy_probability"]["M"].get("30", {}).get("N")
        table.add_row(
            *(item.get(name, {}).get("S", "") for name in columns),
            f"{float(chance):.0%}" if chance else "",
        )
    return table
