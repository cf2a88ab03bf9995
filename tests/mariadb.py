"""A MariaDB server for tests of what reads from it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError

from local.ports import free_port
from tests.sources import do

START_SECONDS = 60


@contextmanager
def mariadb(password: str) -> Iterator[str]:
    """The URL of a server while the context lasts, as a user who may do everything.

    It runs as the user `mysql` where this user is root. Raises OSError where it is not installed
    or does not start.
    """
    install, server = map(shutil.which, ("mariadb-install-db", "mariadbd"))
    if not install or not server:
        raise OSError("MariaDB's server is not installed")
    user = "mysql" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ordergap-db-", ignore_cleanup_errors=True) as folder:
        data, log, start = (Path(folder) / name for name in ("data", "log", "start.sql"))
        start.write_text(
            f"CREATE USER shop IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO shop;\n",
            encoding="utf-8",
        )
        if user:
            shutil.chown(folder, user, user)
        as_user: dict[str, Any] = {
            "cwd": folder,
            "user": user,
            "group": user,
            "extra_groups": [] if user else None,
        }
        made = subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", "--skip-test-db"],
            check=False, capture_output=True, text=True, **as_user,
        )  # fmt: skip
        if made.returncode:
            raise OSError(f"mariadb-install-db failed: {(made.stderr or made.stdout)[-500:]}")
        port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    server, "--no-defaults", f"--datadir={data}", f"--socket={folder}/socket",
                    f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve",
                    f"--init-file={start}", "--innodb-flush-log-at-trx-commit=0",
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **as_user,
            )  # fmt: skip
        try:
            url = f"mysql+pymysql://shop:{quote(password, safe='')}@127.0.0.1:{port}/"
            _wait(url, process, log)
            yield url
        finally:
            process.send_signal(signal.SIGKILL)  # nothing of it is wanted
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            do(url, "SELECT 1")
        except (DBAPIError, sql.exc.OperationalError):
            time.sleep(0.05)
        else:
            return
    raise OSError(f"MariaDB did not start: {log.read_text(errors='replace').strip()[-500:]}")
