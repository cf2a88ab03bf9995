"""How a job's container is run: as a process of this checkout, or by Docker."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from local.aws import ACCOUNT, REGION

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ordergap:latest"
"""The template's default for the image."""
ROOT = Path(__file__).resolve().parent.parent
NO_IMAGE = (
    "ClientError: Cannot pull algorithm container. Either the image does not exist or its "
    "permissions are incorrect."
)


class NoImage(Exception):
    """The job's image does not exist; the message is SageMaker's."""


@dataclass(frozen=True)
class Container:
    """A running container: send SIGTERM to `process`; `kill` ends it at once."""

    process: subprocess.Popen[bytes]
    kill: Callable[[], object]

    def stop(self, seconds: float) -> None:
        """SIGTERM, then SIGKILL if the container does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                self.process.wait()


@dataclass(frozen=True)
class Launch:
    """A container to start.

    command      train, serve, or the first argument of a processing job
    opt_ml       the folder that the container sees as /opt/ml
    environment  variables
    log          file for its output
    port         of this machine, for its server; 0 for none
    arguments    after the command
    """

    image: str
    command: str
    opt_ml: Path
    environment: Mapping[str, str]
    log: IO[bytes]
    port: int = 0
    arguments: Sequence[str] = ()


class Runner(Protocol):
    """Starts the image's entry point."""

    def start(self, launch: Launch) -> Container:
        """Start the container. Raises NoImage."""
        ...


@dataclass(frozen=True)
class Process:
    """Runs this checkout's code in place of one image. Other images do not exist."""

    image: str

    def start(self, launch: Launch) -> Container:
        """See `Runner`. Of this process's environment, the container has only PATH and HOME."""
        if launch.image != self.image:
            raise NoImage(NO_IMAGE)
        own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        port = {"SAGEMAKER_BIND_TO_PORT": str(launch.port)} if launch.port else {}
        opt_ml = str(launch.opt_ml)
        arguments = ["--opt_ml", opt_ml] if launch.command in {"train", "serve"} else []
        arguments += [re.sub("^/opt/ml(?=/)", opt_ml, each) for each in launch.arguments]
        process = _popen(
            [sys.executable, "-m", "ordergap", launch.command, *arguments],
            launch.log,
            cwd=launch.opt_ml,
            env={**own, **port, **launch.environment, **PYTHON},
        )
        return Container(process, lambda: os.killpg(process.pid, signal.SIGKILL))


# As in the Dockerfile, with this checkout's code.
PYTHON = {
    "PYTHONPATH": str(ROOT / "container"),
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Docker:
    """Runs the built image `name` in place of the image URI of the jobs."""

    image: str
    name: str

    def start(self, launch: Launch) -> Container:
        """See `Runner`. The container runs as this user, so that its files can be deleted."""
        if launch.image != self.image or not has_image(self.name):
            raise NoImage(NO_IMAGE)
        docker = _docker()
        container = f"ordergap-{uuid.uuid4().hex[:12]}"
        network = ["--network", "none"]
        if launch.port:
            network = ["--publish", f"127.0.0.1:{launch.port}:8080"]
        variables = [
            word for pair in launch.environment.items() for word in ("--env", "=".join(pair))
        ]
        process = _popen(
            [
                docker, "run", "--rm", "--init=false", "--name", container,
                "--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{launch.opt_ml}:/opt/ml",
                *network, *variables, self.name, launch.command, *launch.arguments,
            ],
            launch.log,
        )  # fmt: skip

        def kill() -> None:
            subprocess.run(
                [docker, "kill", container], check=False, capture_output=True, timeout=30
            )
            process.kill()

        return Container(process, kill)


def _popen(
    command: list[str],
    log: IO[bytes],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def _docker() -> str:
    return shutil.which("docker") or "docker"


def has_image(name: str) -> bool:
    """Whether Docker, which must be installed, has an image of that name."""
    command = [_docker(), "image", "inspect", name]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
