"""Runs the Lambda zips by AWS's own runtime client.

A function's process sees its zip, Python's standard library and the runtime client, and nothing
else of this checkout or its packages. A small server gives it its invocations by the Runtime API.
Warm processes are reused; each concurrent invocation has a process of its own.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction
from moto.awslambda_simple.models import LambdaSimpleBackend

from local.aws import CREDENTIALS, Aws

INIT_SECONDS = 60  # on AWS 10; this machine may be busy
CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


@dataclass(frozen=True)
class Result:
    """The result of an invocation: the function's JSON, or that of its error."""

    payload: bytes
    failed: bool = False

    @classmethod
    def error(cls, kind: str, message: str) -> Result:
        """A failure outside the function's code."""
        return cls(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)


@dataclass(frozen=True)
class Invocation:
    """An invocation of a function."""

    payload: bytes
    deadline: float
    """Epoch seconds."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@contextmanager
def installed(aws: Aws) -> Iterator[None]:
    """While the context lasts, invoking a function runs it. All processes end with it."""
    functions: dict[str, Function] = {}
    lock = threading.Lock()
    client = _runtime_client(aws.folder / "runtime")

    def invoke(
        backend: LambdaSimpleBackend,
        function_name: str,
        qualifier: str | None,
        body: str | bytes,
        headers: object,  # noqa: ARG001
        response_headers: dict[str, str],
    ) -> bytes:
        record = backend.get_function(function_name, qualifier)
        with lock:
            if record.function_arn not in functions:
                functions[record.function_arn] = Function.unpack(record, aws, client)
            function = functions[record.function_arn]
        result = function.invoke(body.encode() if isinstance(body, str) else body or b"{}")
        if result.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return result.payload

    with patch.object(LambdaSimpleBackend, "invoke", invoke):
        try:
            yield
        finally:
            for function in functions.values():
                function.close()


def _runtime_client(folder: Path) -> Path:
    """A folder with the runtime client and its packages, like /var/runtime on AWS."""
    folder.mkdir(exist_ok=True)
    for name in CLIENT:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"the package {name} is not installed; run make setup")
        origin = Path(spec.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (folder / origin.name).symlink_to(origin)
    return folder


@dataclass
class Function:
    """A function's code, configuration and processes."""

    name: str
    arn: str
    task: Path
    timeout: int
    environment: Mapping[str, str]
    log: Path
    idle: list[Instance] = field(default_factory=list)
    all: list[Instance] = field(default_factory=list)

    @classmethod
    def unpack(cls, record: LambdaFunction, aws: Aws, client: Path) -> Function:
        """The function of a CreateFunction request."""
        task = aws.folder / "lambda" / record.function_name
        with zipfile.ZipFile(io.BytesIO(record.code_bytes)) as code:
            code.extractall(task)
        log = aws.folder / f"{record.function_name}.log"
        environment = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "AWS_LAMBDA_FUNCTION_NAME": record.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(record.memory_size),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{record.function_name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "_HANDLER": record.handler,
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(client),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join([str(task), str(client)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            **{name: str(value) for name, value in record.environment_vars.items()},
        }
        name, arn, timeout = record.function_name, record.function_arn, int(record.timeout)
        return cls(name, arn, task, timeout, environment, log)

    def invoke(self, payload: bytes) -> Result:
        """Run the handler in a warm process, or in a new one."""
        try:
            instance = self.idle.pop()
        except IndexError:
            instance = Instance(self)
            self.all.append(instance)
            if (problem := instance.start()) is not None:
                instance.close()
                return problem
        invocation = Invocation(payload, time.time() + self.timeout)
        result = instance.run(invocation)
        if result is not None:
            self.idle.append(instance)
            return result
        code = instance.process.poll()
        instance.close()
        kind, error = "Sandbox.Timedout", f"Error: Task timed out after {self.timeout:.2f} seconds"
        if code is not None:
            kind = "Runtime.ExitError"
            error = f"Error: Runtime exited with error: exit status {code}"
        return Result.error(kind, f"RequestId: {invocation.id} {error}")

    def close(self) -> None:
        """End the processes."""
        for instance in self.all:
            instance.close()


class Instance:
    """A process of a function, and the server of its Runtime API."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._invocations: queue.Queue[Invocation] = queue.Queue()
        self._results: queue.Queue[Result] = queue.Queue()
        self._ready = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        port = self._server.server_address[1]
        self._log: IO[bytes] = function.log.open("ab")
        self.process = subprocess.Popen(
            # -s and -S: no packages but those of the zip.
            [sys.executable, "-s", "-S", "-m", "awslambdaric", function.environment["_HANDLER"]],
            cwd=function.task,
            env={**function.environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start(self) -> Result | None:
        """Wait until the handler is imported; returns the error if that fails."""
        end = time.monotonic() + INIT_SECONDS
        while not self._ready.wait(0.01):
            if not self._results.empty():
                return self._results.get()
            if self.process.poll() is not None or time.monotonic() > end:
                return Result.error("Runtime.ExitError", "the function's process did not start")
        return None

    def run(self, invocation: Invocation) -> Result | None:
        """The result of an invocation; None where it times out or the process exits."""
        self._invocations.put(invocation)
        while time.time() < invocation.deadline:
            try:
                return self._results.get(timeout=0.05)
            except queue.Empty:
                if self.process.poll() is not None:
                    return None
        return None

    def close(self) -> None:
        """Kill the process, as AWS does."""
        self.process.kill()
        self.process.wait()
        self._server.shutdown()
        self._server.server_close()
        self._log.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """The Runtime API, for this instance."""
        instance = self

        class RuntimeApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """The next invocation, once there is one."""
                instance._ready.set()
                invocation = instance._invocations.get()
                self._reply(
                    200,
                    invocation.payload,
                    {
                        "Lambda-Runtime-Aws-Request-Id": invocation.id,
                        "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                        "Lambda-Runtime-Invoked-Function-Arn": instance._function.arn,
                        "Content-Type": "application/json",
                    },
                )

            def do_POST(self) -> None:
                """The handler's result or error, or the error of its import."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                instance._results.put(Result(body, failed=self.path.endswith("/error")))
                self._reply(202, b'{"status":"OK"}', {})

            def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """No log: the log file is for the function's output."""

        return RuntimeApi
