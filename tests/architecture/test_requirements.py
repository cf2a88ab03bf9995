"""The lists of packages: exact, with hashes, complete, licensed, and what the code imports.

pyproject.toml names what is needed; requirements*.txt pin it, with all that it needs.
"""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

VARIANTS = ("requirements.txt", "requirements-slim.txt", "requirements-cuda.txt")
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "MIT", "PSF-2.0"),
    *("Zlib", "LLVM-exception"),
    *("Apache Software License", "BSD License", "MIT License"),  # as older packages say it
}
NOTED = {"MPL-2.0": "asks for the source of its own files alone: orjson, unchanged, is on PyPI"}


def by_name(lines: list[str]) -> dict[str, Requirement]:
    """The requirements that hold on this machine, by their package's name."""
    needs = map(Requirement, lines)
    return {
        canonicalize_name(need.name): need
        for need in needs
        if need.marker is None or need.marker.evaluate({"extra": ""})
    }


def pins(path: Path) -> dict[str, Requirement]:
    """The requirements of one file by their package's name."""
    lines = [line.split("#")[0].strip(" \\") for line in path.read_text().splitlines()]
    return by_name([line for line in lines if line and not line.startswith("-")])


def hashes(path: Path) -> dict[str, set[str]]:
    """The hashes of one file by their package's name."""
    whole = path.read_text().replace("\\\n", " ")
    lines = re.findall(r"^([\w.-]+)(?:\[.*\])?==(.*)$", whole, re.MULTILINE)
    return {name: set(re.findall(r"sha256:([0-9a-f]{64})\b", rest)) for name, rest in lines}


@pytest.fixture(scope="module")
def runtime(root: Path) -> dict[str, Requirement]:
    return pins(root / "requirements.txt")


@pytest.fixture(scope="module")
def slim(root: Path) -> dict[str, Requirement]:
    return pins(root / "requirements-slim.txt")


@pytest.fixture(scope="module")
def everything(root: Path, runtime: dict[str, Requirement]) -> dict[str, Requirement]:
    return runtime | pins(root / "requirements-dev.txt")


def test_two_lists_that_name_a_package_pin_the_same_version(root: Path) -> None:
    seen: dict[str, set[str]] = {}
    for path in root.rglob("requirements*.txt"):
        # MLflow, the SDK, the tools and the runtime of a Lambda have environments of their own.
        name = str(path.relative_to(root))
        own = r"\.venv|dist|requirements-(mlflow|sagemaker|tools)|lambdas/\w+/requirements-run"
        if not re.match(own, name):
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


@pytest.mark.parametrize("which", ["slim", "runtime", "everything"])
def test_what_a_pinned_package_needs_is_pinned_too(
    which: str, request: pytest.FixtureRequest
) -> None:
    pinned = request.getfixturevalue(which)
    lines = [line for name in pinned for line in importlib.metadata.requires(name) or []]
    assert by_name(lines).keys() <= set(pinned)


@pytest.mark.parametrize("name", [*VARIANTS, "requirements-dev.txt", "requirements-docs.txt"])
def test_every_package_has_hashes(root: Path, name: str) -> None:
    found = hashes(root / name)
    assert set(found) >= set(pins(root / name))
    assert all(found.values())


def test_the_variants_differ_in_pytorch_and_cuda_alone(
    root: Path, runtime: dict[str, Requirement], slim: dict[str, Requirement]
) -> None:
    assert slim.items() < runtime.items()
    assert "torch" not in slim
    cuda = pins(root / "requirements-cuda.txt")
    assert set(runtime) - set(cuda) == {"xgboost-cpu"}
    for name in set(cuda) - set(runtime):
        assert name in {"triton", "xgboost"} or name.startswith(("cuda-", "nvidia-"))


