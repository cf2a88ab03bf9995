"""A Docker engine, the image and a shop's folder for the plays in test_image.py.

See docs/decisions/testing.md#end-to-end-tests-refuse-a-stale-image.
"""

import csv
import datetime
import json
import os
import random
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.engine import Container, Job, Server, docker, lacking

README = Path(__file__).resolve().parents[2] / "README.md"
CUSTOMERS = 300
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


@pytest.fixture(scope="session")
def image(root: Path) -> str:
    """The image's name. Whoever names it in ORDERGAP_IMAGE wants it tested, not skipped."""
    named = os.environ.get("ORDERGAP_IMAGE")
    image = named or "ordergap"
    if reason := lacking(image, root):
        (pytest.fail if named else pytest.skip)(reason)
    return image


@pytest.fixture(scope="session")
def slim(image: str, root: Path) -> str:
    """The name of the variant without PyTorch, which `make image VARIANT=slim` makes."""
    if reason := lacking(f"{image}:slim", root):
        pytest.skip(reason)
    return f"{image}:slim"


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(image: str) -> Run:
    """`docker run --rm IMAGE`, or one `named`, options before and words after; leaves nothing."""

    def run(
        *words: object,
        options: tuple[object, ...] = (),
        check: bool = True,
        named: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return docker("run", "--rm", *options, named or image, *words, check=check)

    return run


@pytest.fixture
def inspect(image: str) -> dict[str, Any]:
    """What the engine knows of the image."""
    known: dict[str, Any]
    (known,) = json.loads(docker("image", "inspect", image).stdout)
    return known


Start = Callable[..., Container]
Serve = Callable[..., Server]


@pytest.fixture
def start(image: str) -> Iterator[Start]:
    """`docker run --detach IMAGE` with options before and words after; removes what it started."""
    started: list[Container] = []

    def start(
        *words: object, options: tuple[object, ...] = (), named: str | None = None
    ) -> Container:
        done = docker("run", "--detach", *options, named or image, *words)
        started.append(Container(done.stdout.strip()))
        return started[-1]

    yield start
    for container in started:
        docker("rm", "--force", container.name)


@pytest.fixture
def serve(start: Start) -> Serve:
    """Starts a server and waits until its /ping is green."""

    def serve(
        *options: object, word: str = "serve", port: int = 8080, named: str | None = None
    ) -> Server:
        options = ("--publish", f"127.0.0.1::{port}", *options)
        container = start(word, options=options, named=named)
        address = docker("port", container.name, f"{port}/tcp", check=False).stdout.split("\n")[0]
        assert address, container.log()
        server = Server(container.name, int(address.rpartition(":")[2]))
        server.wait()
        return server

    return serve


@pytest.fixture(scope="session")
def shop(image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Online_Retail.csv, as people download it, trained by the documented command."""
    folder = tmp_path_factory.mktemp("shop")
    folder.chmod(0o777)
    write_orders(folder / "Online_Retail.csv")
    command = documented("train").replace("docker run", "docker run --rm")
    done = subprocess.run(  # noqa: S602  it is for a shell
        command.replace("sagemaker-training", image),
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "train.log").write_text(done.stdout)
    return folder


@pytest.fixture
def job(tmp_path: Path, shop: Path) -> Job:
    """A job on the shop's orders that takes seconds."""
    job = laid_out(tmp_path)
    shutil.copy(shop / "Online_Retail.csv", job.channel)
    return job


@pytest.fixture
def hosts(tmp_path: Path, shop: Path) -> dict[str, Job]:
    """The same for two hosts: each has every other customer's orders."""
    jobs = {name: laid_out(tmp_path / name) for name in ("algo-1", "algo-2")}
    with (shop / "Online_Retail.csv").open(encoding="latin-1", newline="") as file:
        header, *lines = csv.reader(file)
    for number, (name, job) in enumerate(jobs.items()):
        job.config("resourceconfig", {"current_host": name, "hosts": list(jobs)})
        with (job.channel / "orders.csv").open("w", encoding="latin-1", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(header)
            rows.writerows(line for line in lines if int(line[6] or 0) % 2 == number)
    return jobs


@pytest.fixture
def network() -> Iterator[str]:
    """A network of the engine that leads nowhere."""
    name = f"ordergap-{uuid.uuid4().hex[:8]}"
    docker("network", "create", "--internal", name)
    yield name
    docker("network", "rm", name, check=False)


def laid_out(root: Path) -> Job:
    """The platform's folders in `root`, with settings and no data."""
    (root / "input/config").mkdir(parents=True)
    for name in ("model", "output"):
        (root / name).mkdir()
        (root / name).chmod(0o777)
    job = Job(root)
    job.channel.mkdir(parents=True)
    job.config(
        "inputdataconfig", {"training": {"TrainingInputMode": "File", "ContentType": "text/csv"}}
    )
    (root / "input/config/resourceConfig.json").touch()
    job.say(num_round="20", sagemaker_region='"eu-west-1"')
    return job


def documented(word: str) -> str:
    """The README's `docker run` command with this word."""
    lines = [line.strip() for line in README.read_text().splitlines()]
    return next(
        x for x in lines if x.startswith("docker run") and f"sagemaker-training {word}" in x
    )


def write_orders(path: Path) -> None:
    """A year of a small shop: Latin-1, American dates, cancellations, postage, nameless rows."""
    draw = random.Random(7)  # noqa: S311
    start = datetime.datetime(2010, 12, 1, 8, 26)  # noqa: DTZ001
    with path.open("w", encoding="latin-1", newline="") as file:
        rows = csv.writer(file)
        file.write(f"{HEADER}\n")
        invoice = 536365
        for customer in range(12346, 12346 + CUSTOMERS):
            pace = draw.choice((9, 21, 45, 80))
            day = draw.uniform(0, 120)
            while day < 373:
                when = start + datetime.timedelta(days=day, minutes=draw.randrange(500))
                date = f"{when.month}/{when.day}/{when.year} {when.hour}:{when.minute:02}"
                number, invoice = invoice, invoice + 1
                for _ in range(draw.randrange(1, 4)):
                    code, price = draw.randrange(20000, 23000), draw.choice((0.85, 2.1, 4.95))
                    quantity = draw.randrange(1, 25)
                    line = [code, "CAFÉ SIGN £5", quantity, date, price]
                    rows.writerow([number, *line, customer, "United Kingdom"])
                if draw.random() < 0.05:
                    line[2] = -quantity
                    rows.writerow([f"C{number}", *line, customer, "United Kingdom"])
                rows.writerow([number, "POST", "POSTAGE", 1, date, 18, customer, "EIRE"])
                rows.writerow([number, code, "SIGN", 2, date, 3.5, "", "United Kingdom"])
                day += draw.expovariate(1 / pace) + 1


@pytest.fixture
def customer() -> str:
    """The customer in the README's curl command, as the body of a request."""
    return README.read_text().split(" -d '")[1].split("'")[0]
