"""Workers that a signal ends while they load the model end the server, after a few of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.served import command, free_port

LOADING = """
import os, signal, sys
from pathlib import Path
from ordergap import forecaster
from ordergap.cli.main import run

load, once = forecaster.load, Path(sys.argv.pop(1))

def dying(directory):
    if once.exists():
        once.rename(once.with_name("loaded"))  # which only one worker can do
        return load(directory)
    os.kill(os.getpid(), signal.SIGKILL)

forecaster.load = dying
run()
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("one_loads", [False, True])
def test_the_server_gives_up_and_says_why(
    root: Path, opt_ml: Path, tmp_path: Path, *, one_loads: bool
) -> None:
    once = tmp_path / "once"
    if one_loads:
        once.touch()
    job = command(
        "serve", "--opt_ml", opt_ml,
        SAGEMAKER_MODEL_SERVER_WORKERS=2, SAGEMAKER_BIND_TO_PORT=free_port(),
    )  # fmt: skip
    words = [sys.executable, "-c", LOADING, once, *job["args"][3:]]
    done = subprocess.run(
        words, cwd=root, env=job["env"], capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode not in (0, -9)
    said = done.stdout + done.stderr
    assert "workers in a row died while they loaded the model" in said
    assert said.count("SIGKILL") in range(6, 9)
    assert "Traceback" not in said