@pytest.mark.parametrize(
    ("name", "extras", "replaced"),
    [
        ("requirements-slim.txt", ["serve"], {}),
        ("requirements.txt", ["serve", "lstm"], {}),
        ("requirements-cuda.txt", ["serve", "lstm"], {"xgboost-cpu": "xgboost"}),
    ],
)
def test_the_image_has_what_the_package_asks_for(
    root: Path, name: str, extras: list[str], replaced: dict[str, str]
) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    optional = [line for extra in extras for line in project["optional-dependencies"][extra]]
    pinned = pins(root / name)
    for asked, need in by_name([*project["dependencies"], *optional]).items():
        (exact,) = pinned[replaced.get(asked, asked)].specifier
        assert need.specifier.contains(exact.version), f"{need}: make lock"


@pytest.mark.parametrize("group", ["dev", "docs"])
def test_what_a_group_needs_is_pinned(root: Path, group: str) -> None:
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    pinned = pins(root / f"requirements-{group}.txt")
    assert by_name(groups[group]).keys() <= pinned.keys(), "make lock"


def test_what_the_lambdas_need_is_pinned_for_the_tests_too(root: Path) -> None:
    pinned = pins(root / "requirements-dev.txt")
    for path in (root / "lambdas").rglob("requirements.txt"):
        assert pins(path).items() <= pinned.items(), "make lock"


def test_versions_for_the_runtime_alone_are_older_ones_that_the_package_allows(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    allowed, used = by_name(project["dependencies"]), pins(root / "requirements.txt")
    for path in (root / "lambdas").rglob("requirements-runtime.txt"):
        for name, pin in pins(path).items():
            (older,), (newer,) = pin.specifier, used[name].specifier
            assert Version(older.version) < Version(newer.version)
            assert allowed[name].specifier.contains(older.version)


def test_xgboost_is_of_one_version_whatever_its_build(root: Path) -> None:
    lines = "".join((root / name).read_text() for name in VARIANTS)
    assert len(set(re.findall(r"^xgboost(?:-cpu)?==(\S+)", lines, re.MULTILINE))) == 1


def test_pytorch_for_the_cpu_and_that_for_cuda_do_not_share_a_hash(root: Path) -> None:
    cpu = hashes(root / "requirements.txt")["torch"]
    assert cpu == hashes(root / "requirements-torch.in")["torch"]
    shared = cpu & hashes(root / "requirements-cuda.txt")["torch"]
    assert len(shared) == 1, "the build for macOS, which has no CUDA"


def test_the_licence_of_every_package_of_the_image_is_known_and_permissive(
    runtime: dict[str, Requirement],
) -> None:
    for name in runtime:
        about = importlib.metadata.metadata(name)
        (licence,) = about.get_all("License-Expression") or [""]
        terms = set(re.split(r" AND | OR | WITH |[()]", licence))
        if terms == {""}:
            kinds = (kind.split(" :: ") for kind in about.get_all("Classifier") or [])
            terms = {kind[-1] for kind in kinds if kind[0] == "License"}
            terms = terms or {*(about.get_all("License") or [])}
        assert terms, name
        assert terms - {""} <= PERMISSIVE | set(NOTED), name


def test_the_image_has_what_its_code_imports_and_not_what_slows_it(
    root: Path, runtime: dict[str, Requirement]
) -> None:
    owners = importlib.metadata.packages_distributions()
    for path in (root / "container").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for top in {name.split(".")[0] for name in names}:
                if top == "pandas" and path.name == "frames.py":
                    continue  # only to build a frame for somebody who has pandas
                if top not in {"ordergap", *sys.stdlib_module_names}:
                    assert {canonicalize_name(owner) for owner in owners[top]} & set(runtime), top
    assert not {"pandas", "pyarrow", "boto3"} & set(runtime)


def test_base_image_and_actions_are_pinned_by_digest(root: Path) -> None:
    recipe = (root / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=python:[\w.-]+@sha256:[0-9a-f]{64}$", recipe, re.MULTILINE)
    assert {base.split()[0] for base in re.findall(r"^FROM (.+)$", recipe, re.MULTILINE)} == {
        "$BASE"
    }
    for path in (root / ".github").rglob("*.yml"):
        used = re.findall(r"uses: (.+)$", path.read_text(), re.MULTILINE)
        assert used
        for action in used:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
