"""Build dist/<function>.zip for every Lambda: ``python -m infra.package [FUNCTION …]``.

A zip holds the modules that the function's handler imports, directly or not, out of this checkout,
and the packages pinned in lambdas/requirements.txt and the function's own requirements.txt, as
wheels for Amazon Linux. It has compiled bytecode, because Lambda cannot keep any between starts,
and not what no function needs: tests, stubs, headers, symbols, descriptions of other AWS services.

The same inputs give the same bytes, whatever the day and the folder. The digest of the inputs is
the zip's comment; a zip that has it already is not built again.

See docs/decisions/lambdas.md#the-zips-carry-bytecode-and-no-symbols.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"ordergap": "container", "lambdas": "."}
"""Package of ours -> the folder of this checkout that holds it."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64")
MOST = 250 * 2**20  # bytes that Lambda takes, unzipped
NEEDLESS = {".a", ".c", ".f90", ".h", ".pxd", ".pyi", ".pyx"}


def functions(root: Path) -> list[str]:
    """The folders of `lambdas` that have a handler."""
    return sorted(path.parent.name for path in root.glob("lambdas/*/handler.py"))


def modules(root: Path, function: str) -> list[Path]:
    """The files that importing the handler can import from this checkout, sorted."""
    found: set[Path] = set()
    names = [f"lambdas.{function}.handler"]
    while names:
        name = names.pop()
        for each in (name, *_parents(name)):
            path = _file(root, each)
            if path and path not in found:
                found.add(path)
                names.extend(_imported(path))
    return sorted(found)


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _file(root: Path, name: str) -> Path | None:
    place = root.joinpath(SOURCES[name.split(".", maxsplit=1)[0]], *name.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _in_zip(root: Path, module: Path) -> Path:
    """Where a module stands in the zip, in whose root our packages lie side by side."""
    path = module.relative_to(root)
    return path.relative_to("container") if path.parts[0] == "container" else path


def _imported(path: Path) -> Iterator[str]:
    """Names of ours that the file imports; one may be a function of a module and no module."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] in SOURCES)


def services(root: Path, function: str) -> set[str]:
    """The AWS services for which the function's code makes a client."""
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
    lists = (root / "lambdas/requirements.txt", root / f"lambdas/{function}/requirements.txt")
    return [path for path in lists if path.is_file()]


def digest(root: Path, function: str) -> str:
    """Changes with everything that the zip's content depends on."""
    total = hashlib.sha256(platform.python_version().encode())
    total.update(Path(__file__).read_bytes())
    for path in (*modules(root, function), *requirements(root, function)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root)} {content}\n".encode())
    return total.hexdigest()


