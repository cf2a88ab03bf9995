"""A model that a job has trained, and servers of it."""

import csv
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ordergap.artifacts import Bundle

from tests.served import HEADER, Server, command, order_lines, scoring_records

Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def opt_ml(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/ml after a training job."""
    place = tmp_path_factory.mktemp("opt_ml")
    channel, config = place / "input/data/training", place / "input/config"
    channel.mkdir(parents=True)
    config.mkdir()
    with (channel / "orders.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *order_lines(150)])
    (config / "hyperparameters.json").write_text('{"num_round": "30"}')
    job = command("train", "--opt_ml", place)
    done = subprocess.run(**job, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="session")
def bundle(opt_ml: Path) -> Bundle:
    return Bundle.load(opt_ml / "model")


@pytest.fixture(scope="module")
def serve(root: Path) -> Iterator[Serve]:
    started = []

    def serve(opt_ml: Path, **environment: object) -> Server:
        started.append(Server.start(root, opt_ml, **environment))
        return started[-1]

    yield serve
    for server in started:
        server.kill()


@pytest.fixture(scope="module")
def server(serve: Serve, opt_ml: Path) -> Server:
    """One server for the tests that only ask."""
    running = serve(opt_ml)
    running.wait_for_ping()
    return running


@pytest.fixture(scope="session")
def records() -> list[dict[str, Any]]:
    """The customers of the file, as scoring records."""
    return scoring_records(40)
