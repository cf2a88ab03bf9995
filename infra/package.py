"""Build dist/<function>.zip for every Lambda: ``python -m infra.package [FUNCTION …]``.

A zip contains the modules of this checkout that the handler imports, directly or not, and the
packages pinned in lambdas/requirements.txt and the function's own requirements*.txt, as wheels that
its runtime in infra/template.yaml can load; with others, no zip is written. It contains bytecode,
which Lambda cannot store between starts. It does not contain tests, stubs, headers, symbols of
libraries, and descriptions of AWS services that are not called.

The same inputs give the same bytes, at any time and in any folder. The digest of the inputs is the
zip's comment: a zip with the right digest is not built again.

See docs/decisions/lambdas.md#the-zips-carry-bytecode-and-no-symbols.
"""

from __future__ import annotations

import argparse
import ast
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from infra.binaries import misfits, runtimes

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"ordergap": "container", "lambdas": "."}
"""Package of this project -> its folder in this checkout."""
PLATFORM = "manylinux2014_x86_64"  # glibc 2.17; Amazon Linux 2 has 2.26
LIMIT = 250 * 2**20  # bytes, unzipped, of Lambda
EXCLUDED = {".a", ".c", ".f90", ".h", ".pxd", ".pyi", ".pyx"}


def functions(root: Path) -> list[str]:
    """The folders of `lambdas` that have a handler."""
    return sorted(path.parent.name for path in root.glob("lambdas/*/handler.py"))


def modules(root: Path, function: str) -> list[Path]:
    """The files that importing the handler can import from this checkout, sorted."""
    files: set[Path] = set()
    names = [f"lambdas.{function}.handler"]
    while names:
        name = names.pop()
        for each in (name, *_parents(name)):
            path = _file(root, each)
            if path and path not in files:
                files.add(path)
                names.extend(_imported(path))
    return sorted(files)


def data(root: Path, function: str) -> list[Path]:
    """The files besides modules that the function reads, sorted."""
    return sorted((root / "lambdas" / function).glob("*.pem"))


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _file(root: Path, name: str) -> Path | None:
    stem = root.joinpath(SOURCES[name.split(".", maxsplit=1)[0]], *name.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _in_zip(root: Path, module: Path) -> Path:
    """The path of a module in the zip, where the project's packages lie side by side."""
    path = module.relative_to(root)
    return path.relative_to("container") if path.parts[0] == "container" else path


def _imported(path: Path) -> Iterator[str]:
    """Names of the project that the file imports when it runs: modules, or functions of modules."""
    tree = ast.parse(path.read_bytes())
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []  # read by type checkers alone
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] in SOURCES)


def services(root: Path, function: str) -> set[str]:
    """The AWS services for which the function's code creates a client."""
    return {
        str(node.args[0].value)
        for path in modules(root, function)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "client"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def requirements(root: Path, function: str) -> list[Path]:
    """The lists of pinned packages that go into the function's zip."""
    own = sorted((root / "lambdas" / function).glob("requirements*.txt"))
    return [root / "lambdas/requirements.txt", *own]


def runtime(root: Path, function: str) -> str:
    """The function's runtime in the template, such as python3.11."""
    try:
        return runtimes(root / "infra/template.yaml")[function]
    except KeyError:
        raise SystemExit(
            f"infra/template.yaml has no function with the code dist/{function}.zip; add one"
        ) from None


def digest(root: Path, function: str) -> str:
    """A digest of everything that the zip depends on."""
    total = hashlib.sha256(_tools().encode())
    total.update(Path(__file__).read_bytes() + runtime(root, function).encode())
    inputs = (*modules(root, function), *data(root, function), *requirements(root, function))
    for path in inputs:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root)} {content}\n".encode())
    return total.hexdigest()


