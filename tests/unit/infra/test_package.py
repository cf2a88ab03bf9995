"""The zips: complete, small enough, and the same bytes each time."""

import email
import filecmp
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import package
from infra.binaries import runtimes

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
def checkout(tmp_path: Path) -> Path:
    """A small checkout with two functions, one of which imports a package that imports another."""
    functions = {
        name: {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Code": f"../dist/{name}.zip", "Runtime": "python3.11"},
        }
        for name in ("one", "two")
    }
    files = {
        "infra/template.yaml": json.dumps({"Resources": functions}, indent=2),
        "lambdas/__init__.py": "",
        "lambdas/requirements.txt": "",
        "lambdas/one/__init__.py": "",
        "lambdas/one/handler.py": "import json\nfrom ordergap.shop import orders\nX = 1\n",
        "lambdas/one/event.json": "{}",
        "lambdas/two/__init__.py": "",
        "lambdas/two/handler.py": "def handle() -> None:\n    import ordergap.lonely\n",
        "container/ordergap/__init__.py": "",
        "container/ordergap/shop/__init__.py": "from ordergap import errors\n",
        "container/ordergap/shop/orders.py": "",
        "container/ordergap/errors.py": "import numpy\n",
        "container/ordergap/lonely.py": "",
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
def test_a_zip_imports_its_handler_without_other_packages(function: str, tmp_path: Path) -> None:
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
    assert sum(each.file_size for each in entries(function)) < package.LIMIT


@every_function
def test_a_zip_contains_pinned_packages_and_all_their_dependencies(function: str) -> None:
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
def test_a_zip_has_bytecode_for_every_module_and_no_excluded_files(function: str) -> None:
    paths = [PurePosixPath(each.filename) for each in entries(function)]
    names = {str(path) for path in paths}
    services = {path.parts[2] for path in paths if path.match("botocore/data/*/*/*.gz")}
    assert services == package.services(ROOT, function)
    assert not [path for path in paths if path.suffix in package.EXCLUDED or "tests" in path.parts]
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
    for name in ("container", "infra", "lambdas"):
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(here, there)
    (here / "dist").mkdir()
    package.build(ROOT, "announce", DIST)
    (here / "dist/packages").symlink_to(DIST / "packages")  # installed earlier
    first = package.build(here, "announce", here / "dist")
    subprocess.run(
        [sys.executable, "-m", "infra.package", "announce"],
        cwd=there,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
    )
    same = filecmp.cmp(there / "dist/announce.zip", first, shallow=False)
    assert same  # a plain assert would print the bytes
    with zipfile.ZipFile(first) as archive:
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        names = [PurePosixPath(name) for name in archive.namelist()]
    assert names == sorted(names)


def test_a_zip_is_built_again_only_when_something_has_changed(checkout: Path) -> None:
    dist = checkout / "dist"
    path = package.build(checkout, "one", dist)
    before = path.stat().st_mtime_ns
    assert package.build(checkout, "one", dist).stat().st_mtime_ns == before
    (checkout / "container/ordergap/lonely.py").write_text("X = 1\n")  # which `one` does not import
    assert package.build(checkout, "one", dist).stat().st_mtime_ns == before
    (checkout / "container/ordergap/errors.py").write_text("X = 1\n")
    assert package.build(checkout, "one", dist).stat().st_mtime_ns > before


def test_a_damaged_zip_is_built_again(checkout: Path) -> None:
    path = package.build(checkout, "one", checkout / "dist")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    same = package.build(checkout, "one", checkout / "dist").read_bytes() == whole
    assert same


def test_modules_are_found_wherever_the_import_is(checkout: Path) -> None:
    def held(function: str) -> set[str]:
        return {str(path.relative_to(checkout)) for path in package.modules(checkout, function)}

    roots = {"lambdas/__init__.py", "container/ordergap/__init__.py"}
    one = {"lambdas/one/__init__.py", "lambdas/one/handler.py"}
    shop = {
        "container/ordergap/shop/__init__.py",
        "container/ordergap/shop/orders.py",
        "container/ordergap/errors.py",
    }
    assert held("one") == roots | one | shop
    two = {"lambdas/two/__init__.py", "lambdas/two/handler.py"}
    assert held("two") == roots | two | {"container/ordergap/lonely.py"}


def test_a_zip_that_is_too_large_is_an_error_and_deleted(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "LIMIT", 10)
    with pytest.raises(SystemExit, match=r"one\.zip has .* MiB unzipped, more than"):
        package.build(checkout, "one", checkout / "dist")
    assert not list((checkout / "dist").glob("*.zip"))


def test_a_library_that_the_runtime_cannot_load_is_an_error_and_no_zip_is_written(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = checkout / "installed"
    shutil.copytree(Path(np.__file__).parent / "_core", installed / "numpy/_core")
    monkeypatch.setattr(package, "packages", lambda *_: installed)
    with pytest.raises(SystemExit) as error:
        package.build(checkout, "one", checkout / "dist")
    lines = str(error.value).splitlines()
    assert re.fullmatch(
        r"one\.zip: numpy/_core/_multi\w+\.cpython-311-\S+ asks for GLIBC_2\.27; "
        r"python3\.11 has 2\.26", lines[0]
    )  # fmt: skip
    assert "Pin versions with wheels for the runtime in lambdas/requirements.txt" in lines[-1]
    assert not list((checkout / "dist").iterdir())


def test_a_function_that_is_not_in_the_template_is_an_error(checkout: Path) -> None:
    (checkout / "infra/template.yaml").write_text('{"Resources": {}}')
    runtimes.cache_clear()
    with pytest.raises(SystemExit, match=r"no function with the code dist/one\.zip"):
        package.build(checkout, "one", checkout / "dist")


def test_a_missing_package_is_an_error_and_leaves_no_files(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (checkout / "lambdas/requirements.txt").write_text("ordergap-nowhere==1.0\n")
    with pytest.raises(SystemExit, match="pip could not install"):
        package.build(checkout, "one", checkout / "dist")
    assert not list((checkout / "dist").rglob("*.*"))


def test_an_unknown_function_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        package.main(["anounce"])
    assert "no such function: anounce; there are announce" in capsys.readouterr().err


def test_libraries_keep_their_symbols_where_strip_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "package/library.so"
    library.parent.mkdir()
    library.write_bytes(b"symbols")
    monkeypatch.setattr(package, "_strip_version", str)
    package._strip(tmp_path)
    assert library.read_bytes() == b"symbols"
    assert "GNU strip (binutils) is missing" in capsys.readouterr().err
