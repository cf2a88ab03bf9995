"""The zips: whole, small enough, and the same bytes each time."""

import email
import filecmp
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import package

pytestmark = pytest.mark.xdist_group("zips")

ROOT = Path(__file__).resolve().parents[3]
DIST = ROOT / "dist"
FUNCTIONS = package.functions(ROOT)
every_function = pytest.mark.parametrize("function", FUNCTIONS)

IMPORT = """
import sys
folder, function, *services = sys.argv[1:]
sys.path.append(folder)
assert not [each for each in sys.path if "site-packages" in each]
__import__(f"lambdas.{function}.handler")
import boto3
for service in services:
    boto3.client(service, region_name="us-east-1")
"""
DRIVERS = """
import sqlalchemy, polars, numpy
sqlalchemy.create_engine("postgresql+pg8000://a:b@host/shop")
sqlalchemy.create_engine("mysql+pymysql://a:b@host/shop")
assert polars.DataFrame({"a": [1, 1]}).unique().height == 1
assert numpy.linalg.inv(numpy.eye(2))[0, 0] == 1
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small checkout: one function, which imports a room that imports another."""
    files = {
        "lambdas/__init__.py": "",
        "lambdas/requirements.txt": "",
        "lambdas/one/__init__.py": "",
        "lambdas/one/handler.py": "import json\nfrom ordergap.rooms import cellar\nX = 1\n",
        "lambdas/one/event.json": "{}",
        "lambdas/two/__init__.py": "",
        "lambdas/two/handler.py": "def handle() -> None:\n    import ordergap.attic\n",
        "container/ordergap/__init__.py": "",
        "container/ordergap/rooms/__init__.py": "from ordergap import stairs\n",
        "container/ordergap/rooms/cellar.py": "",
        "container/ordergap/stairs.py": "import numpy\n",
        "container/ordergap/attic.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def entries(function: str) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(package.build(ROOT, function, DIST)) as archive:
        return archive.infolist()


@every_function
def test_a_zip_imports_its_handler_where_nothing_else_is(function: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(package.build(ROOT, function, DIST)) as archive:
        archive.extractall(tmp_path)
    services = sorted(package.services(ROOT, function))
    code = IMPORT + (DRIVERS if function == "extract_orders" else "")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code, str(tmp_path), function, *services],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert done.returncode == 0, done.stderr


@every_function
def test_a_zip_fits_into_lambda(function: str) -> None:
    assert sum(each.file_size for each in entries(function)) < package.MOST


@every_function
def test_a_zip_holds_pinned_packages_and_all_that_they_need(function: str) -> None:
    lines = "\n".join(path.read_text() for path in package.requirements(ROOT, function))
    pinned = {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", lines, re.MULTILINE)
    }
    held, needed = {}, set()
    with zipfile.ZipFile(package.build(ROOT, function, DIST)) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/METADATA"):
                about = email.message_from_bytes(archive.read(name))
                held[canonicalize_name(about["Name"])] = about["Version"]
                for text in about.get_all("Requires-Dist", []):
                    need = Requirement(text)
                    if need.marker is None or need.marker.evaluate({"extra": ""}):
                        needed.add(canonicalize_name(need.name))
    assert held == pinned
    assert needed <= set(held)


@every_function
def test_a_zip_has_bytecode_for_every_module_and_nothing_that_nobody_needs(function: str) -> None:
    paths = [PurePosixPath(each.filename) for each in entries(function)]
    names = {str(path) for path in paths}
    services = {path.parts[2] for path in paths if path.match("botocore/data/*/*/*.gz")}
    assert services == package.services(ROOT, function)
    assert not [path for path in paths if path.suffix in package.NEEDLESS or "tests" in path.parts]
    assert "event.json" not in {path.name for path in paths}
    others = set(FUNCTIONS) - {function}
    assert not [path for path in paths if path.parts[0] == "lambdas" and path.parts[1] in others]
    for path in paths:
        if path.suffix == ".py" and path.parts[0] in package.SOURCES:
            tag = sys.implementation.cache_tag
            assert str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc") in names


@every_function
def test_libraries_are_for_amazon_linux(function: str) -> None:
    with zipfile.ZipFile(package.build(ROOT, function, DIST)) as archive:
        libraries = [name for name in archive.namelist() if ".so" in PurePosixPath(name).suffixes]
        assert libraries
        for name in libraries:
            with archive.open(name) as library:
                start = library.read(20)
            assert start[:4] == b"\x7fELF", name
            assert struct.unpack("<H", start[18:20]) == (62,), name  # x86-64


def test_the_same_inputs_give_the_same_bytes_in_another_folder_and_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for room in ("container", "infra", "lambdas"):
        shutil.copytree(ROOT / room, here / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(here, there)
    (here / "dist").mkdir()
    package.build(ROOT, "announce", DIST)
    (here / "dist/packages").symlink_to(DIST / "packages")  # installed at another time
    first = package.build(here, "announce", here / "dist")
    subprocess.run(
        [sys.executable, "-m", "infra.package", "announce"],
        cwd=there,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
    )
    same = filecmp.cmp(there / "dist/announce.zip", first, shallow=False)
    assert same  # and no attempt to show where they differ
    with zipfile.ZipFile(first) as archive:
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        names = [PurePosixPath(name) for name in archive.namelist()]
    assert names == sorted(names)


def test_a_zip_is_built_again_only_when_something_has_changed(house: Path) -> None:
    dist = house / "dist"
    path = package.build(house, "one", dist)
    before = path.stat().st_mtime_ns
    assert package.build(house, "one", dist).stat().st_mtime_ns == before
    (house / "container/ordergap/attic.py").write_text("X = 1\n")  # which `one` does not import
    assert package.build(house, "one", dist).stat().st_mtime_ns == before
    (house / "container/ordergap/stairs.py").write_text("X = 1\n")
    assert package.build(house, "one", dist).stat().st_mtime_ns > before


def test_a_damaged_zip_is_built_again(house: Path) -> None:
    path = package.build(house, "one", house / "dist")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    same = package.build(house, "one", house / "dist").read_bytes() == whole
    assert same


def test_the_modules_are_those_that_are_imported_wherever_the_import_stands(house: Path) -> None:
    def held(function: str) -> set[str]:
        return {str(path.relative_to(house)) for path in package.modules(house, function)}

    ours = {"lambdas/__init__.py", "container/ordergap/__init__.py"}
    one = {"lambdas/one/__init__.py", "lambdas/one/handler.py"}
    rooms = {
        "container/ordergap/rooms/__init__.py",
        "container/ordergap/rooms/cellar.py",
        "container/ordergap/stairs.py",
    }
    assert held("one") == ours | one | rooms
    two = {"lambdas/two/__init__.py", "lambdas/two/handler.py"}
    assert held("two") == ours | two | {"container/ordergap/attic.py"}


def test_a_zip_that_is_too_large_is_refused_and_not_left_behind(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "MOST", 10)
    with pytest.raises(SystemExit, match=r"one\.zip has .* MiB unzipped, and Lambda takes"):
        package.build(house, "one", house / "dist")
    assert not list((house / "dist").glob("*.zip"))


def test_a_package_that_cannot_be_had_is_an_error_and_leaves_nothing(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (house / "lambdas/requirements.txt").write_text("ordergap-nowhere==1.0\n")
    with pytest.raises(SystemExit, match="pip could not install"):
        package.build(house, "one", house / "dist")
    assert not list((house / "dist").rglob("*.*"))


def test_an_unknown_function_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        package.main(["anounce"])
    assert "no such function: anounce; there are announce" in capsys.readouterr().err


def test_what_is_cut_off_a_library_is_never_loaded() -> None:
    installed = package.packages(package.requirements(ROOT, "announce"), DIST)
    (path,) = (installed / "pydantic_core").glob("*.so")
    whole = path.read_bytes()
    cut = package.without_symbols(whole)
    assert len(cut) <= len(whole)
    offset, size, count = struct.unpack_from("<Q", cut, 32)[0], *struct.unpack_from("<HH", cut, 54)
    for each in range(count):
        start, _, _, length = struct.unpack_from("<4Q", whole, offset + each * size + 8)
        assert start + length <= len(cut)
    assert cut[64:] == whole[64 : len(cut)]
    assert package.without_symbols(b"#!/bin/sh\n") == b"#!/bin/sh\n"