def packages(lists: Sequence[Path], dist: Path) -> Path:
    """The folder with the installed packages of `lists`, with bytecode; kept between runs."""
    pins = b"".join(path.read_bytes() for path in lists)
    folder = dist / "packages" / hashlib.sha256(pins + _tools().encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    print(f"Installing {' and '.join(map(str, lists))}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=_ensure(folder.parent)) as temporary:
        target = _ensure(Path(temporary) / "packages")
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-compile"]
        command += ["--target", str(target), "--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", f"{sys.version_info.major}.{sys.version_info.minor}"]
        command += ["--platform", PLATFORM]
        command += [word for path in lists for word in ("--requirement", str(path))]
        if subprocess.run(command, check=False).returncode:  # noqa: S603
            raise SystemExit("pip could not install the packages of the Lambdas; see above.")
        _strip(target)
        _compile(target)
        try:
            target.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process has created it
                raise
    return folder


def _tools() -> str:
    """The versions of what makes the zips."""
    return f"{platform.python_version()} {_strip_version()}"


def _ensure(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def _strip_version() -> str:
    """The version of GNU strip (binutils); empty where it is not installed."""
    strip = shutil.which("strip")
    if not strip:
        return ""
    run = subprocess.run([strip, "--version"], check=False, capture_output=True, text=True)  # noqa: S603
    version = run.stdout.partition("\n")[0]
    return version if version.startswith("GNU") else ""


def _strip(folder: Path) -> None:
    """Remove the symbols of libraries, which only debuggers read, where GNU strip is installed.

    Not in `*.libs`: wheels have patched libraries there, which strip would damage.
    """
    if not _strip_version():
        print("GNU strip (binutils) is missing: libraries keep their symbols", file=sys.stderr)
        return
    for path in sorted(folder.rglob("*.so*")):
        if not any(parent.suffix == ".libs" for parent in path.parents):
            command = [str(shutil.which("strip")), "--strip-unneeded", str(path)]
            subprocess.run(command, check=True)  # noqa: S603


def _compile(folder: Path) -> None:
    """Compile all modules, to bytecode without times and folders.

    In a new interpreter, as imported modules and hashes of this one would influence the bytecode.
    """
    command = [sys.executable, "-P", "-m", "compileall", "-qq", "-s", str(folder)]
    command += ["--invalidation-mode", "unchecked-hash", str(folder)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    subprocess.run(command, check=False, env=environment)  # noqa: S603  (some files are no Python 3.11)


def included(path: PurePosixPath, called: set[str]) -> bool:
    """Whether a file of the packages goes into the zip of a function that calls `called`."""
    if path.suffix in EXCLUDED or "tests" in path.parts or path.parts[0] == "bin":
        return False
    if path.parent.suffix == ".dist-info" and path.name in {"INSTALLER", "RECORD", "REQUESTED"}:
        return False  # pip's own files, which differ between machines
    if path.parts[:2] == ("boto3", "data") or path.parts[:2] == ("boto3", "examples"):
        return False
    if path.parts[:2] == ("botocore", "data") and len(path.parts) > 3:
        return path.parts[2] in called
    return True


def build(root: Path, function: str, dist: Path) -> Path:
    """The function's zip in `dist`, built unless it is up to date."""
    path, comment = dist / f"{function}.zip", digest(root, function).encode()
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if archive.comment == comment:
                return path
    installed = packages(requirements(root, function), dist)
    called = services(root, function)
    with tempfile.TemporaryDirectory(dir=_ensure(dist)) as temporary:
        code, finished = _ensure(Path(temporary) / "code"), Path(temporary) / path.name
        for source in (*modules(root, function), *data(root, function)):
            copy = code / _in_zip(root, source)
            _ensure(copy.parent)
            shutil.copyfile(source, copy)
        _compile(code)
        files = {PurePosixPath(each.relative_to(code)): each for each in code.rglob("*.p*")}
        for each in installed.rglob("*"):
            name = PurePosixPath(each.relative_to(installed))
            if each.is_file() and included(name, called):
                files[name] = each
        _write(finished, files, comment)
        if problems := misfits(finished, runtime(root, function)):
            raise SystemExit(
                "\n".join(f"{path.name}: {problem}" for problem in problems)
                + "\nPin versions with wheels for the runtime in lambdas/requirements.txt or "
                f"lambdas/{function}/requirements*.txt, and build with the runtime's Python."
            )
        finished.replace(path)
    return path


def _write(path: Path, files: dict[PurePosixPath, Path], comment: bytes) -> None:
    total = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name in sorted(files):
            content = files[name].read_bytes()
            total += len(content)
            entry = zipfile.ZipInfo(str(name), (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (0o100755 if ".so" in name.suffixes else 0o100644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    if total > LIMIT:
        raise SystemExit(
            f"{path.name} has {total / 2**20:.0f} MiB unzipped, more than the {LIMIT / 2**20:.0f} "
            "of Lambda; install strip if it is missing, or exclude files in infra/package.py."
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the zips of the functions, or all zips, and print their sizes."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=main.__doc__)
    parser.add_argument("function", nargs="*", help="a folder of lambdas/ (default: all)")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="folder for the zips")
    options = parser.parse_args(arguments)
    existing = functions(ROOT)
    if unknown := sorted(set(options.function) - set(existing)):
        parser.error(f"no such function: {', '.join(unknown)}; there are {', '.join(existing)}")
    for function in options.function or existing:
        path = build(ROOT, function, options.dist)
        with zipfile.ZipFile(path) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
        sizes = f"{path.stat().st_size / 2**20:6.1f} MiB, {unzipped / 2**20:6.1f} MiB unzipped"
        print(f"{path.name:24} {sizes}")


if __name__ == "__main__":
    main()
