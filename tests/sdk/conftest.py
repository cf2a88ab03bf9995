"""A shop and a folder for both versions of the SageMaker SDK.

These tests run in the SDK's own environments (`make e2e-sdk`), not in the one of the other tests.
"""

import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests

ROOT = Path(__file__).resolve().parents[2]
# A dependency of the SDK installs a package of this name, which would hide ours.
if str(ROOT / "tests") not in tests.__path__:
    tests.__path__.insert(0, str(ROOT / "tests"))

from tests.e2e.conftest import write_orders  # noqa: E402
from tests.e2e.engine import docker, lacking  # noqa: E402

NO_TELEMETRY = """
SchemaVersion: "1.0"
SageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}
"""


@pytest.fixture(scope="session")
def image() -> str:
    """The image's name. Whoever names it in ORDERGAP_IMAGE wants it tested, not skipped."""
    named = os.environ.get("ORDERGAP_IMAGE")
    image = named or "ordergap"
    if reason := lacking(image, ROOT):
        (pytest.fail if named else pytest.skip)(reason)
    return image


@pytest.fixture(scope="session", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where everything is; no account, no telemetry. Containers started from here are removed."""
    # docker-compose names a project after its folder, so this name must be one of its own.
    folder = Path(tempfile.mkdtemp(prefix="ordergap-", dir=tmp_path_factory.getbasetemp()))
    config = folder / "sdk.yaml"
    config.write_text(NO_TELEMETRY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_USER_CONFIG_OVERRIDE", str(config))
        patch.setenv("SAGEMAKER_ADMIN_CONFIG_OVERRIDE", str(config))
        patch.setenv("AWS_ACCESS_KEY_ID", "none")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield folder
    label = "com.docker.compose.project.working_dir"
    form = f'{{{{.ID}}}} {{{{.Label "{label}"}}}}'
    found = docker("ps", "--all", "--filter", f"label={label}", "--format", form)
    for line in found.stdout.splitlines():
        name, _, place = line.partition(" ")
        if Path(place).is_relative_to(folder):
            docker("rm", "--force", name, check=False)


@pytest.fixture(scope="session")
def shop(folder: Path) -> Path:
    """A channel's folder with a year of order lines."""
    channel = folder / "shop"
    channel.mkdir()
    write_orders(channel / "Online_Retail.csv")
    return channel


@pytest.fixture(scope="session")
def records(folder: Path) -> Path:
    """A folder with a JSON Lines file of 40 customers, a customer a line, not in order."""
    draw = random.Random(3)  # noqa: S311
    path = folder / "customers/some.jsonl"
    path.parent.mkdir()
    with path.open("w", encoding="utf-8") as file:
        for i in range(40):
            days = [f"2011-{month:02}-{draw.randrange(1, 28):02}" for month in range(4, 11)]
            orders = [{"date": day, "amount": 9.5} for day in days]
            record = {"customer_id": f"é{i * 7 % 40}", "orders": orders[: draw.randrange(1, 8)]}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path.parent
