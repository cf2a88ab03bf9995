"""A recording of runs, which the checks read."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request to AWS: who makes it, with which role of the template, and its parameters."""

    place: str
    """The function or state that makes it."""
    role: str
    service: str
    """botocore's name of the service."""
    operation: str
    parameters: dict[str, Any]


@dataclass
class Recording:
    """What was seen in the runs."""

    requests: list[Request] = field(default_factory=list)
    integrations: dict[str, str] = field(default_factory=dict)
    """State -> its Resource, such as sagemaker:createTrainingJob.sync."""
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Role of the template -> the statements of its policies, as they are deployed."""
    ids: dict[str, str] = field(default_factory=dict)
    """Resource of the template -> its physical id."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Those of the template that are not its defaults."""
    given_up: list[str] = field(default_factory=list)
    """A sentence for each error that is worth a retry and was not retried."""
    ended: dict[str, str] = field(default_factory=dict)
    """Execution -> its status, and the cause if it failed."""


def save(recording: Recording, path: Path) -> None:
    """Write the recording as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(recording), indent=1), encoding="utf-8")


def load(path: Path) -> Recording:
    """Read a recording that `save` has written."""
    read = json.loads(path.read_text(encoding="utf-8"))
    return Recording(**{**read, "requests": [Request(**each) for each in read["requests"]]})
