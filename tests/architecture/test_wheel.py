"""What `pip install` brings: all of the package, nothing else, and it works."""

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from ordergap import __version__

from tests.shop import shop, write_csv


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as pip does it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=root, capture_output=True, check=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return message_from_bytes((wheel / f"ordergap-{__version__}.dist-info/METADATA").read_bytes())


def test_the_wheel_has_every_file_of_the_package_and_no_other(root: Path, wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "ordergap"],
        cwd=root / "container",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    package = {name for name in listed if (root / "container" / name).is_file()}
    found = {str(path.relative_to(wheel)) for path in wheel.rglob("*") if path.is_file()}
    assert {name for name in found if ".dist-info/" not in name} == package
    assert "ordergap/py.typed" in package
    assert {Path(name).suffix for name in package} >= {".css", ".js", ".json"}


def test_the_metadata_are_those_of_the_project(wheel: Path, metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    assert metadata.get_all("Provides-Extra") == ["lstm", "serve"]
    assert str(metadata.get_payload()).startswith("# Ordergap")
    scripts = (wheel / f"ordergap-{__version__}.dist-info/entry_points.txt").read_text()
    assert "ordergap = ordergap.cli.main:run" in scripts


def test_what_is_installed_trains_and_predicts(wheel: Path, tmp_path: Path) -> None:
    write_csv(shop(customers=80), tmp_path / "orders.csv")

    def ordergap(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "ordergap", *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(wheel), "PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert ordergap("--version") == f"ordergap {__version__}\n"
    ordergap("train", "--file_path", "orders.csv", "--num_round", "5")
    assert "<style>" in (tmp_path / "SageMaker_Training/report.html").read_text(encoding="utf-8")
    ordergap("predict", "--file_path", "orders.csv")
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 1 + 80
