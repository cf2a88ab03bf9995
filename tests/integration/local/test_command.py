"""python -m local run, as a user types it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.runners import ROOT
from tests.shop import shop, write_csv

pytestmark = pytest.mark.xdist_group("embedded-aws")


def processes_that_mention(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:  # it has ended, or is somebody else's
            continue
        if str(folder).encode() in words and int(process.name) != os.getpid():
            found.append(words.decode(errors="replace"))
    return found


def test_what_is_kept_answers_and_ctrl_c_puts_everything_away(zips: None, tmp_path: Path):
    # Named otherwise than by default: the names must come from the options.
    orders = write_csv(shop(60, seed=1), tmp_path / "orders.csv")
    text = orders.read_text(encoding="utf-8").replace("CustomerID", "Client")
    orders.write_text(text, encoding="utf-8")
    temporary, output = tmp_path / "temporary", tmp_path / "out"
    temporary.mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest", "popen", "test")):
            folder.chmod(0o755)  # the database server may have a user of its own
    words = ["--data", orders, "--customer-column", "Client", "--market", "uk", "--keep"]
    running = subprocess.Popen(
        [sys.executable, "-m", "local", "run", "--trainer=naive", "--output", output, *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "AWS_PROFILE": "of somebody else"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = ""
        for line in running.stdout:
            said += line
            if "python -m local due" in line:
                break
        assert "python -m local due" in said, said
        command = re.search(r"python -m local (due .*?)  #", said)[1].split()
        exports = dict(re.findall(r"^export (\S+)=(\S+)$", said, re.MULTILINE))
        due = subprocess.run(
            [sys.executable, "-m", "local", *command],
            cwd=ROOT,
            env={**os.environ, **exports},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "customers of uk are due in" in due.stdout
        assert "60 customers extracted = 60 scored = 60 written" in said
        assert (output / "report.html").is_file()
        assert processes_that_mention(temporary)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
    assert list(temporary.iterdir()) == []
    assert processes_that_mention(temporary) == []
    assert [log.name for log in sorted((output / "logs").iterdir()) if "extract" in log.name]
