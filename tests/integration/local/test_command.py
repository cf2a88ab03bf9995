"""python -m local run, as a process."""

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


def processes_mentioning(folder: Path) -> list[str]:
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            content = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:  # it has ended, or belongs to another user
            continue
        if str(folder).encode() in content and int(process.name) != os.getpid():
            processes.append(content.decode(errors="replace"))
    return processes


def test_a_kept_aws_can_be_used_and_ctrl_c_removes_everything(zips: None, tmp_path: Path):
    # Not the default names: they must come from the options.
    orders = write_csv(shop(60, seed=1), tmp_path / "orders.csv")
    text = orders.read_text(encoding="utf-8").replace("CustomerID", "Client")
    orders.write_text(text, encoding="utf-8")
    temporary, output = tmp_path / "temporary", tmp_path / "out"
    temporary.mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest", "popen", "test")):
            folder.chmod(0o755)  # the database server may have a user of its own
    options = ["--data", str(orders), "--customer-column", "Client", "--market", "uk", "--keep"]
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "local",
            "run",
            "--trainer=naive",
            "--output",
            str(output),
            *options,
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "AWS_PROFILE": "another"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout
    try:
        text = ""
        for line in running.stdout:
            text += line
            if "python -m local due" in line:
                break
        assert "python -m local due" in text, text
        named = re.search(r"python -m local (due .*?)  #", text)
        assert named
        command = named[1].split()
        exports = dict(re.findall(r"^export (\S+)=(\S+)$", text, re.MULTILINE))
        due = subprocess.run(
            [sys.executable, "-m", "local", *command],
            cwd=ROOT,
            env={**os.environ, **exports},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "20 customers of uk." in due.stdout
        assert "customers are expected to order" in text
        assert "Contact first:" in text
        assert "60 customers extracted = 60 scored = 60 written" in text
        assert (output / "report.html").is_file()
        assert processes_mentioning(temporary)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
    assert list(temporary.iterdir()) == []
    assert processes_mentioning(temporary) == []
    assert [log.name for log in sorted((output / "logs").iterdir()) if "extract" in log.name]
