"""A planted bug in the buckets stops the line at its first stage."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hashing_line import STAGES, main

ROOT = Path(__file__).resolve().parents[3]
MODULE = "container/ordergap/hashing.py"

BUGS = {
    "Python's own hash, which differs in every process": (
        'int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % buckets',
        "hash(content) % buckets",
    ),
    "the field is not hashed": ('f"{field}{SEPARATOR}{text}"', 'f"{text}"'),
    "no form of Unicode": (
        'unicodedata.normalize("NFC", value.strip(WHITE_SPACE))',
        "value.strip(WHITE_SPACE)",
    ),
    "the lowest byte first": ('"big"', '"little"'),
    "a number becomes text": (
        "if not isinstance(value, str):",
        "value = str(value)\n    if False:",
    ),
    "what Python strips by itself": (".strip(WHITE_SPACE)", ".strip()"),
    "an empty text is hashed": ("if not text:", "if value is None:"),
}


def run_line(folder: Path) -> subprocess.CompletedProcess[str]:
    """The line in a copy, which is imported in place of what is installed."""
    path = os.pathsep.join([str(folder), str(folder / "container")])
    return subprocess.run(
        [sys.executable, "-m", "tests.hashing_line"],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "tests/conftest.py", "tests/hashing_line.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "container", folder / "container")
    for stage in STAGES.values():
        for name in stage:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_stops_the_line(copy: Path, bug: str) -> None:
    right = (ROOT / MODULE).read_text(encoding="utf-8")
    old, new = BUGS[bug]
    assert right.count(old) == 1
    (copy / MODULE).write_text(right.replace(old, new), encoding="utf-8")
    done = run_line(copy)
    assert done.returncode == 1, done.stdout
    assert "unit failed: what comes after it is not run" in done.stdout
    assert "component:" not in done.stdout
    assert "smoke:" not in done.stdout


@pytest.mark.parametrize("failing", [*STAGES, None])
def test_stages_are_run_in_their_sequence_up_to_the_first_that_fails(
    failing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[list[str]] = []

    def pretend(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        run.append(command[-len(STAGES["unit"]) :])
        return subprocess.CompletedProcess(command, int(run[-1] == STAGES.get(failing or "")))

    monkeypatch.setattr(subprocess, "run", pretend)
    assert main() == (failing is not None)
    last = [*STAGES, None].index(failing) + 1
    assert run == [*STAGES.values()][:last]
