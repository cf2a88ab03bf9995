"""A PostgreSQL server of one's own, in a temporary folder, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

USER, PASSWORD = "shop", "se/cr:et@1"


class NoPostgres(Exception):
    """There is no server to start here; says why."""


@contextmanager
def serve() -> Iterator[str]:
    """The URL of an empty database that asks for a password; gone when the block ends.

    The server refuses to run as root, so root becomes the user `postgres`. Raises NoPostgres.
    """
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, reversed(places))])
    initdb, pg_ctl = (shutil.which(program, path=path) for program in ("initdb", "pg_ctl"))
    if not initdb or not pg_ctl:
        raise NoPostgres("PostgreSQL's server (initdb, pg_ctl) is not installed")
    become: list[str] = []
    if os.geteuid() == 0:
        become = ["runuser", "-u", "postgres", "--"]
        if subprocess.run([*become, "true"], capture_output=True, check=False).returncode:
            raise NoPostgres("as root, PostgreSQL needs a user postgres and the program runuser")
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder = Path(name)
        if become:
            shutil.chown(folder, "postgres")
        data, secret = folder / "data", folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        run = [initdb, "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", secret]
        _do(become, [*run, "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8"])
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        _do(become, [pg_ctl, "-D", data, "-w", "-o", options, "-l", folder / "log", "start"])
        try:
            yield f"postgresql+pg8000://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        finally:
            _do(become, [pg_ctl, "-D", data, "-m", "immediate", "-w", "stop"])


def _do(become: list[str], command: list[object]) -> None:
    subprocess.run(
        [*become, *map(str, command)],
        cwd="/",
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
