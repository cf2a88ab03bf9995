"""EventBridge rules that start the state machine, which moto stores but does not apply."""

from __future__ import annotations

import functools
import json
import operator
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.events.models import Rule

from local.aws import Aws

STATES = ":states:"


@contextmanager
def installed(aws: Aws) -> Iterator[None]:
    """While the context lasts, events start the state machines of the enabled rules they match."""
    original = Rule.send_to_targets

    def send(rule: Rule, event: Mapping[str, Any], *, transform_input: bool = True) -> None:
        machines = [target for target in rule.targets if STATES in target["Arn"]]
        if not machines:
            original(rule, event, transform_input)  # type: ignore[arg-type]
        elif rule.state == "ENABLED" and rule.event_pattern.matches_event(event):  # type: ignore[arg-type]
            for target in machines:
                aws.states.start_execution(
                    stateMachineArn=target["Arn"],
                    name=str(uuid.uuid4()),
                    input=_input(target, event),
                )

    with patch.object(Rule, "send_to_targets", send):
        yield


def _input(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The input that a target gets: its own, made from the event, or the event.

    >>> template = {"InputPathsMap": {"key": "$.detail.key"}, "InputTemplate": '{"event": <key>}'}
    >>> _input({"InputTransformer": template}, {"detail": {"key": "7"}})
    '{"event": "7"}'
    """
    if transformer := target.get("InputTransformer"):
        text: str = transformer["InputTemplate"]
        for name, path in transformer["InputPathsMap"].items():
            value = functools.reduce(operator.getitem, path.removeprefix("$.").split("."), event)
            text = text.replace(f"<{name}>", json.dumps(value))
        return text
    return target.get("Input") or json.dumps(event, default=str)
