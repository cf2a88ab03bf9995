"""The Docker engine's command line, and what is started with it."""

import http.client
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FINGERPRINT = """
import hashlib, pathlib, sys
root, package, pins = map(pathlib.Path, sys.argv[1:])
ours = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
parts = [f"{path.relative_to(package)} {path.read_text()}" for path in sorted(ours)]
parts += [path.read_text() for path in (root / "entrypoint.sh", root / "LICENSE", pins)]
print(hashlib.sha256("".join(parts).encode()).hexdigest())
"""

PINS = {"slim": "requirements-slim.txt", "cuda": "requirements-cuda.txt"}


def docker(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["docker", *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )
    assert not check or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def lacking(image: str, root: Path) -> str | None:
    """Why the image cannot be tested here; None where it can."""
    if shutil.which("docker") is None or docker("info", check=False).returncode:
        return "no Docker engine answers here"
    command = "make image VARIANT=slim" if image.endswith(":slim") else "make image"
    form = '{{index .Config.Labels "ordergap.variant"}}'
    variant = docker("image", "inspect", "--format", form, image, check=False)
    if variant.returncode:
        return f"there is no image {image}: {command}"
    pins = PINS.get(variant.stdout.strip(), "requirements.txt")
    script, home = ("-c", FINGERPRINT), "/opt/ordergap"
    words = (*script, home, f"{home}/ordergap", f"{home}/requirements.txt")
    inside = docker("run", "--rm", "--entrypoint", "python", image, *words)
    outside = subprocess.run(
        [sys.executable, *script, root, root / "container/ordergap", root / pins],
        capture_output=True,
        text=True,
        check=True,
    )
    if inside.stdout != outside.stdout:
        return f"the image {image} was not made from this checkout: {command}"
    return None


@dataclass
class Container:
    """One that was started."""

    name: str

    def wait_for(self, words: str, seconds: float = 60) -> None:
        """Until it has logged these words."""
        end = time.monotonic() + seconds
        while words not in self.log():
            assert time.monotonic() < end, self.log()
            time.sleep(0.1)

    def end(self) -> int:
        """The exit code, once it has ended by itself."""
        return int(docker("wait", self.name).stdout)

    def changed(self) -> set[str]:
        """Paths of the image that it wrote to, folders included; without mounts."""
        return {line[2:] for line in docker("diff", self.name).stdout.splitlines()}

    def log(self) -> str:
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def peak(self) -> float:
        """The most memory that it has held at once, in MB; of one that runs."""
        files = ("memory.peak", "memory/memory.max_usage_in_bytes")
        tries = " || ".join(f"cat /sys/fs/cgroup/{file} 2>/dev/null" for file in files)
        return int(docker("exec", self.name, "sh", "-c", tries).stdout) / 1e6

    def stop(self, seconds: int = 30) -> int:
        """`docker stop`, with the seconds that the platform gives; the exit code."""
        docker("stop", "--time", seconds, self.name)
        return int(docker("inspect", "--format", "{{.State.ExitCode}}", self.name).stdout)


@dataclass
class Server(Container):
    """A container that serves, and the port on this machine that leads to it."""

    port: int

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def wait(self, seconds: float = 30) -> None:
        """Until /ping is green."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.ask("GET", "/ping")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        pytest.fail(f"no green /ping within {seconds} s\n{self.log()}")


@dataclass
class Job:
    """The platform's layout around a training job: what it hands in, and two places to write to."""

    root: Path

    def say(self, **hyperparameters: str) -> None:
        self.config("hyperparameters", hyperparameters)

    def config(self, name: str, content: object) -> None:
        (self.root / f"input/config/{name}.json").write_text(json.dumps(content))

    @property
    def mounts(self) -> tuple[str, ...]:
        folders = ("input:/opt/ml/input:ro", "model:/opt/ml/model", "output:/opt/ml/output")
        return tuple(word for folder in folders for word in ("-v", f"{self.root}/{folder}"))

    @property
    def channel(self) -> Path:
        return self.root / "input/data/training"

    @property
    def manifest(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.root / "model/manifest.json").read_text())
        return loaded

    @property
    def failure(self) -> str | None:
        """Why it failed, as the platform shows it."""
        path = self.root / "output/failure"
        return path.read_text() if path.exists() else None
