"""What the image promises, as far as its recipe tells; tests/e2e asks the image itself."""

import re
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def recipe(root: Path) -> str:
    return (root / "Dockerfile").read_text()


def said(recipe: str, word: str) -> list[str]:
    return re.findall(rf"^{word}\s+(.*)$", recipe, re.MULTILINE)


@pytest.mark.point(1)
@pytest.mark.point(2)
@pytest.mark.point(3)
def test_the_entry_point_is_in_exec_form_and_becomes_our_process(root: Path, recipe: str) -> None:
    assert said(recipe, "ENTRYPOINT") == ['["/opt/ordergap/entrypoint.sh"]']
    assert said(recipe, "CMD") == ['["train"]']
    last = (root / "entrypoint.sh").read_text().splitlines()[-1]
    assert last == 'exec python -m ordergap "$@"'


@pytest.mark.point(5)
def test_nothing_that_is_needed_lies_under_opt_ml(recipe: str) -> None:
    assert said(recipe, "WORKDIR") == ["/opt/ordergap", "/tmp"]  # noqa: S108
    assert "/opt/ml" not in recipe


@pytest.mark.point(6)
@pytest.mark.point(7)
def test_the_image_names_no_user_and_all_may_read_its_code(recipe: str) -> None:
    assert not said(recipe, "USER")
    assert "chmod -R a+rX ." in recipe


@pytest.mark.point(8)
@pytest.mark.point(9)
@pytest.mark.point(27)
def test_training_knows_no_network_but_its_other_hosts_and_no_installer(root: Path) -> None:
    modules = {path for path in (root / "container").rglob("*.py") if "serving" not in path.parts}
    modules.remove(
        root / "container/ordergap/hosts/rendezvous.py"
    )  # where several hosts find one another
    words = r"\b(import (urllib|http|requests|pip)|gethost\w*|getaddrinfo|create_connection)"
    for path in modules:
        assert not re.search(words, path.read_text()), path
        assert "/etc/host" not in path.read_text(), path


@pytest.mark.point(10)
def test_what_is_installed_is_a_small_part_of_ten_gigabytes(root: Path) -> None:
    lines = (root / "requirements.txt").read_text().splitlines()
    pins = [Requirement(line.rstrip("\\")) for line in lines if re.match(r"[\w.-]+==", line)]
    sizes = {}
    for pin in pins:
        if pin.marker and not pin.marker.evaluate():
            continue
        paths = [Path(str(file.locate())) for file in files(pin.name) or []]
        sizes[pin.name] = sum(path.stat().st_size for path in paths if path.is_file())
    assert len(sizes) > 10
    assert sum(sizes.values()) < 3e9


@pytest.mark.point(11)
def test_the_labels_say_that_the_port_may_be_chosen_and_no_more(recipe: str) -> None:
    assert re.findall(r"com\.amazonaws\.sagemaker\.capabilities\.([\w-]+=\w+)", recipe) == [
        "accept-bind-to-port=true"
    ]


@pytest.mark.point(12)
def test_no_driver_is_installed(recipe: str) -> None:
    assert not re.search(r"nvidia-driver|cuda-drivers|libcuda", recipe)


@pytest.mark.point(13)
def test_output_is_not_held_back(recipe: str) -> None:
    assert "PYTHONUNBUFFERED=1" in recipe


@pytest.mark.point(4)
@pytest.mark.parametrize("words", [[], ["trian"]])
def test_no_or_an_unknown_command_is_a_line_of_usage(root: Path, words: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ordergap", *words],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: ordergap {train,serve")
    assert ended.stderr.count("\n") == 1
