"""The state machine as a Mermaid flowchart, for docs/operations.md.

`python stepfunctions/diagram.py` prints it, `python -m docs.generate` writes it there.

Pass states, which only reshape data, are left out. What several states do after a failure is one
dotted arrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

States = dict[str, dict[str, Any]]

ASL = Path(__file__).with_name("pipeline.asl.json")
SERVICES = {
    "lambda:invoke": "Lambda",
    "sagemaker:createTrainingJob.sync": "SageMaker training job",
    "sagemaker:createModel": "SageMaker model",
    "sagemaker:createTransformJob.sync": "SageMaker batch transform",
    "sagemaker:createProcessingJob.sync": "SageMaker processing",
    "aws-sdk:sagemaker:createModelPackage": "SageMaker model registry",
}
EACH = {"Markets": "each market", "StorePredictions": "each file of predictions"}


def mermaid() -> str:
    """The flowchart, a line for each node or arrow."""
    machine = json.loads(ASL.read_text(encoding="utf-8"))
    lines = ["flowchart TB", *_scope(machine["States"], machine["StartAt"])]
    return "\n".join(lines) + "\n"


def _scope(states: States, start: str) -> Iterator[str]:
    """The nodes and arrows of a group of states."""
    start = _drawn(states, start) or start
    path = _reachable(states, start, set())
    yield from _part(states, path)
    caught: dict[str, list[str]] = {}
    for state in path:
        for catcher in states[state].get("Catch", ()):
            target = _drawn(states, catcher["Next"])
            if target and target not in path:  # else the same follows as without a failure
                caught.setdefault(target, []).append(state)
    drawn = set(path)
    for target, sources in caught.items():
        failing = " or ".join(sources) if len(sources) < 3 else "any other step"
        yield f"    {target}Cause([{failing} fails]) -.-> {target}"
        after = _reachable(states, target, drawn)
        yield from _part(states, after)
        drawn.update(after)


def _part(states: States, names: list[str]) -> Iterator[str]:
    for name in names:
        yield from _node(name, states[name])
    for name in names:
        for label, target in _followers(states[name]):
            if drawn := _drawn(states, target):
                yield f"    {name} -->{f'|{label}|' if label else ''} {drawn}"


def _node(name: str, state: dict[str, Any]) -> Iterator[str]:
    match state["Type"]:
        case "Map":
            inner = state["ItemProcessor"]
            yield f"    subgraph {name}[{name}: {EACH[name]}]"
            yield "    direction TB"
            yield from _scope(inner["States"], inner["StartAt"])
            yield "    end"
        case "Task":
            resource = state["Resource"].removeprefix("arn:${Partition}:states:::")
            yield f"    {name}[{name}<br>{SERVICES[resource]}]"
        case "Choice":
            yield f"    {name}{{{name}}}"
        case "Succeed" | "Fail":
            yield f"    {name}([{name}])"
        case _:
            yield f"    {name}[{name}]"


def _followers(state: dict[str, Any]) -> list[tuple[str, str]]:
    """The states that may follow without a failure, each with its condition in a word."""
    rules = [
        (rule.get("Comment") or rule["Variable"].rpartition(".")[2].replace("_", " "), rule["Next"])
        for rule in state.get("Choices", ())
    ]
    last = [(word, state[key]) for key, word in (("Default", "else"), ("Next", "")) if key in state]
    return rules + last


def _drawn(states: States, name: str) -> str | None:
    """The state itself, or the first one after it that is drawn."""
    while states[name]["Type"] == "Pass":
        if "Next" not in states[name]:
            return None
        name = states[name]["Next"]
    return name


def _reachable(states: States, start: str, elsewhere: set[str]) -> list[str]:
    """The drawn states from `start` on, in order, without a failure and those drawn elsewhere."""
    reached = [start]
    for name in reached:
        for _, target in _followers(states[name]):
            drawn = _drawn(states, target)
            if drawn and drawn not in elsewhere.union(reached):
                reached.append(drawn)
    return reached


if __name__ == "__main__":
    print(mermaid(), end="")
