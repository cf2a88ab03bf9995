"""What the documents say, held against what is there."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from ordergap.contract.prediction import Prediction, ScoringRecord

from tests.contract import table

DOCUMENTS = ("README.md", "DESIGN.md", "CHANGELOG.md")


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[str]:
    """Every file of the repository, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (root / name).is_file()]


@pytest.fixture(scope="module")
def targets(root: Path) -> set[str]:
    listed = subprocess.run(["make"], cwd=root, capture_output=True, text=True, check=True).stdout
    return {line.split("\t")[0] for line in listed.splitlines() if "\t" in line}


def test_make_lists_every_target_it_has(root: Path, targets: set[str]) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert targets == set(phony.split()) - {"help"}


@pytest.mark.parametrize("name", [*DOCUMENTS, ".ci/run", ".github/workflows/ci.yml"])
def test_a_make_command_in_the_documents_exists(root: Path, targets: set[str], name: str) -> None:
    text = (root / name).read_text()
    calls = re.findall(r"(?:^\s*|`|run: |\$ )make ((?:[a-z0-9]+\b(?!=) ?)+)", text, re.MULTILINE)
    assert {word for call in calls for word in call.split()} <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_in_the_documents_has_a_target(root: Path, name: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", (root / name).read_text())
    assert not [link for link in links if not (root / link).exists()]


def test_the_table_of_the_contract_lists_the_points_that_tests_name() -> None:
    rows = [
        line.strip("| ").split(" | ")
        for line in table.PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and line[2].isdigit()
    ]
    assert [(int(row[0]), row[1], row[2]) for row in rows] == table.points()
    assert {row[4] for row in rows if row[1] != "nice"} == {"yes"}


def test_the_examples_of_the_readme_fit_the_contract(root: Path) -> None:
    readme = (root / "README.md").read_text()
    (answer,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    assert set(json.loads(answer)) == set(Prediction.model_validate_json(answer).model_dump())
    (request,) = re.findall(r"curl .* -d '(.*?)'", readme, re.DOTALL)
    assert ScoringRecord.model_validate_json(request).as_of


def test_the_readme_lists_every_folder_of_the_repository(root: Path, tracked: list[str]) -> None:
    readme = (root / "README.md").read_text()
    top = {name.split("/")[0] for name in tracked if "/" in name}
    assert not [name for name in sorted(top) if f"{name}/" not in readme]


def test_the_text_names_no_machine_and_no_issue(root: Path, tracked: list[str]) -> None:
    machine = r"(?<![\w.~}-])/(?:work|root|home|Users|opt/wheels|opt/pypi)/"
    numbered = r"\b(?:issue|session|ticket)s? #?\d"
    for name in tracked:
        text = (root / name).read_bytes().decode("utf-8", "ignore")
        found = re.search(f"{machine}|{numbered}", text, re.IGNORECASE)
        assert name == "tests/architecture/test_documents.py" or not found, (name, found)


@pytest.mark.parametrize("name", ["entrypoint.sh", ".ci/install", ".ci/run"])
def test_a_script_is_executable(root: Path, name: str) -> None:
    assert os.access(root / name, os.X_OK)
    assert (root / name).read_bytes().startswith(b"#!")
