"""The lists of packages: exact, complete, and what the code imports."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins(path: Path) -> dict[str, Requirement]:
    """The requirements of one file by their package's name."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(each.name): each for each in found}


@pytest.fixture(scope="module")
def runtime(root: Path) -> dict[str, Requirement]:
    return pins(root / "requirements.txt")


@pytest.fixture(scope="module")
def everything(root: Path, runtime: dict[str, Requirement]) -> dict[str, Requirement]:
    lists = [root / "requirements-dev.txt", *(root / "lambdas").rglob("requirements.txt")]
    return runtime | {name: pin for path in lists for name, pin in pins(path).items()}


def test_two_lists_that_name_a_package_pin_the_same_version(root: Path) -> None:
    seen: dict[str, set[str]] = {}
    for path in root.rglob("requirements*.txt"):
        if not {".venv", "node_modules"} & set(path.relative_to(root).parts):
            for name, pin in pins(path).items():
                seen.setdefault(name, set()).add(str(pin.specifier))
    assert not {name: versions for name, versions in seen.items() if len(versions) > 1}


def test_every_requirement_is_pinned_to_one_version(everything: dict[str, Requirement]) -> None:
    assert not [
        str(each)
        for each in everything.values()
        if not re.fullmatch(r"==[^,*]+", str(each.specifier))
    ]


def test_the_pins_are_what_is_installed(everything: dict[str, Requirement]) -> None:
    assert not {
        name: importlib.metadata.version(name)
        for name, pin in everything.items()
        if not pin.specifier.contains(importlib.metadata.version(name))
    }


@pytest.mark.parametrize("which", ["runtime", "everything"])
def test_what_a_pinned_package_needs_is_pinned_too(
    which: str, request: pytest.FixtureRequest
) -> None:
    pinned = request.getfixturevalue(which)
    needed = {
        canonicalize_name(need.name)
        for name in pinned
        for need in map(Requirement, importlib.metadata.requires(name) or [])
        if need.marker is None or need.marker.evaluate({"extra": ""})
    }
    assert needed <= set(pinned)


def test_the_image_has_what_its_code_imports_and_not_what_slows_it(
    root: Path, runtime: dict[str, Requirement]
) -> None:
    owners = importlib.metadata.packages_distributions()
    for path in (root / "container").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for top in {name.split(".")[0] for name in names}:
                if top not in {"container", *sys.stdlib_module_names}:
                    assert {canonicalize_name(owner) for owner in owners[top]} & set(runtime), top
    assert not {"pandas", "pyarrow", "boto3"} & set(runtime)
