"""Where the embedded AWS is listened to: in the functions' processes and in the interpreter."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval.resource_eval_s3 import (  # noqa: E501
    ResourceEvalS3,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (  # noqa: E501
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

from infra.doctor.recording import Recording, Request
from local.aws import Aws
from local.lambda_runtime import Function

RECORDER = Path(__file__).with_name("recorder.py")
JOB_FAULTS = {
    "CapacityError": "CapacityError: Unable to provision requested ML compute capacity.",
    "InternalServerError": "InternalServerError: We encountered an internal error. Try again.",
}
"""Name -> the reason of a failed job that is the fault of SageMaker."""


@contextmanager
def recorded_functions(folder: Path) -> Iterator[None]:
    """While the context lasts, functions log their calls in `folder`, and fail."""
    (folder / "runtime" / RECORDER.name).write_bytes(RECORDER.read_bytes())
    (folder / "faults").mkdir()
    unpack = Function.unpack

    def instead(record: LambdaFunction, aws: Aws, client: Path) -> Function:
        function = unpack(record, aws, client)
        name = function.name
        (folder / "faults" / name).mkdir()
        environment = {
            **function.environment,
            "_HANDLER": "recorder.handle",
            "RECORDED_HANDLER": function.environment["_HANDLER"],
            "RECORDED_CALLS": str(folder / f"{name}.calls"),
            "RECORDED_FAULTS": str(folder / "faults" / name),
        }
        return dataclasses.replace(function, environment=environment)

    with patch.object(Function, "unpack", instead):
        yield


@contextmanager
def recorded_states(recording: Recording, role: str) -> Iterator[None]:
    """While the context lasts, the state machine's requests and the errors it gives up on count."""

    def evaluate(task: StateTask, env: Environment) -> dict[str, Any]:
        # As the interpreter does it, but for the parameters which it drops since it lacks them.
        parameters: dict[str, Any] = {}
        resource: Any = task.resource
        if task.parargs is not None:
            task.parargs.eval(env=env)
            parameters = env.stack.pop()
        place = task.name
        recording.integrations[place] = resource.resource_arn.partition(":states:::")[2]
        action = resource.api_action[0].upper() + resource.api_action[1:]
        copy = json.loads(json.dumps(parameters, default=str))
        recording.requests.append(Request(place, role, resource.api_name, action, copy))
        return parameters

    listed = ResourceEvalS3._handle_list_objects_v2  # noqa: SLF001

    def list_objects(env: Environment, *arguments: Any) -> None:
        recording.requests.append(
            Request("ItemReader", role, "s3", "ListObjectsV2", dict(env.stack[-1]))
        )
        listed(env, *arguments)

    def noting(original: Any) -> Any:
        def note(state: ExecutionState, env: Environment, failure_event: Any) -> Any:
            error = state._construct_error_output_value(failure_event)  # noqa: SLF001
            planned = any(fault in error["Cause"] for fault in JOB_FAULTS.values())
            if isinstance(state, StateTask) and not planned:
                recording.given_up.append(_sentence(state.name, error))
            return original(state, env, failure_event)

        return note

    with (
        patch.object(StateTask, "_eval_parameters", evaluate),
        patch.object(StateTaskService, "_get_supported_parameters", lambda _: None),
        patch.object(ResourceEvalS3, "_handle_list_objects_v2", staticmethod(list_objects)),
        patch.object(ExecutionState, "_handle_catch", noting(ExecutionState._handle_catch)),  # noqa: SLF001
        patch.object(ExecutionState, "_handle_uncaught", noting(ExecutionState._handle_uncaught)),  # noqa: SLF001
        patch.object(retrier_decl, "time", SimpleNamespace(sleep=lambda _: None)),
        patch.object(WaitFunction, "_wait_interval", lambda *_, **__: None),
    ):
        yield


def _sentence(state: str, error: Mapping[str, str]) -> str:
    cause = error["Cause"]
    if cause.startswith("{"):
        cause = json.loads(cause).get("errorMessage", cause)
    return f"{state} gives up on {error['Error']}: {cause}"