def packages(lists: Sequence[Path], dist: Path) -> Path:
    """The folder into which the packages of `lists` are installed, compiled; kept between runs."""
    pins = b"".join(path.read_bytes() for path in lists)
    folder = (
        dist
        / "packages"
        / hashlib.sha256(pins + platform.python_version().encode()).hexdigest()[:16]
    )
    if folder.is_dir():
        return folder
    print(f"Installing {' and '.join(map(str, lists))}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=_made(folder.parent)) as temporary:
        made = _made(Path(temporary) / "made")
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-compile"]
        command += ["--target", str(made), "--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", f"{sys.version_info.major}.{sys.version_info.minor}"]
        command += [word for name in PLATFORMS for word in ("--platform", name)]
        command += [word for path in lists for word in ("--requirement", str(path))]
        if subprocess.run(command, check=False).returncode:  # noqa: S603
            raise SystemExit(
                "pip could not install the packages of the Lambdas; it says why above."
            )
        _compile(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # and nobody else was faster
                raise
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _compile(folder: Path) -> None:
    """Compile all modules, to bytecode that knows no time and no folder.

    In an interpreter of its own: what a process has imported, and its hashes, show in bytecode.
    """
    command = [sys.executable, "-P", "-m", "compileall", "-qq", "-s", str(folder)]
    command += ["--invalidation-mode", "unchecked-hash", str(folder)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    subprocess.run(command, check=False, env=environment)  # noqa: S603  (some are no Python 3.11)


def needed(path: PurePosixPath, known: set[str]) -> bool:
    """Whether a file of the installed packages goes into a zip that talks to services `known`."""
    if path.suffix in NEEDLESS or "tests" in path.parts or path.parts[0] == "bin":
        return False
    if path.parent.suffix == ".dist-info" and path.name in {"INSTALLER", "RECORD", "REQUESTED"}:
        return False  # what pip notes for itself: it differs from one machine to another
    if path.parts[:2] == ("boto3", "data") or path.parts[:2] == ("boto3", "examples"):
        return False
    if path.parts[:2] == ("botocore", "data") and len(path.parts) > 3:
        return path.parts[2] in known
    return True


def without_symbols(library: bytes) -> bytes:
    """An ELF file cut behind the last byte that is loaded, where only debuggers' tables follow.

    Of 64 bits and little-endian; the section headers, which the loader does not read, go too.
    """
    if library[:6] != b"\x7fELF\x02\x01":
        return library
    (table,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    ends = [table + size * count]
    for each in range(count):
        offset, _, _, length = struct.unpack_from("<4Q", library, table + each * size + 8)
        ends.append(offset + length)
    cut = bytearray(library[: max(ends)])
    struct.pack_into("<Q", cut, 40, 0)
    struct.pack_into("<HHH", cut, 58, 64, 0, 0)
    return bytes(cut)


def build(root: Path, function: str, dist: Path) -> Path:
    """The function's zip in `dist`, built where it is not there as it should be."""
    path, comment = dist / f"{function}.zip", digest(root, function).encode()
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as there:
            if there.comment == comment:
                return path
    installed = packages(requirements(root, function), dist)
    known = services(root, function)
    with tempfile.TemporaryDirectory(dir=_made(dist)) as made:
        code, finished = _made(Path(made) / "code"), Path(made) / path.name
        for module in modules(root, function):
            copy = code / _in_zip(root, module)
            _made(copy.parent)
            shutil.copyfile(module, copy)
        _compile(code)
        files = {PurePosixPath(each.relative_to(code)): each for each in code.rglob("*.py*")}
        for each in installed.rglob("*"):
            name = PurePosixPath(each.relative_to(installed))
            if each.is_file() and needed(name, known):
                files[name] = each
        _write(finished, files, comment)
        finished.replace(path)
    return path


def _write(path: Path, files: dict[PurePosixPath, Path], comment: bytes) -> None:
    total = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name in sorted(files):
            content = files[name].read_bytes()
            library = ".so" in name.suffixes
            if library:
                content = without_symbols(content)
            total += len(content)
            entry = zipfile.ZipInfo(str(name), (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (0o100755 if library else 0o100644) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    if total > MOST:
        raise SystemExit(
            f"{path.name} has {total / 2**20:.0f} MiB unzipped, and Lambda takes "
            f"{MOST / 2**20:.0f}: leave out a package, or more of one in infra/package.py."
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the zips that are asked for, or all, and print their sizes."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=main.__doc__)
    parser.add_argument("function", nargs="*", help="a folder of lambdas/; all if none is given")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the zips go")
    asked = parser.parse_args(arguments)
    known = functions(ROOT)
    if unknown := sorted(set(asked.function) - set(known)):
        parser.error(f"no such function: {', '.join(unknown)}; there are {', '.join(known)}")
    for function in asked.function or known:
        path = build(ROOT, function, asked.dist)
        with zipfile.ZipFile(path) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
        sizes = f"{path.stat().st_size / 2**20:6.1f} MiB, {unzipped / 2**20:6.1f} MiB unzipped"
        print(f"{path.name:24} {sizes}")


if __name__ == "__main__":
    main()
