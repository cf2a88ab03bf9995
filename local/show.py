"""What the user sees of a run: each state as it passes, and what came of it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ordergap.contract.metrics import MODEL, TrainingMetrics
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

    from local.due import Item

STATES = {
    "ExtractOrders": "orders out of the database, into files",
    "Train": "the container learns from them",
    "JudgeModel": "is the new model good enough?",
    "RegisterModel": "the model becomes the champion",
    "CreateModel": "the model is made ready to score",
    "ScoreCustomers": "the container forecasts every customer",
    "StorePredictions": "forecasts into DynamoDB",
    "Reconcile": "is everybody there?",
    "AnnounceSuccess": "the topic is told",
    "AnnounceFailure": "the topic is told why",
    "AnnounceRefusal": "the topic is told why",
    "AnnounceStop": "the topic is told why",
}
"""The states that are worth a line; the others take no time."""


def console() -> Console:
    """Where to print; a file or a pipe takes whole lines."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120)


class Progress:
    """Prints a line for each state that has passed, and what the present one does meanwhile."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._seen = 0
        self._now: str | None = None
        self._since = 0.0
        self._failed = False

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        self._status.stop()

    def update(self, events: Iterable[HistoryEventTypeDef]) -> None:
        """Take in the history so far."""
        for event in itertools.islice(events, self._seen, None):
            self._seen += 1
            self._take(event)
        if self._now:
            waited = time.monotonic() - self._since
            self._status.update(f"{self._now}: {STATES[self._now]}  {waited:.0f} s")

    def _take(self, event: HistoryEventTypeDef) -> None:
        name = event.get("stateEnteredEventDetails", {}).get("name")
        if name in STATES:
            self._now, self._since = name, time.monotonic()
            self._failed = False
        failed = event.get("taskFailedEventDetails") or event.get("taskTimedOutEventDetails")
        if failed and self._now:
            self._failed = True
            self._console.print(f"  [red]✗[/] {self._now:17} {failed.get('error')}")
        elif event["type"] == "TaskSucceeded":
            self._failed = False
        left = event.get("stateExitedEventDetails", {}).get("name")
        if left is not None and left == self._now:
            took = time.monotonic() - self._since
            if not self._failed:
                self._console.print(f"  [green]✓[/] {left:17} {STATES[left]:40} {took:5.1f} s")
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
    """A row for each forecast out of DynamoDB."""
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


def reason(cause: str) -> str:
    """The sentence in a cause: a Lambda's or a job's JSON says more than one wants to read.

    >>> reason('{"errorMessage": "no rows", "errorType": "SourceEmpty", "stackTrace": []}')
    'no rows'
    >>> reason("It stopped.")
    'It stopped.'
    """
    try:
        said = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(said, Mapping):
        return cause
    return str(said.get("errorMessage") or said.get("FailureReason") or cause)
