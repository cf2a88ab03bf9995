"""SageMaker's tasks for moto's interpreter of the state machine, which lacks them.

`createTrainingJob.sync`, `createTransformJob.sync` and `createProcessingJob.sync` wait for the job
and return its description; `createModel` returns at once. A task that times out, or whose execution
is stopped, stops its job. The interpreter itself runs distributed Maps, in this process.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError, ParamValidationError
from moto.stepfunctions.parser.api import (
    ExecutionFailedEventDetails,
    HistoryEventType,
    TaskFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import (
    StateCredentials,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
    ResourceRuntimePart,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (  # noqa: E501
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (  # noqa: E501
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_factory import (  # noqa: E501
    state_task_service_for,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from typing_extensions import override

from local.aws import Aws
from local.jobs import Jobs

POLL_SECONDS = 0.1
TASK_FAILED = StatesErrorNameType.StatesTaskFailed
RUNNING = {"InProgress", "Stopping"}
JOBS = {f"create{kind.title()}Job": kind for kind in ("training", "transform", "processing")}
ACTIONS = {"createModel", *JOBS}
EXCEPTIONS = {
    "ResourceInUse": "ResourceInUseException",
    "ResourceLimitExceeded": "ResourceLimitExceededException",
    "ResourceNotFound": "ResourceNotFoundException",
}
"""SageMaker's error codes that have an error name of their own in ASL."""


@contextmanager
def installed(aws: Aws, jobs: Jobs, port: int) -> Iterator[None]:
    """While the context lasts, the interpreter supports SageMaker and calls this process's AWS."""
    original = state_task_service_for

    def service_for(service_name: str) -> StateTaskService:
        return SageMaker(aws, jobs) if service_name == "sagemaker" else original(service_name)

    with ExitStack() as stack:
        stack.enter_context(patch.object(state_task_factory, "state_task_service_for", service_for))
        stack.enter_context(patch.object(boto_client, "moto_server_port", lambda: str(port)))
        stack.enter_context(patch.object(Environment, "set_error", _set_error))
        yield


_original_set_error = Environment.set_error


def _set_error(env: Environment, error: ExecutionFailedEventDetails) -> None:
    """Keep a stopped execution stopped, even where its Maps fail by that."""
    if not isinstance(env.program_state(), ProgramStopped):
        _original_set_error(env, error)


class SageMaker(StateTaskServiceCallback):
    """A task with a resource such as `arn:aws:states:::sagemaker:createTrainingJob.sync`."""

    def __init__(self, aws: Aws, jobs: Jobs) -> None:
        # waitForTaskToken sets the endpoint that the parent's code requires.
        super().__init__({ResourceCondition(word) for word in ("sync", "waitForTaskToken")})
        self._aws, self._jobs = aws, jobs

    @override
    def _get_supported_parameters(self) -> set[str] | None:
        if self.resource.api_action not in ACTIONS:
            return None
        action = self.resource.api_action
        shapes = self._aws.sagemaker.meta.service_model
        shape = shapes.operation_model(action[0].upper() + action[1:]).input_shape
        return set(shape.members) if shape else set()

    @override
    def _from_error(self, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, ClientError):
            error = ex.response["Error"]
            name = EXCEPTIONS.get(error["Code"], "AmazonSageMakerException")
            cause = (
                f"{error['Message']} (Service: AmazonSageMaker; Status Code: "
                f"{ex.response['ResponseMetadata']['HTTPStatusCode']}; Error Code: {error['Code']})"
            )
            return self._failure(env, f"SageMaker.{name}", cause)
        if isinstance(ex, ParamValidationError):
            return self._failure(env, "SageMaker.AmazonSageMakerException", str(ex))
        return super()._from_error(env=env, ex=ex)

    def _failure(self, env: Environment, error: str, cause: str) -> FailureEvent:
        own = error == TASK_FAILED.to_name()
        return FailureEvent(
            env=env,
            error_name=StatesErrorName(TASK_FAILED) if own else CustomErrorName(error),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(  # type: ignore[typeddict-item]
                taskFailedEventDetails=TaskFailedEventDetails(
                    error=error,
                    cause=cause,
                    resource=self._get_sfn_resource(),
                    resourceType=self._get_sfn_resource_type(),
                )
            ),
        )

    @override
    def _eval_service_task(
        self,
        env: Environment,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> None:
        call = getattr(self._aws.sagemaker, self._get_boto_service_action())
        response = call(**normalised_parameters)
        del response["ResponseMetadata"]
        env.stack.append(response)

    @override
    def _build_sync_resolver(
        self,
        env: Environment,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> Callable[[], Any]:
        env.stack.pop()
        kind = JOBS[self.resource.api_action]
        title = f"{kind.title()}Job"
        name = normalised_parameters[f"{title}Name"]
        describe = getattr(self._aws.sagemaker, f"describe_{kind}_job")

        def wait() -> object:
            while env.is_running():
                description = describe(**{f"{title}Name": name})
                status = description[f"{title}Status"]
                if status not in RUNNING:
                    result = _as_json(description)
                    if status == "Completed":
                        return result
                    raise FailureEventException(
                        self._failure(env, TASK_FAILED.to_name(), to_json_str(result))
                    )
                time.sleep(POLL_SECONDS)
            self._jobs.stop(kind, name)
            return None

        return wait


def _as_json(description: Mapping[str, Any]) -> dict[str, Any]:
    """A description as a task returns it, with times in milliseconds since 1970."""

    def convert(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: convert(item) for key, item in value.items()}
        if isinstance(value, list):
            return [convert(item) for item in value]
        if isinstance(value, datetime.datetime):
            return round(value.timestamp() * 1000)
        return value

    return {key: convert(value) for key, value in description.items() if key != "ResponseMetadata"}
