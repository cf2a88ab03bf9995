"""The table of metrics that a training job prints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ordergap.contract.metrics import MODEL
from ordergap.tasks.base import Task
from ordergap.tasks.registry import tasks
from ordergap.training.console import CAUTION, scores_table


@pytest.mark.parametrize("task", [*tasks().values()], ids=[*tasks()])
def test_columns_stand_below_their_titles(task: Task) -> None:
    names = (MODEL, "model, without attributes", "random forest on attributes")
    number = dict.fromkeys(task.metrics, 0.5)
    validation: Any = SimpleNamespace(scores={"at cutoff": dict.fromkeys(names, number)}, chosen={})
    titles, _, *rows = scores_table(task, validation).splitlines()
    for metric in task.metrics.values():
        end = titles.index(f"  {metric.title}") + len(metric.title) + 2
        titles = titles.replace(metric.title, " " * len(metric.title), 1)
        assert [row[end - 7 : end + 1].strip() for row in rows[: len(names)]] == ["0.500"] * 3


def test_only_intervals_are_tuned() -> None:
    for task in tasks().values():
        number = dict.fromkeys(task.metrics, 0.5)
        validation: Any = SimpleNamespace(scores={"at cutoff": {MODEL: number}}, chosen={})
        assert (CAUTION in scores_table(task, validation)) == ("coverage" in task.metrics)
