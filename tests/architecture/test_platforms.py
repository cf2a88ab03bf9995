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


def resolve(root: Path, *words: str, requirements: str = "") -> subprocess.CompletedProcess[str]:
    """Pin what is asked for, from wheels alone, on standard output."""
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
    result = resolve(root, "-", requirements="packaging")
    if result.returncode:
        pytest.skip(f"no package index answers: {result.stderr.strip()}")


@pytest.mark.usefixtures("index")
def test_every_platform_has_wheels_of_all_that_the_package_needs(root: Path) -> None:
    cases = [*product(PLATFORMS, VERSIONS)]
    words = ("pyproject.toml", "--all-extras", "--python-platform")
    with ThreadPoolExecutor(len(cases)) as pool:
        results = [
            pool.submit(resolve, root, *words, platform, "--python-version", version)
            for platform, version in cases
        ]
    failures = {}
    for (platform, version), future in zip(cases, results, strict=True):
        result, name = future.result(), f"{PLATFORMS[platform]}, Python {version}"
        pins = result.stdout.split()
        xgboost = [pin for pin in pins if pin.startswith("xgboost")]
        print(f"{name}: {len(pins)} packages, with", *xgboost)
        if result.returncode:
            failures[name] = result.stderr
    assert not failures
