"""`make image` asks Docker for what SageMaker takes. A Docker that only logs its calls."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCKER = """#!/bin/sh
echo "$DOCKER_DEFAULT_PLATFORM $BUILDX_NO_DEFAULT_ATTESTATIONS docker $*" >> "$LOG"
case "$1 $2" in
  "buildx version") [ -n "$BUILDX" ] && echo "buildx $BUILDX" ;;
  "image inspect") echo 1 ;;
esac
"""
BUILD = "-t ordergap . --build-arg VARIANT=cpu "


@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({"BUILDX": "1"}, f"buildx build --output type=docker,oci-mediatypes=false {BUILD}"),
        ({"BUILDX": ""}, f"build {BUILD}"),
        ({"BUILDX": "1", "DOCKER_BUILD": "docker build -t"}, f"build {BUILD}"),
    ],
    ids=["buildx", "without buildx", "a command of one's own"],
)
def test_the_image_is_one_manifest_for_the_instances_of_the_pipeline(
    variables: dict[str, str], command: str, tmp_path: Path
) -> None:
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    mine = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "LOG": str(tmp_path / "log"),
        "PIP_FIND_LINKS": "/nowhere",
    }
    removed = {"DOCKER_BUILD", "MAKEFLAGS", "DOCKER_DEFAULT_PLATFORM"}
    environment = {key: value for key, value in os.environ.items() if key not in removed}
    done = subprocess.run(
        ["make", "image"],
        cwd=ROOT,
        env=environment | mine | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "log").read_text().splitlines()
    (build,) = [call for call in calls if " . " in call]
    # The platform, and no attestations, which would make an index of the image.
    assert build.startswith(f"linux/amd64 1 docker {command}"), build
