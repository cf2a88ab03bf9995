"""What an import costs: which libraries a package loads, seen in a fresh interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sys.modules)
"""


def modules(root: Path, *packages: str) -> list[str]:
    """The dotted names of `packages`, given as paths, and of everything inside them."""
    names = []
    root /= "container"
    for package in packages:
        paths = [root / f"{package}.py", *(root / package).rglob("*.py")]
        names += [
            ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            for path in paths
            if path.exists()
        ]
    return names


@pytest.mark.parametrize(
    ("packages", "libraries"),
    [
        (["ordergap/__init__"], {"numpy", "polars", "pydantic", "ordergap.forecaster"}),
        (
            ["ordergap/__main__", "ordergap/cli"],
            {"numpy", "polars", "flask", "xgboost", "torch", "sklearn"},
        ),
        (["ordergap/contract", "ordergap/errors"], {"numpy"}),
        (["ordergap/serving"], {"torch", "sklearn", "pandas", "pyarrow", "scipy"}),
        (
            ["ordergap/models/kinds", "ordergap/models/next_order", "ordergap/trainers/factory"],
            {"xgboost", "torch", "sklearn"},
        ),
        (["ordergap/features", "ordergap/histories", "ordergap/survival"], {"polars", "scipy"}),
        (["ordergap/report"], {"polars", "scipy", "sklearn", "xgboost", "torch", "flask"}),
        (
            ["ordergap/evaluation", "ordergap/tasks", "ordergap/training"],
            {"scipy.stats", "sklearn"},
        ),
        (
            ["ordergap/artifacts", "ordergap/models", "ordergap/scoring", "ordergap/serving/app"],
            {"ordergap.report", "ordergap.tasks"},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_importing_it_does_not_load(root: Path, packages: list[str], libraries: set[str]) -> None:
    names = modules(root, *packages)
    assert names
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *names],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not libraries & set(done.stdout.split())
