"""What the documents say, checked against what is there."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordergap.contract.prediction import ScoringRecord
from ordergap.contract.tasks import TASKS, prediction_model

from docs.generate import pages, regenerate
from docs.links import LINK, anchors, links, prose
from tests.contract import table

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = re.compile(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?")


def repository() -> list[str]:
    """Every file of the repository, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


TRACKED = repository()
DOCUMENTS = [name for name in TRACKED if name.endswith(".md")]


@pytest.fixture(scope="module")
def targets() -> set[str]:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {line.split("\t")[0] for line in listed.splitlines() if "\t" in line}


def missing(page: Path, targets: Iterator[str]) -> Iterator[str]:
    """The targets that lead to no file, or to no heading of one."""
    for target in targets:
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        is_page = found.suffix == ".md" and found.is_file()
        if not found.exists() or (anchor and not (is_page and anchor in anchors(_text(found)))):
            yield target


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_make_lists_every_target_it_has(targets: set[str]) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", _text(ROOT / "Makefile"), re.MULTILINE)
    assert targets == set(phony.split()) - {"help"}


def calls(name: str) -> set[str]:
    """The targets of every `make` command in a file; in a page, of those in code."""
    text = _text(ROOT / name)
    if name.endswith(".md"):
        outside = dict(prose(text))
        code = [line for n, line in enumerate(text.splitlines(), 1) if n not in outside]
        text = "\n".join([*code, *re.findall(r"`([^`]+)`", "\n".join(outside.values()))])
    commands = re.findall(r"(?:^\s*|run: )make ((?:[a-z0-9-]+\b(?!=) ?)+)", text, re.MULTILINE)
    return {word for command in commands for word in command.split()}


def test_a_make_command_in_the_documents_exists(targets: set[str]) -> None:
    for name in (*DOCUMENTS, ".ci/run", ".github/workflows/ci.yml"):
        assert calls(name) <= targets, name


def test_a_link_leads_to_a_file_and_a_heading() -> None:
    for name in DOCUMENTS:
        assert not list(missing(ROOT / name, links(_text(ROOT / name)))), name


def test_headings_of_a_page_differ() -> None:
    for name in DOCUMENTS:
        found = anchors(_text(ROOT / name))
        allowed = {"added", "changed", "removed"} if name == "CHANGELOG.md" else set()
        assert not [each for each in {*found} - allowed if found.count(each) > 1], name


def test_a_reference_in_the_code_leads_to_a_record() -> None:
    for name in TRACKED:
        if name.endswith((".py", ".yaml", ".toml", ".sh", "Makefile", "Dockerfile")):
            found = REFERENCE.findall(_text(ROOT / name))
            assert not list(missing(ROOT / "README.md", iter(found))), name


def test_prose_is_at_most_100_characters_wide() -> None:
    for name in DOCUMENTS:
        for number, line in prose(_text(ROOT / name)):
            width = len(LINK.sub(r"\1", line))
            assert line.startswith("|") or width <= 100, f"{name}:{number} is {width} wide"


def test_generated_parts_are_what_the_code_says() -> None:
    stale = [str(page) for page in pages() if _text(page) != regenerate(_text(page))]
    assert not stale, "make docs, or python -m docs.generate"


def test_the_table_of_the_contract_lists_the_points_that_tests_name() -> None:
    rows = [
        line.strip("| ").split(" | ")
        for line in _text(table.PAGE).splitlines()
        if line.startswith("| ") and line[2].isdigit()
    ]
    assert [(int(row[0]), row[1], row[2]) for row in rows] == table.points()
    assert {row[4] for row in rows if row[1] != "nice"} == {"yes"}


def test_the_examples_of_the_readme_are_what_the_contract_says() -> None:
    readme = _text(ROOT / "README.md")
    (answer,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    prediction = prediction_model(TASKS).model_validate_json(answer)
    assert set(json.loads(answer)) == set(prediction.model_dump())
    (request,) = re.findall(r"curl .* -d '(.*?)'", readme, re.DOTALL)
    assert ScoringRecord.model_validate_json(request).as_of


def test_the_map_of_the_repository_has_every_folder() -> None:
    readme = _text(ROOT / "README.md")
    folders = {name.split("/")[0] for name in TRACKED if "/" in name}
    assert not [name for name in sorted(folders) if f"`{name}/`" not in readme]


def test_the_readme_is_short() -> None:
    assert len(_text(ROOT / "README.md").splitlines()) <= 150


def test_the_text_speaks_of_the_project_alone() -> None:
    machine = r"(?<![\w.~}-])/(?:work|root|home|Users|opt/wheels|opt/pypi)/"
    numbered = r"\b(?:issue|session|ticket)s? #?\d"
    for name in TRACKED:
        text = (ROOT / name).read_bytes().decode("utf-8", "ignore")
        found = re.search(f"{machine}|{numbered}", text, re.IGNORECASE)
        assert name == "tests/architecture/test_documents.py" or not found, (name, found)


@pytest.mark.parametrize("name", ["entrypoint.sh", ".ci/install", ".ci/run"])
def test_a_script_can_be_run(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    assert (ROOT / name).read_bytes().startswith(b"#!")
