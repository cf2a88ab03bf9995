"""What Step Functions says of the definition, and how it reads the states that call nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from infra.plan.questions import Check, Findings, Note, Plan, Problem, Unanswered, aws

_TESTED = {"Choice", "Fail", "Pass", "Succeed"}
"""Types of states that call nothing and do not wait."""

SAMPLE: dict[str, Any] = {
    "run_id": "plan",
    "as_of": "2011-12-09",
    "markets": [{"name": "uk", "sentence": "uk failed at Train: x", "status": "FAILED"}],
    "market": {"name": "uk"},
    "outcomes": [{"market": "uk", "status": "FAILED", "sentence": "uk failed at Train: x"}],
    "any_failed": True,
    "cause": "because",
    "failure": {
        "Error": "x",
        "Cause": "because",
        "error": "x",
        "cause": "because",
        "state": "Train",
    },
    "feed": {
        "train": True,
        "reason": "Trained: it was asked for.",
        "verdict": {"promoted": False, "model_version": "3f2a9c1b7d04", "package_version": "7"},
    },
    "verdict": {"promoted": True, "model_version": "3f2a9c1b7d04", "package_version": "7"},
    "wait": {"count": 1},
    "counts": {"extracted": 1},
    "announcement": {"announced": True},
    "tracking": {"Error": "x", "sentence": "as it is"},
    "follow": {
        "due": True,
        "shadow": True,
        "challenger": {"model_version": "3f2a9c1b7d04"},
        "with_challenger": {"arguments": []},
        "sentence": "as it is",
        "report": "s3://shop/cohorts/uk/follow.html",
        "Error": "x",
        "Cause": "because",
    },
    "challenger": {"sentence": "as it is", "Error": "x"},
}
"""What the states of a run may refer to, all at once."""

_CONTEXT = {
    "Execution.Id": "arn:aws:states:eu-west-1:123456789012:execution:plan:plan",
    "Execution.Name": "plan",
    "Execution.StartTime": "2011-12-09T23:30:00Z",
    "State.EnteredTime": "2011-12-09T23:30:01Z",
}
"""What only an execution has. test-state knows nothing of one."""


def valid(plan: Plan) -> Findings:
    """Errors are problems, warnings are shown."""
    answer = aws(
        "stepfunctions validate-state-machine-definition",
        definition=plan.definition,
        type="STANDARD",
        severity="WARNING",
    )
    for each in answer["diagnostics"]:
        said = f"{each.get('location', '')} {each['code']}: {each['message']}".strip()
        yield Problem(said) if each["severity"] == "ERROR" else Note(said)
    if answer["result"] != "OK" and not answer["diagnostics"]:
        yield Problem(f"the result is {answer['result']}, without a reason")


def states(plan: Plan) -> Findings:
    """Each state that calls nothing, alone: all that it refers to must be there."""
    tried = list(tested(json.loads(plan.definition)))
    for name, state in tried:
        answer = aws(
            "stepfunctions test-state",
            definition=without_context(state),
            input=json.dumps(SAMPLE),
        )
        error = answer["error"] if answer["status"] != "SUCCEEDED" else None
        if error != state.get("Error"):
            yield Problem(f"{name} ends with {error}: {answer.get('cause', answer['status'])}")
    yield Note(f"{len(tried)} states tried; what only an execution has is stood in for")


def tested(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the definition of every state that calls nothing, nested ones included."""
    language = {key: machine[key] for key in ("QueryLanguage",) if key in machine}
    for name, state in machine["States"].items():
        if state["Type"] in _TESTED:
            yield name, {**language, **state}
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from tested({**language, **inner})


def without_context(state: dict[str, Any]) -> str:
    r"""The state as JSON, with values in place of what only an execution has.

    >>> without_context({"Parameters": {"run.$": "$$.Execution.Name"}})
    '{"Parameters": {"run.$": "States.Format(\'plan\')"}}'
    >>> without_context({"Output": "{% $states.context.Execution.Name %}"})
    '{"Output": "{% \'plan\' %}"}'
    """
    text = json.dumps(state)
    text = re.sub(r"\$\$\.([\w.]+)", lambda found: f"States.Format('{_of(found[1])}')", text)
    return re.sub(r"\$states\.context\.([\w.]+)", lambda found: f"'{_of(found[1])}'", text)


def _of(field: str) -> str:
    if field not in _CONTEXT:
        raise Unanswered(f"needs a value for {field} of an execution, in infra/plan/machine.py")
    return _CONTEXT[field]


CHECKS = (
    Check("definition", "Step Functions whether the state machine is valid", valid),
    Check("states", "Step Functions to try the states that call nothing", states),
)
