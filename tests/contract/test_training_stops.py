"""SIGTERM in every phase: the job ends soon, with exit code 0 and what it has."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ordergap.artifacts import Bundle
from ordergap.sagemaker.stopping import stop_on_sigterm

from tests.interrupted import Job
from tests.shop import shop, write_csv

XGBOOST = ["--num_round", "60", "--eta", "0.2", "--time_bins", "8"]
LSTM = [
    "--trainer", "lstm", "--epochs", "6", "--hidden_size", "8", "--batch_size", "64",
    "--value", "off", "--large_orders", "off", "--outlier_contamination", "0",
]  # fmt: skip


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(120, 240), tmp_path_factory.mktemp("shop") / "orders.csv")


def when(job: Job, words: str, steps: int = 0) -> Callable[[], bool]:
    return lambda: words in job.output() and job.steps() >= steps


@pytest.mark.point(36)
@pytest.mark.point(37)
@pytest.mark.point(44)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("settings", "words", "steps", "model"),
    [
        (XGBOOST, "Reading", 0, None),
        (XGBOOST, "Learning from the past", 0, None),
        (XGBOOST, "Learning from the past", 30, "early"),
        (XGBOOST, "Learning from everything", 0, "early"),
        (XGBOOST, "Saving", 0, "whole"),
        (LSTM, "Learning from the past", 0, None),
        (LSTM, "Learning from the past", 50, "early"),
    ],
)
def test_sigterm_ends_the_job_soon_with_exit_code_0(
    settings: list[str], words: str, steps: int, model: str | None, orders: Path, tmp_path: Path
) -> None:
    job = Job(tmp_path / "job", ["--file_path", str(orders), *settings])
    ended = job.run(when(job, words, steps), signal.SIGTERM)
    assert ended.code == 0, ended.output
    assert ended.grace < 30
    assert "Traceback" not in ended.output
    if model is None and not (job.model / "manifest.json").exists():
        assert "Stopped before there was a model." in ended.output
        assert not job.model.exists()
        return
    # A signal between two steps may find the job one phase further.
    metrics = json.loads((job.model / "metrics.json").read_text())
    assert "validation:next_order:at_cutoff:brier_30=" in ended.output
    assert metrics["stopped_early"] == ("Stopped early" in ended.output)
    assert metrics["stopped_early"] or model == "whole" or "Saving" in ended.output
    assert Bundle.load(job.model).manifest.metrics == metrics
    assert job.kept_steps()
    if steps == 0:
        return
    again = job.run()
    assert again.code == 0
    assert "resuming from" in again.output
    assert not json.loads((job.model / "metrics.json").read_text())["stopped_early"]


STUCK = """
import hashlib, sys, time
from ordergap.sagemaker.stopping import stop_on_sigterm
with stop_on_sigterm(grace=0.5):
    print("stuck", flush=True)
    {stuck}
"""


@pytest.mark.point(36)
@pytest.mark.parametrize(
    "stuck",
    ["hashlib.pbkdf2_hmac('md5', b'', b'', 10**9)", "time.sleep(60)", "while True: pass"],
    ids=["native code", "waiting", "python code"],
)
def test_a_job_that_no_step_ends_is_ended_all_the_same(root: Path, stuck: str) -> None:
    script = "import logging; logging.basicConfig(stream=sys.stdout)" + STUCK.format(stuck=stuck)
    with subprocess.Popen(
        [sys.executable, "-c", "import sys;" + script], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert time.monotonic() - begun < 10
    assert "SIGTERM: stopping" in said
    assert "the process ends now" in said


def test_signals_are_left_as_they_were_found() -> None:
    def mine(*_: object) -> None:
        """Somebody's handler."""

    before = signal.signal(signal.SIGTERM, mine)
    try:
        for _ in range(2):
            with stop_on_sigterm() as told:
                assert not told()
                signal.raise_signal(signal.SIGTERM)
                assert told()
            assert signal.getsignal(signal.SIGTERM) is mine
            assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_interrupt_from_the_keyboard_is_130(orders: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / "job", ["--file_path", str(orders), *XGBOOST])
    ended = job.run(when(job, "Learning from the past", 5), signal.SIGINT)
    assert ended.code == 130, ended.output
    assert "Traceback" not in ended.output
    assert not job.model.exists()
