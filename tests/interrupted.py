"""Training jobs in processes, slowed down, with their steps counted, and killed at chosen times."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xgboost
from ordergap.checkpoints import State, read_checkpoint

ROOT = Path(__file__).resolve().parents[1]

# Each step, a round or a batch, writes a byte to a file. Steps and writing take longer than they
# need, so that a kill hits them; checkpoints may take a third of the time.
SCRIPT = """
import os, sys, time
steps, pause = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), float(sys.argv[2])

def counted(function):
    def call(*words, **named):
        os.write(steps, b".")
        time.sleep(pause)
        return function(*words, **named)
    return call

def slowly(function):
    def call(*words):
        time.sleep(pause)
        return function(*words)
    return call

from ordergap import checkpoints
from ordergap.cli.main import main
from ordergap.settings import available_cpus, limit_threads
limit_threads(available_cpus())
checkpoints._SHARE = 2
os.fsync, os.replace = slowly(os.fsync), slowly(os.replace)
if "lstm" in sys.argv:
    import ordergap.trainers.lstm_learning
    Learning = ordergap.trainers.lstm_learning.Learning
    Learning.count_batch = counted(Learning.count_batch)
else:
    import xgboost
    xgboost.Booster.update = counted(xgboost.Booster.update)
sys.exit(main(["train", *sys.argv[3:]]))
"""


@dataclass
class Ended:
    """The end of a run of a job.

    code     exit code; negative for a signal
    output   its output
    steps    its rounds or batches
    seconds  from its start to its end
    grace    seconds from the signal to its end
    """

    code: int
    output: str
    steps: int
    seconds: float
    grace: float


@dataclass
class Job:
    """A job that can be run repeatedly in the same folders."""

    folder: Path
    words: list[str]
    pause: float = 0.004

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def copy(self, folder: Path) -> Job:
        """A copy of the job and its folders in another folder."""
        copied = Job(folder, self.words, self.pause)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return copied

    def run(
        self,
        now: Callable[[], bool] = lambda: False,
        number: int = signal.SIGKILL,
        *,
        checkpoints: bool = True,
    ) -> Ended:
        """Run it, and send it the signal `number` as soon as `now` returns true."""
        (self.folder / "steps").write_bytes(b"")
        command = [sys.executable, "-c", SCRIPT, str(self.folder / "steps"), str(self.pause)]
        command += [*self.words, "--model_dir", str(self.model)]
        command += ["--opt_ml", str(self.folder / "opt_ml")]
        command += ["--checkpoint_dir", str(self.checkpoints)] if checkpoints else []
        environment = os.environ | {
            "ORDERGAP_CHECKPOINT_SECONDS": "0",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        begun = time.monotonic()
        with (self.folder / "output").open("wb") as file:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
            )
            sent: float | None = None
            try:
                while process.poll() is None:
                    if sent is None and now():
                        process.send_signal(number)
                        sent = time.monotonic()
                    time.sleep(0.002)
            finally:
                process.kill()
                process.wait()
        end = time.monotonic()
        return Ended(
            process.returncode, self.output(), self.steps(), end - begun, end - (sent or end)
        )

    def steps(self) -> int:
        """Rounds or batches of the latest run, so far."""
        return (self.folder / "steps").stat().st_size

    def output(self) -> str:
        """The output of the latest run, so far."""
        return (self.folder / "output").read_text(errors="replace")

    def writing(self) -> bool:
        """Whether a checkpoint is being written."""
        return any(self.checkpoints.glob("*.sagemaker-ignore"))

    def kept_steps(self) -> int:
        """Rounds or batches in the latest complete checkpoint."""
        paths = sorted(self.checkpoints.glob("checkpoint-??????"))
        return sum(map(_steps, read_checkpoint(paths[-1].read_bytes())[1].values())) if paths else 0

    def model_files(self) -> dict[str, bytes]:
        """Every file of the model."""
        paths = (path for path in self.model.rglob("*") if path.is_file())
        return {str(path.relative_to(self.model)): path.read_bytes() for path in paths}


def _steps(state: State) -> int:
    if "steps" in state.counts:
        return int(state.counts["steps"])
    return int(xgboost.Booster(model_file=bytearray(state.model)).num_boosted_rounds())
