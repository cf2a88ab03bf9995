"""A killed job goes on where it was, does what is missing, and ends as an unbroken one."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interrupted import Ended, Job
from tests.shop import shop, write_csv

KILLS = int(os.environ.get("ORDERGAP_KILLS", "1"))
"""For each kind of model; a long run takes more, and all kinds."""

ALONE = ["--value", "off", "--large_orders", "off", "--outlier_contamination", "0"]
QUICK = ["--num_round", "60", "--eta", "0.2", "--time_bins", "8", "--early_stopping_rounds", "10"]
SETTINGS = {
    "hazard": QUICK,
    "aft": [*QUICK, *ALONE, "--objective", "aft"],
    "squared-error": [*QUICK, *ALONE, "--objective", "squared-error"],
    "random-forest": ["--trainer", "random-forest", "--num_round", "20", "--time_bins", "8"],
    "lstm": [
        *ALONE, "--trainer", "lstm", "--epochs", "6", "--hidden_size", "8", "--batch_size", "64",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(120, 240), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.mark.point(38)
@pytest.mark.point(39)
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", SETTINGS if KILLS > 1 else ["hazard", "lstm"])
def test_killed_at_any_moment_it_does_what_is_missing_and_ends_with_the_same_bytes(
    kind: str, orders: Path, tmp_path: Path
) -> None:
    words = ["--file_path", str(orders), *SETTINGS[kind]]
    unbroken = Job(tmp_path / "unbroken", words)
    whole = unbroken.run(checkpoints=False)
    assert whole.code == 0, whole.output
    chance = random.Random(kind)  # noqa: S311
    job, jobs, kills = Job(tmp_path / "broken", words), 1, 0
    while kills < KILLS:
        before = job.kept_steps()
        ended = job.run(moment(job, chance, whole.steps - before))
        if ended.code == 0:
            ends_as(whole, ended, before, job, unbroken)
        else:
            assert ended.code == -signal.SIGKILL, ended.output
            kills += 1
            print(
                f"{kind}: kill {kills} at step {before + ended.steps} of {whole.steps}, "
                f"{'in' if job.writing() else 'not in'} a write, {job.kept_steps()} kept"
            )
            resumed = job.copy(tmp_path / f"resumed {kills}")
            ends_as(whole, resumed.run(), job.kept_steps(), resumed, unbroken)
        if job.kept_steps() > whole.steps / 2:
            job, jobs = Job(tmp_path / f"broken {jobs}", words), jobs + 1


def moment(job: Job, chance: random.Random, missing: int) -> Callable[[], bool]:
    """After some of the missing steps: in the next write of a checkpoint, or a little later.

    After none or all of them it is in the phases before or behind learning.
    """
    steps = chance.randint(0, missing)
    in_a_write = chance.random() < 0.4
    wait = chance.uniform(0, 0.05 if 0 < steps < missing else 1.5)
    since: list[float] = []

    def now() -> bool:
        if "Reading" not in job.output() or job.steps() < steps:
            return False
        since.append(time.monotonic())
        late = since[-1] - since[0] > wait
        return job.writing() or since[-1] - since[0] > 5 if in_a_write else late

    return now


def ends_as(whole: Ended, ended: Ended, before: int, job: Job, unbroken: Job) -> None:
    """The last run made the steps that were missing, no other, and the model is the same."""
    assert ended.code == 0, ended.output
    assert ended.steps == whole.steps - before
    if before:
        assert "resuming from" in ended.output
    assert job.model_files() == unbroken.model_files()
    print(f"  resumed with {before} of {whole.steps} steps, made {ended.steps}: the same bytes")
