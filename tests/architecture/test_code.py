"""What holds for every module, read off its syntax tree; a failure lists all that break it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "container/ordergap"
CODE = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("container", "local", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
}
TREES = {
    Path(name).relative_to("container/ordergap").as_posix(): ast.parse(text)
    for name, text in CODE.items()
    if name.startswith("container/ordergap/")
}
"""The modules of the package, such as models/xgboost.py."""

WITHOUT_CLOCK = {
    "artifacts", "contract", "evaluation", "features", "follow", "frames", "histories", "ingest",
    "models", "outliers", "report", "scoring", "survival", "tasks",
}  # fmt: skip
UNPICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
EFFECTS = {
    "basicConfig", "connect", "exists", "glob", "iterdir", "load", "mkdir", "open", "read_bytes",
    "read_text", "run", "start", "write_bytes", "write_text",
}  # fmt: skip


def part(module: str) -> str:
    """The package or module directly under ordergap that this is, or is in."""
    return Path(module).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(tree: ast.AST) -> set[str]:
    """Every `a.b` and `a.b.c` in the code, as text."""
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_the_layers_name_every_package_and_no_other() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [
        each["layers"] for each in contracts["contracts"] if each.get("containers") == ["ordergap"]
    ]
    named = {name for layer in layers for name in re.split(r"\s*[|:]\s*", layer)}
    assert named == {part(module) for module in TREES} - {"__init__"}


def test_a_module_fits_in_one_reading() -> None:
    lengths = {name: len(text.splitlines()) for name, text in CODE.items()}
    assert not {name: length for name, length in lengths.items() if length > 300}


def test_a_module_is_named_after_what_it_holds() -> None:
    vague = r"(^|[_/])(utils?|helpers?|common|misc|managers?)($|[_/.])"
    assert not [name for name in CODE if re.search(vague, name)]


def test_only_the_command_line_and_what_reports_time_read_a_clock() -> None:
    def clocks(tree: ast.AST) -> Iterator[str]:
        yield from (name for name in imported(tree) if name.split(".")[0] == "time")
        yield from (name for name in dotted(tree) if re.search(r"\.(today|now|utcnow)$", name))
        for call in calls(tree):
            words = {arg.value for arg in call.args if isinstance(arg, ast.Constant)}
            if ast.unparse(call.func).endswith("datetime64") and words & {"now", "today"}:
                yield ast.unparse(call)

    assert {part(module) for module in TREES} >= WITHOUT_CLOCK
    found = {m: [*clocks(tree)] for m, tree in TREES.items() if part(m) in WITHOUT_CLOCK}
    assert not {module: names for module, names in found.items() if names}


def test_only_settings_reads_the_environment() -> None:
    readers = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    found = {module: readers & {*dotted(tree), *imported(tree)} for module, tree in TREES.items()}
    assert {module for module, names in found.items() if names} == {"settings.py"}


def test_nothing_is_unpickled_or_evaluated() -> None:
    def unsafe(tree: ast.AST) -> Iterator[str]:
        yield from (name for name in imported(tree) if name.split(".")[0] in UNPICKLERS)
        yield from {"torch.load", "torch.save", "np.load", "np.save"} & dotted(tree)
        yield from {"eval", "exec", "compile"} & {ast.unparse(call.func) for call in calls(tree)}

    found = {module: [*unsafe(tree)] for module, tree in TREES.items()}
    assert not {module: names for module, names in found.items() if names}


def test_importing_a_module_only_defines() -> None:
    """At the top level: imports, definitions and tables; no loop, no file, no thread."""

    def allowed(node: ast.stmt) -> bool:
        if isinstance(node, ast.If):
            test = ast.unparse(node.test)
            return test in {"__name__ == '__main__'", "TYPE_CHECKING", "typing.TYPE_CHECKING"}
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return not EFFECTS & {ast.unparse(call.func).split(".")[-1] for call in calls(node)}
        return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)

    bad = {m: [ast.unparse(n) for n in tree.body if not allowed(n)] for m, tree in TREES.items()}
    assert not {module: statements for module, statements in bad.items() if statements}
