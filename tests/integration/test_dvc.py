"""examples/dvc with the real DVC and a store in a folder: versions of data, models and scores.

Skipped without DVC, which `make .venv-tools/ready` installs.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shop import shop, write_csv

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-tools/bin/python"
# Several commands in one process: DVC takes seconds to import. Each ends with its exit code.
DRIVER = """
import json, sys
from dvc.cli import main
for command in sys.argv[1:]:
    code = main(command.split())
    print("\\n== exit", code, flush=True)
    if code: sys.exit(code)
"""
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="DVC is missing")


class Repository:
    """A folder under Git and DVC, with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "shop"
        shutil.copytree(ROOT / "examples/dvc", self.folder, ignore=shutil.ignore_patterns("__*"))
        self._environ = {
            **os.environ,
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }

    def run(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, words)), cwd=self.folder, env=self._environ, check=check, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def git(self, *words: str) -> None:
        self.run("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words)

    def dvc(self, *commands: str) -> list[str]:
        """What each command says."""
        done = self.run(PYTHON, "-c", DRIVER, *commands, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout.split("== exit 0\n")[:-1]

    def files(self) -> dict[str, bytes]:
        """What DVC keeps: the data, the models and the reports."""
        kept = [self.folder / "orders.csv", self.folder / "report.html"]
        kept += [path for path in (self.folder / "model").rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in kept}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    options = "--trainer naive --value off --large_orders off"
    (made.folder / "params.yaml").write_text(f"options: {options}\ncutoffs: 1\n")
    write_csv(shop(60), made.folder / "orders.csv")
    return made


def test_a_second_run_does_nothing_and_an_earlier_version_comes_back(
    repository: Repository, tmp_path: Path
) -> None:
    repository.git("init", "--quiet")
    *_, first, second, _ = repository.dvc(
        "init", "config core.analytics false", f"remote add --default store {tmp_path}/store",
        "add orders.csv", "repro", "repro", "push",
    )  # fmt: skip
    stages = ("train", "backtest", "report")
    assert all(f"Running stage '{stage}'" in first for stage in stages)
    assert "Running stage" not in second
    assert "Data and pipelines are up to date." in second
    repository.git("add", ".")
    repository.git("commit", "--quiet", "--message", "first model")
    before = repository.files()

    write_csv(shop(70, seed=1), repository.folder / "orders.csv")
    *_, again, changed = repository.dvc("add orders.csv", "repro", "metrics diff --json")
    assert all(f"Running stage '{stage}'" in again for stage in stages)
    diff = json.loads(changed)["metrics.json"]
    assert {name.partition(".")[0] for name in diff} == {"validation", "backtest"}
    error = diff["validation.next_order.at cutoff.capped_mae"]
    assert error["old"] != error["new"]
    now = json.loads((repository.folder / "metrics.json").read_text())
    assert error["new"] == now["validation"]["next_order"]["at cutoff"]["capped_mae"]
    assert repository.files() != before

    repository.git("checkout", "--quiet", "--", ".")
    shutil.rmtree(repository.folder / ".dvc/cache")
    *_, third = repository.dvc("pull --force", "repro")
    assert repository.files() == before, "from the store alone"
    assert "Running stage" not in third

    # A stage that fails ends the run with its error.
    (repository.folder / "params.yaml").write_text("options: --trainer magic\ncutoffs: 1\n")
    failed = repository.run(PYTHON, "-c", DRIVER, "repro", check=False)
    assert failed.returncode != 0
    assert "failed to reproduce 'train'" in failed.stdout
