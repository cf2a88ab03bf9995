"""The tasks by name, imported only when they are needed."""

from __future__ import annotations

from ordergap.contract.tasks import TASKS, load_class
from ordergap.tasks.base import Task


def tasks() -> dict[str, Task]:
    """Every task, in the sequence in which they are fitted."""
    return {name: load_class(entry.task)() for name, entry in TASKS.items()}
