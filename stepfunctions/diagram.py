"""The state machine as a Mermaid flowchart, for docs/operations.md.

`python stepfunctions/diagram.py` prints it, `python -m docs.generate` writes it there.

Drawn is what runs: Pass states, which only reshape data, are passed over, and what several states
do after a failure is one dotted arrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

States = dict[str, dict[str, Any]]

ASL = Path(__file__).with_name("pipeline.asl.json")
WORDS = {
    "lambda:invoke": "Lambda",
    "sagemaker:createTrainingJob.sync": "SageMaker training job",
    "sagemaker:createModel": "SageMaker model",
    "sagemaker:createTransformJob.sync": "SageMaker batch transform",
    "aws-sdk:sagemaker:createModelPackage": "SageMaker model registry",
}
EACH = {"Markets": "each market", "StorePredictions": "each file of predictions"}


def mermaid() -> str:
    """The flowchart, a line a node or arrow."""
    machine = json.loads(ASL.read_text(encoding="utf-8"))
    lines = ["flowchart TB", *_scope(machine["States"], machine["StartAt"])]
    return "\n".join(lines) + "\n"


def _scope(states: States, start: str) -> Iterator[str]:
    """Nodes and arrows of states that follow one another."""
    start = _drawn(states, start) or start
    usual = _reachable(states, start)
    yield from _part(states, usual)
    caught: dict[str, list[str]] = {}
    for state in usual:
        for catcher in states[state].get("Catch", ()):
            if target := _drawn(states, catcher["Next"]):
                caught.setdefault(target, []).append(state)
    for target, sources in caught.items():
        who = " or ".join(sources) if len(sources) < 3 else "any step"
        yield f"    {target}Cause([{who} fails]) -.-> {target}"
        yield from _part(states, _reachable(states, target))


def _part(states: States, names: list[str]) -> Iterator[str]:
    for name in names:
        yield from _node(name, states[name])
    for name in names:
        for label, target in _after(states[name]):
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
            resource = state["Resource"].removeprefix("arn:aws:states:::")
            yield f"    {name}[{name}<br>{WORDS[resource]}]"
        case "Choice":
            yield f"    {name}{{{name}}}"
        case "Succeed" | "Fail":
            yield f"    {name}([{name}])"
        case _:
            yield f"    {name}[{name}]"


def _after(state: dict[str, Any]) -> list[tuple[str, str]]:
    """The states that may follow when nothing fails, each with the condition in a word."""
    rules = [
        (rule["Variable"].rpartition(".")[2].replace("_", " "), rule["Next"])
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


def _reachable(states: States, start: str) -> list[str]:
    """The drawn states from `start` on, in order, when nothing fails."""
    found = [start]
    for name in found:
        for _, target in _after(states[name]):
            drawn = _drawn(states, target)
            if drawn and drawn not in found:
                found.append(drawn)
    return found


if __name__ == "__main__":
    print(mermaid(), end="")
