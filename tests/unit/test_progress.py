"""Progress is the log: shown once, where the caller's own logging does not show it.

Each case is an interpreter of its own, because pytest sets up logging.
"""

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ordergap.progress import progress

CALL = """
import logging, sys
from ordergap.progress import progress
log = logging.getLogger("ordergap")

def call(quiet=False):
    with progress(quiet=quiet):
        log.info("step")
        log.warning("warning")

def untouched():
    return not log.handlers and not log.filters and not log.level and log.propagate
"""


def run(root: Path, script: str) -> tuple[str, str]:
    """What an interpreter that has set up nothing writes to stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", CALL + script],
        cwd=root / "container",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


BOTH = "step\nwarning\n"


@pytest.mark.parametrize(
    ("script", "stdout", "stderr"),
    [
        ("call()", BOTH, ""),
        ("call(); call()", 2 * BOTH, ""),
        ("call(quiet=True)", "", ""),
        ("call(); log.warning('after')", BOTH, "after\n"),
        ("logging.basicConfig(level='INFO', format='%(message)s'); call()", "", BOTH),
        ("logging.basicConfig(format='%(message)s'); call()", "step\n", "warning\n"),
        ("logging.basicConfig(level='INFO'); call(quiet=True)", "", ""),
        ("log.addHandler(logging.NullHandler()); call()", "", ""),
        ("log.setLevel('ERROR'); call()", "", ""),
        ("log.addHandler(logging.StreamHandler()); log.setLevel('INFO'); call()", "", BOTH),
        ("logging.basicConfig(format='%(message)s'); log.setLevel('INFO'); call()", "", BOTH),
    ],
)
def test_every_line_is_shown_once_where_the_caller_looks(
    root: Path, script: str, stdout: str, stderr: str
) -> None:
    assert run(root, script) == (stdout, stderr)


@pytest.mark.parametrize("quiet", [True, False])
def test_logging_is_as_before_whatever_happens(root: Path, quiet: bool) -> None:
    script = f"""
def fails():
    with progress(quiet={quiet}):
        assert not untouched()
        with progress(quiet={quiet}):
            raise KeyError
try:
    fails()
except KeyError:
    print(untouched())
log.propagate = False
call(quiet={quiet})
print(log.propagate, log.handlers)
"""
    assert run(root, script)[0].replace(BOTH, "") == "True\nFalse []\n"


def test_progress_goes_where_stdout_is_now(root: Path) -> None:
    script = """
import contextlib, io
call()
with contextlib.redirect_stdout(io.StringIO()) as cell:
    call()
print("cell", cell.getvalue().split())
"""
    assert run(root, script)[0] == f"{BOTH}cell ['step', 'warning']\n"


def test_a_quiet_call_does_not_silence_another_thread(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ordergap")
    log = logging.getLogger("ordergap")
    with progress(quiet=True):
        log.warning("here")
        other = threading.Thread(target=log.warning, args=("there",))
        other.start()
        other.join()
    assert caplog.messages == ["there"]
