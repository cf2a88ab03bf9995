"""How a job's container is run: as a process of this checkout, or by Docker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from local.aws import ACCOUNT, REGION

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ordergap:latest"
"""What the template calls the image, unless its parameters say otherwise."""
ROOT = Path(__file__).resolve().parent.parent
NO_IMAGE = (
    "ClientError: Cannot pull algorithm container. Either the image does not exist or its "
    "permissions are incorrect."
)


class NoImage(Exception):
    """The image that a job asks for is not to be had; the message is SageMaker's."""


@dataclass(frozen=True)
class Container:
    """A container that runs: SIGTERM goes to `process`, `kill` ends it without asking."""

    process: subprocess.Popen[bytes]
    kill: Callable[[], object]


class Runner(Protocol):
    """Starts the image's entry point on a folder that it sees as /opt/ml."""

    def start(
        self,
        image: str,
        command: str,
        opt_ml: Path,
        environment: Mapping[str, str],
        log: IO[bytes],
        port: int = 0,
    ) -> Container:
        """Start `command` (train or serve, at `port`); what it prints goes to `log`.

        Raises NoImage.
        """
        ...


@dataclass(frozen=True)
class Process:
    """The container's code out of this checkout, for one image URI; other images do not exist."""

    image: str

    def start(
        self,
        image: str,
        command: str,
        opt_ml: Path,
        environment: Mapping[str, str],
        log: IO[bytes],
        port: int = 0,
    ) -> Container:
        """See `Runner`. The process gets nothing of this one's environment but PATH and HOME."""
        if image != self.image:
            raise NoImage(NO_IMAGE)
        own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        bind = {"SAGEMAKER_BIND_TO_PORT": str(port)} if port else {}
        process = subprocess.Popen(
            [sys.executable, "-m", "ordergap", command, "--opt_ml", opt_ml],
            cwd=opt_ml,
            env={**own, **bind, **environment, **PYTHON},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return Container(process, lambda: os.killpg(process.pid, signal.SIGKILL))


# As the Dockerfile says, with this checkout in the place of the image's folder.
PYTHON = {
    "PYTHONPATH": str(ROOT),
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Docker:
    """The built image `name`, in the place of the one image URI that jobs ask for."""

    image: str
    name: str

    def start(
        self,
        image: str,
        command: str,
        opt_ml: Path,
        environment: Mapping[str, str],
        log: IO[bytes],
        port: int = 0,
    ) -> Container:
        """See `Runner`. The container runs as this user, so that its files can be removed."""
        if image != self.image or not has_image(self.name):
            raise NoImage(NO_IMAGE)
        docker = docker_command()
        container = f"ordergap-{uuid.uuid4().hex[:12]}"
        publish = ["--publish", f"127.0.0.1:{port}:8080"] if port else ["--network", "none"]
        variables = [word for pair in environment.items() for word in ("--env", "=".join(pair))]
        process = subprocess.Popen(
            [
                docker, "run", "--rm", "--init=false", "--name", container,
                "--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{opt_ml}:/opt/ml",
                *publish, *variables, self.name, command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

        def kill() -> None:
            subprocess.run(
                [docker, "kill", container], check=False, capture_output=True, timeout=30
            )
            process.kill()

        return Container(process, kill)


def docker_command() -> str:
    """Docker's program; an exit with the remedy where it is not installed."""
    docker = shutil.which("docker")
    if docker is None:
        sys.exit("--runner docker needs Docker, which is not installed here: use --runner process.")
    return docker


def has_image(name: str) -> bool:
    """Whether the engine has an image of that name."""
    command = [docker_command(), "image", "inspect", name]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
