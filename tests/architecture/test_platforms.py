"""The package can be installed on every platform and Python that it names."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

# As uv names them -> as pip does.
PLATFORMS = {
    "x86_64-manylinux_2_28": "manylinux_2_28_x86_64",
    "aarch64-manylinux_2_28": "manylinux_2_28_aarch64",
    "aarch64-apple-darwin": "macosx_14_0_arm64",
    "x86_64-pc-windows-msvc": "win_amd64",
}
VERSIONS = ("3.11", "3.12", "3.13")
COMPILE = (sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--python", sys.executable)


def compiled(root: Path, *words: str, requirements: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMPILE, "--no-build", "--no-header", "--no-annotate", *words],
        cwd=root,
        env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"},
        input=requirements,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def index(root: Path) -> None:
    """Skips where no package index answers."""
    asked = compiled(root, "-", requirements="packaging")
    if asked.returncode:
        pytest.skip(f"no package index answers: {asked.stderr.strip()}")


@pytest.mark.usefixtures("index")
def test_every_platform_has_wheels_of_all_that_the_package_needs(root: Path) -> None:
    def resolve(case: tuple[str, str]) -> subprocess.CompletedProcess[str]:
        platform, version = case
        words = ("--all-extras", "--python-platform", platform, "--python-version", version)
        return compiled(root, "pyproject.toml", *words)

    cases = [*product(PLATFORMS, VERSIONS)]
    with ThreadPoolExecutor(len(cases)) as pool:
        results = [*pool.map(resolve, cases)]
    failed = {}
    for (platform, version), result in zip(cases, results, strict=True):
        name = f"{PLATFORMS[platform]}, Python {version}"
        packages = result.stdout.split()
        print(name, f"{len(packages)} packages", *packages if not platform else "")
        if result.returncode:
            failed[name] = result.stderr
    assert not failed
