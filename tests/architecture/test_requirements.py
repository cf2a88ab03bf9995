"""The lists of packages: exact, with hashes, complete, licensed, and what the code imports."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

VARIANTS = ("requirements.txt", "requirements-slim.txt", "requirements-cuda.txt")
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "MIT", "PSF-2.0"),
    *("Zlib", "LLVM-exception"),
    *("Apache Software License", "BSD License", "MIT License"),  # as older packages say it
}
NOTED = {"MPL-2.0": "asks for the source of its own files alone: orjson, unchanged, is on PyPI"}


def pins(path: Path) -> dict[str, Requirement]:
    """The requirements of one file by their package's name."""
    lines = [line.split("#")[0].strip(" \\") for line in path.read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(each.name): each for each in found}


def hashes(path: Path) -> dict[str, set[str]]:
    """The hashes of one file by their package's name."""
    whole = path.read_text().replace("\\\n", " ")
    lines = re.findall(r"^([\w.-]+)==(.*)$", whole, re.MULTILINE)
    return {name: set(re.findall(r"sha256:([0-9a-f]{64})\b", rest)) for name, rest in lines}


@pytest.fixture(scope="module")
def runtime(root: Path) -> dict[str, Requirement]:
    return pins(root / "requirements.txt")


@pytest.fixture(scope="module")
def slim(root: Path) -> dict[str, Requirement]:
    return pins(root / "requirements-slim.txt")


@pytest.fixture(scope="module")
def everything(root: Path, runtime: dict[str, Requirement]) -> dict[str, Requirement]:
    lists = [root / "requirements-dev.txt", *(root / "lambdas").rglob("requirements.txt")]
    return runtime | {name: pin for path in lists for name, pin in pins(path).items()}


def test_two_lists_that_name_a_package_pin_the_same_version(root: Path) -> None:
    seen: dict[str, set[str]] = {}
    for path in root.rglob("requirements*.txt"):
        # The SageMaker SDK has environments of its own.
        if not re.match(r"\.venv|dist|requirements-sagemaker", str(path.relative_to(root))):
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
    needed = {
        canonicalize_name(need.name)
        for name in pinned
        for need in map(Requirement, importlib.metadata.requires(name) or [])
        if need.marker is None or need.marker.evaluate({"extra": ""})
    }
    assert needed <= set(pinned)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_package_of_the_image_has_hashes(root: Path, name: str) -> None:
    found = hashes(root / name)
    assert set(found) == set(pins(root / name))
    assert all(found.values())


def test_the_variants_differ_in_pytorch_and_cuda_alone(
    root: Path, runtime: dict[str, Requirement], slim: dict[str, Requirement]
) -> None:
    assert set(pins(root / "requirements.in")) <= set(slim) < set(runtime)
    assert "torch" not in slim
    cuda = pins(root / "requirements-cuda.txt")
    assert set(runtime) - set(cuda) == {"xgboost-cpu"}
    for name in set(cuda) - set(runtime):
        assert name in {"triton", "xgboost"} or name.startswith(("cuda-", "nvidia-"))


def test_the_lists_are_made_from_the_short_ones_of_today(root: Path) -> None:
    for short, long in [
        ("requirements.in", "requirements-slim.txt"),
        ("requirements-torch.in", "requirements.txt"),
        ("requirements-cuda.in", "requirements-cuda.txt"),
    ]:
        assert pins(root / short).items() <= pins(root / long).items(), "make lock"


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
        terms = set(re.split(r" AND | OR | WITH |[()]", about.get("License-Expression") or ""))
        if terms == {""}:
            kinds = (kind.split(" :: ") for kind in about.get_all("Classifier") or [])
            terms = {kind[-1] for kind in kinds if kind[0] == "License"}
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
