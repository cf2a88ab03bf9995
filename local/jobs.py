"""SageMaker's training, transform and processing jobs, which moto declares complete at once.

A job runs in a thread of its own. Its status is written into moto's record of it, so that Describe
and List return it.
"""

from __future__ import annotations

import datetime
import json
import logging
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.models import FakeProcessingJob, FakeTrainingJob, FakeTransformJob
from moto.sagemaker.responses import SageMakerResponse

from local.aws import Aws
from local.runners import Container, Launch, NoImage, Runner

REASON_LIMIT = 1024
STOP_SECONDS = {"training": 120, "transform": 30, "processing": 30}
"""Seconds between SIGTERM and SIGKILL to a container."""

Record = FakeTrainingJob | FakeTransformJob | FakeProcessingJob
log = logging.getLogger("ordergap")


class JobFailed(Exception):
    """The job failed; the message is its FailureReason."""


class JobStopped(Exception):
    """The job was stopped, by its caller or its time limit."""


@dataclass
class Job:
    """A job: its request, moto's record of it and its folder."""

    aws: Aws
    runner: Runner
    kind: str
    """training, transform or processing"""
    request: Mapping[str, Any]
    """The request of CreateTrainingJob, CreateTransformJob or CreateProcessingJob."""
    record: Record
    folder: Path
    stopping: threading.Event = field(default_factory=threading.Event)
    container: Container | None = None

    @property
    def name(self) -> str:
        """The job's name."""
        return str(self.request[f"{self.kind.title()}JobName"])

    @property
    def log(self) -> Path:
        """The output of its container."""
        return self.folder / f"{self.name}.log"

    def note(self, status: str, secondary: str = "", more: Mapping[str, object] = {}) -> None:
        """Write the job's status, and `more`, into the record."""
        now = datetime.datetime.now(datetime.UTC)
        changes: dict[str, object] = {f"{self.kind}_job_status": status, "last_modified_time": now}
        if self.kind == "training":
            changes["secondary_status"] = secondary or status
        vars(self.record).update({**changes, **more})

    @contextmanager
    def run(
        self,
        image: str,
        words: Sequence[str],
        opt_ml: Path,
        environment: Mapping[str, str],
        port: int = 0,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The job's container, which is stopped at the end of the context. Raises NoImage.

        words  its command, and the arguments of it
        """
        with self.log.open("wb") as log:
            launch = Launch(image, words[0], opt_ml, environment, log, port, words[1:])
            self.container = self.runner.start(launch)
            try:
                yield self.container.process
            finally:
                self._end(self.container)

    def exit_code(
        self, image: str, words: Sequence[str], opt_ml: Path, environment: Mapping[str, str]
    ) -> int:
        """Run the container to its end, or to the job's time limit.

        Raises NoImage and JobStopped.
        """
        limit = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
        end = time.monotonic() + limit
        with self.run(image, words, opt_ml, environment) as process:
            while process.poll() is None:
                if time.monotonic() > end:
                    self.note("Stopping", "MaxRuntimeExceeded")
                    raise JobStopped
                self.wait(0.05)
        return process.returncode

    def stop(self) -> None:
        """Stop the job and its container, for which the job may be waiting."""
        self.stopping.set()
        if self.container is not None:
            threading.Thread(target=self._end, args=[self.container], daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Sleep. Raises JobStopped."""
        if self.stopping.wait(seconds):
            raise JobStopped

    def _end(self, container: Container) -> None:
        container.stop(STOP_SECONDS[self.kind])


Work = Callable[[Job, Path], None]


class Jobs:
    """The jobs of an emulated AWS. As a context it handles SageMaker's calls and stops all jobs."""

    def __init__(self, aws: Aws, runner: Runner, work: Mapping[str, Work]) -> None:
        self._aws, self._runner, self._work = aws, runner, work
        self._running: dict[str, tuple[Job, threading.Thread]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for kind in self._work:
            create, stop = f"create_{kind}_job", f"stop_{kind}_job"
            original = getattr(SageMakerResponse, create)
            for name, replacement in (
                (create, self._creator(kind, original)),
                (stop, self._stopper(kind)),
            ):
                self._stack.enter_context(
                    patch.object(SageMakerResponse, name, replacement, create=True)
                )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for job, _thread in (running := list(self._running.values())):
            job.stop()
        for _job, thread in running:
            thread.join()

    def stop(self, kind: str, name: str) -> None:
        """Stop a job if it is running."""
        if name in self._running and self._running[name][0].kind == kind:
            job = self._running[name][0]
            job.note("Stopping")
            job.stop()

    def _creator(
        self, kind: str, original: Callable[[SageMakerResponse], ActionResult]
    ) -> Callable[[SageMakerResponse], ActionResult]:
        def create(response: SageMakerResponse) -> ActionResult:
            request = json.loads(response.body)
            records = getattr(response.sagemaker_backend, f"{kind}_jobs")
            name = request[f"{kind.title()}JobName"]
            if name in records:
                raise ResourceInUseException(
                    f"{kind.title()} job names must be unique within an AWS account and region, "
                    f"and a {kind} job with this name already exists ({records[name].arn})"
                )
            result = original(response)
            self._start(kind, request, records[name])
            return result

        return create

    def _stopper(self, kind: str) -> Callable[[SageMakerResponse], ActionResult]:
        def stop(response: SageMakerResponse) -> ActionResult:
            name = json.loads(response.body)[f"{kind.title()}JobName"]
            if name not in getattr(response.sagemaker_backend, f"{kind}_jobs"):
                raise ValidationError(message=f"Could not find {kind} job {name}.")
            self.stop(kind, name)
            return EmptyResult()

        return stop

    def _start(self, kind: str, request: Mapping[str, Any], record: Record) -> None:
        job = Job(self._aws, self._runner, kind, request, record, self._aws.folder)
        vars(record).update(environment=request.get("Environment"), **INITIAL[kind])
        job.note("InProgress", "Starting")
        thread = threading.Thread(target=self._run, args=[job], name=job.name, daemon=True)
        self._running[job.name] = job, thread
        thread.start()

    def _run(self, job: Job) -> None:
        began = time.monotonic()
        status, reason = "Completed", None
        try:
            with tempfile.TemporaryDirectory(prefix=f"{job.kind}-", dir=job.folder) as opt_ml:
                self._work[job.kind](job, Path(opt_ml))
        except JobStopped:
            status = "Stopped"
        except (JobFailed, NoImage) as error:
            status, reason = "Failed", str(error)[:REASON_LIMIT]
        except Exception:
            log.exception("the emulation of SageMaker failed in job %s", job.name)
            status, reason = "Failed", "InternalServerError: We encountered an internal error."
        now = datetime.datetime.now(datetime.UTC)
        more: dict[str, object] = {"failure_reason": reason, f"{job.kind}_end_time": now}
        if job.kind == "training":
            more["training_time_in_seconds"] = round(time.monotonic() - began)
        job.note(status, more=more)
        del self._running[job.name]


# Fields that moto makes up when it records a job.
INITIAL: dict[str, dict[str, object]] = {
    "training": {"training_end_time": None, "final_metric_data_list": None},
    "transform": {"transform_end_time": None, "failure_reason": None},
    "processing": {"processing_end_time": None, "failure_reason": None},
}
