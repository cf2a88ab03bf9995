"""What a training job leaves: a model or a reason, whole, and the same every time."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ordergap.artifacts import Bundle
from ordergap.contract.manifest import MANIFEST
from ordergap.errors import PlatformError
from ordergap.manifests import digest
from ordergap.training import job as training_job

from tests.shop import shop, write_csv
from tests.trained import scores
from tests.training_platform import Platform, platform

__all__ = ["platform"]

QUICK = ("--trainer", "xgboost", "--num_round", "8", "--time_bins", "6")
HUNDRED = ("--trainer", "xgboost", "--num_round", "100", "--early_stopping_rounds", "0")


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(40, 200), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture
def job(platform: Platform, orders: Path) -> Platform:
    """A job with transactions in its training channel."""
    (platform.channel() / "orders.csv").write_bytes(orders.read_bytes())
    return platform


MODEL = {
    "manifest.json", "metrics.json", "reference.json", "report.html",
    "next_order/model.json", "value/factor.ubj", "large_order/exceedance.ubj",
}  # fmt: skip


def raising(error: BaseException) -> Callable[..., None]:
    def train(*_: object, **__: object) -> None:
        raise error

    return train


@pytest.mark.point(31)
@pytest.mark.point(32)
@pytest.mark.point(35)
def test_a_model_in_its_folder_side_outputs_in_theirs_and_exit_code_0(job: Platform) -> None:
    assert job.train() == 0
    assert set(job.files()) == MODEL
    assert set(job.files("output")) == {"data/metrics.json", "data/report.html"}
    assert job.files()["metrics.json"] == job.files("output")["data/metrics.json"]


@pytest.mark.point(32)
@pytest.mark.point(33)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PlatformError("no room"), "PlatformError: no room"),
        (OSError(errno.ENOSPC, "No space left on device"), "PlatformError: [Errno 28]"),
        (MemoryError(), "PlatformError: out of memory"),
        (ZeroDivisionError("by zero"), "AlgorithmError: ZeroDivisionError: by zero"),
        (ValueError("long " * 1000), "AlgorithmError: ValueError: long long"),
    ],
)
def test_the_reason_is_the_first_sentence_of_at_most_1024_characters(
    job: Platform,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    reason: str,
) -> None:
    monkeypatch.setattr(training_job, "fit", raising(error))
    assert job.train() == 1
    assert job.failure
    assert job.failure.startswith(reason)
    assert len(job.failure) <= 1024
    assert "Traceback" not in job.failure
    said = capsys.readouterr()
    assert said.err.startswith(reason)
    assert "Traceback" not in said.out


@pytest.mark.point(33)
def test_a_failure_that_cannot_be_written_leaves_the_reason_on_stderr(
    job: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    (job.root / "output").write_text("a file, where a folder should be")
    assert job.train("--eta", "7") == 1
    assert capsys.readouterr().err.startswith("UserError: eta = 7")


@pytest.mark.point(34)
def test_success_leaves_no_failure_file_also_after_a_failure(job: Platform) -> None:
    assert job.train("--eta", "7") == 1
    assert job.failure
    assert job.train() == 0
    assert job.failure is None


@pytest.mark.point(34)
def test_failure_while_saving_leaves_no_half_a_model(
    job: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Bundle, "_write", full)
    assert job.train() == 1
    assert job.failure
    assert job.failure.startswith("PlatformError: the model cannot be saved")
    assert job.files() == {}


@pytest.mark.point(34)
def test_a_job_killed_while_saving_leaves_nothing_that_a_later_one_keeps(
    job: Platform, root: Path
) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from ordergap.cli.main import main\n"
        "replace = Path.replace\n"
        "def killed(path, target):\n"
        "    if path.name == 'metrics.json':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return replace(path, target)\n"
        "Path.replace = killed\n"
        "main(['train', '--trainer', 'naive', '--opt_ml', sys.argv[1]])\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(job.root)], cwd=root, check=False)
    assert killed.returncode == -9
    assert MANIFEST not in job.files()
    assert any(name.startswith(".saving-") for name in job.files())
    assert job.train() == 0
    assert set(job.files()) == MODEL


@pytest.mark.point(39)
@pytest.mark.point(40)
def test_checkpoints_of_another_job_are_refused_with_a_reason_and_a_larger_budget_goes_on(
    job: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    (job.root / "checkpoints").mkdir()
    assert job.train(*QUICK) == 0
    assert job.train(*QUICK, "--max_depth", "2") == 1
    assert job.failure
    assert job.failure.startswith("UserError: the checkpoints in ")
    assert "max_depth was 4 and is 2" in job.failure
    capsys.readouterr()
    assert job.train(*QUICK, "--num-round", "12") == 0
    assert "rounds 9 to 12 boosted" in capsys.readouterr().out


@pytest.mark.point(42)
def test_few_checkpoints_are_kept_and_no_unfinished_one(
    job: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERGAP_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr("ordergap.checkpoints._SHARE", 0)
    (job.root / "checkpoints").mkdir()
    assert job.train(*QUICK) == 0
    names = sorted(job.files("checkpoints"))
    assert len(names) == 3
    assert int(names[-1][-6:]) >= 16


@pytest.mark.point(13)
@pytest.mark.point(43)
@pytest.mark.parametrize(
    ("words", "curve"),
    [
        (HUNDRED, "boosting"),
        ((*HUNDRED, "--objective", "aft"), "boosting"),
        (("--trainer", "lstm", "--epochs", "5", "--hidden_size", "4"), "epochs"),
        (("--trainer", "naive"), None),
    ],
)
def test_the_published_definitions_find_every_metric_in_a_real_log(
    job: Platform,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    curve: str | None,
) -> None:
    published = json.loads(
        (root / "container/ordergap/training/metric_definitions.json").read_text()
    )
    assert len({each["Name"] for each in published}) == len(published) <= 40
    assert job.train(*words) == 0
    log = capsys.readouterr().out
    assert "\t" not in log
    metrics = json.loads(job.files()["metrics.json"])
    for each in published:
        assert re.compile(each["Regex"]).groups == 1
        values = re.findall(each["Regex"], log)
        group, *path = each["Name"].split(":")
        if group == "validation":
            _, protocol, metric = path
            expected = scores(metrics, protocol.replace("_", " "))[metric]
            assert [float(value) for value in values] == [pytest.approx(expected, abs=1e-6)]
        else:
            assert bool(values) == (group == curve), each
            assert all(abs(float(value)) < 100 for value in values)


@pytest.mark.point(45)
@pytest.mark.parametrize(
    "words",
    [QUICK, ("--trainer", "lstm", "--epochs", "2", "--hidden_size", "4")],
    ids=["xgboost", "lstm"],
)
def test_the_same_data_and_seed_make_the_same_bytes_in_any_process(
    platform: Platform, orders: Path, root: Path, words: tuple[str, ...]
) -> None:
    folders = []
    for seed in ("1", "2"):
        folder = platform.root / seed
        command = [sys.executable, "-m", "ordergap", "train", "--file_path", str(orders), *words]
        subprocess.run(
            [*command, "--model_dir", str(folder)],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}", "PYTHONWARNINGS": ""},
            check=True,
            capture_output=True,
        )
        folders.append(platform.files(seed))
    assert folders[0] == folders[1]


@pytest.mark.point(45)
def test_the_model_says_what_it_is(job: Platform) -> None:
    assert job.train(*QUICK) == 0
    manifest = job.manifest
    assert manifest.data_digest
    assert manifest.hyperparameters.flat()["num_round"] == 8
    assert manifest.libraries["xgboost-cpu"]
    for name, its_digest in manifest.tasks["next_order"].files.items():
        assert digest((job.root / "model/next_order" / name).read_bytes()) == its_digest
