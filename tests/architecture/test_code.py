"""What holds for every module of the container, read off its syntax tree."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [
    path for name in ("container", "local", "benchmarks") for path in (ROOT / name).rglob("*.py")
]
PACKAGE = ROOT / "container/ordergap"
MODULES = [path for path in CODE if path.is_relative_to(PACKAGE)]

TIMELESS = {
    "artifacts", "contract", "evaluation", "features", "forecast", "histories", "ingest", "models",
    "outliers", "survival", "targets",
}  # fmt: skip
UNPICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
AT_WORK = {
    "basicConfig", "connect", "exists", "glob", "iterdir", "load", "mkdir", "open", "read_bytes",
    "read_text", "run", "start", "write_bytes", "write_text",
}  # fmt: skip


def every_module(paths: list[Path] = MODULES) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "path", paths, ids=[str(path.relative_to(ROOT)) for path in paths]
    )


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(tree: ast.AST) -> set[str]:
    """Every `a.b` and `a.b.c` in the code, as text."""
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_stairs_name_every_room_and_no_other() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (stairs,) = [each for each in contracts["contracts"] if each.get("containers") == ["ordergap"]]
    named = {word for layer in stairs["layers"] for word in re.split(r"\s*[|:]\s*", layer)}
    rooms = {room(path) for path in MODULES if path != PACKAGE / "__init__.py"}
    assert named == rooms


@every_module(CODE)
def test_a_module_fits_in_one_reading(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@every_module(CODE)
def test_a_module_is_named_after_what_it_holds(path: Path) -> None:
    vague = r"(^|_)(utils?|helpers?|common|misc|managers?)($|_)"
    assert not [part for part in path.relative_to(ROOT).parts if re.search(vague, Path(part).stem)]


@every_module()
def test_no_clock_below_the_front_door(path: Path) -> None:
    if room(path) not in TIMELESS:
        return
    tree = ast.parse(path.read_text())
    clocks = [name for name in imported(tree) if name.split(".")[0] == "time"]
    clocks += [name for name in dotted(tree) if re.search(r"\.(today|now|utcnow)$", name)]
    clocks += [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("datetime64")
        and any(isinstance(x, ast.Constant) and x.value in {"now", "today"} for x in node.args)
    ]
    assert not clocks


@every_module()
def test_only_settings_reads_the_environment(path: Path) -> None:
    if room(path) == "settings":
        return
    tree = ast.parse(path.read_text())
    readers = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    assert not readers & (dotted(tree) | set(imported(tree)))


@every_module()
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [name for name in imported(tree) if name.split(".")[0] in UNPICKLERS]
    assert not {"torch.load", "torch.save", "np.load", "np.save"} & dotted(tree)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {"eval", "exec", "compile"} & called


@every_module()
def test_importing_a_module_only_defines(path: Path) -> None:
    """At the top level: imports, definitions and tables; no loop, no file, no thread."""
    defines = (
        ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign,
    )  # fmt: skip
    for node in ast.parse(path.read_text()).body:
        text = ast.unparse(node)
        if isinstance(node, ast.If):
            assert re.match(r"if (__name__ == '__main__'|(typing\.)?TYPE_CHECKING):", text), text
        elif isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), text
        else:
            assert isinstance(node, defines), text
            if isinstance(node, ast.Assign | ast.AnnAssign):
                calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
                assert not {ast.unparse(each).split(".")[-1] for each in calls} & AT_WORK, text
