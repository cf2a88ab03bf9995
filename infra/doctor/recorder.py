"""Logs the AWS calls of a Lambda function, and makes each fail once: the handler of its process.

It runs beside the packages of a function's zip and imports nothing else of this project. Its
environment: RECORDED_HANDLER is the function's own handler, RECORDED_CALLS a file to which every
call is appended as a line of JSON, RECORDED_FAULTS a folder with a file for each fault that has
happened.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from botocore.model import OperationModel

CALLS, FAULTS = (Path(os.environ[f"RECORDED_{name}"]) for name in ("CALLS", "FAULTS"))
_call = getattr(BaseClient, _NAME := "_make_api_call")  # above it, botocore's retries are over
_to_succeed: set[str] = set()
"""Operations that have failed; they succeed before they fail again, so that work is half done."""


def faults(operation: OperationModel) -> Iterator[tuple[str, str, int]]:
    """Code, class and HTTP status of the errors of an operation that are worth a retry.

    A broken connection, those that its model calls a fault of the service or throttling, and one
    that no model has.
    """
    yield "", "EndpointConnectionError", 0
    for shape in operation.error_shapes:
        error = shape.metadata.get("error", {})
        status = error.get("httpStatusCode", 400)
        if shape.metadata.get("fault") or status >= 500 or "Throttl" in shape.name:
            yield error.get("code", shape.name), shape.name, error.get("httpStatusCode", 500)
    yield "ServiceUnavailable", "ClientError", 503


def _fail(client: Any, operation: OperationModel) -> None:
    """Raise the next fault of the operation that has not happened yet."""
    for code, name, status in faults(operation):
        try:
            (FAULTS / f"{operation.service_model.service_name}.{operation.name}.{name}").touch(
                exist_ok=False
            )
        except FileExistsError:
            continue
        _to_succeed.add(operation.name)
        if not code:
            raise EndpointConnectionError(endpoint_url=f"planted in {operation.name}")
        error = {"Code": code, "Message": "planted"}
        answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise client.exceptions.from_code(code)(answer, operation.name)


def _record(client: Any, name: str, parameters: dict[str, Any]) -> Any:
    operation = client.meta.service_model.operation_model(name)
    line = {
        "service": operation.service_model.service_name,
        "operation": name,
        "parameters": parameters,
    }
    with CALLS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=lambda content: type(content).__name__) + "\n")
    if name not in _to_succeed:
        _fail(client, operation)
    answer = _call(client, name, parameters)
    _to_succeed.discard(name)
    return answer


setattr(BaseClient, _NAME, _record)
_module, _, _name = os.environ["RECORDED_HANDLER"].rpartition(".")
handle = getattr(importlib.import_module(_module), _name)
