"""The zips on the runtime that the template names, as far as it can be had without AWS."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from elftools.elf.elffile import ELFFile

from infra import package
from infra.binaries import RUNTIMES, misfits, needed
from local.aws import CREDENTIALS, Aws
from local.source import Sqlite
from tests.moto_process import moto

pytestmark = pytest.mark.xdist_group("zips")

ROOT = Path(__file__).resolve().parents[3]
DIST = ROOT / "dist"
FUNCTIONS = package.functions(ROOT)
every_function = pytest.mark.parametrize("function", FUNCTIONS)
(NUMPY,) = Path(np.__file__).parent.glob("_core/_multiarray_umath.*.so")  # asks for GLIBC_2.27

IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
__import__(f"lambdas.{sys.argv[2]}.handler")
"""
EXTRACT = """
import json, sys, types
sys.path[:0] = sys.argv[1:]
import numpy
from lambdas.extract_orders.handler import handle
context = types.SimpleNamespace(function_name="f", memory_limit_in_mb=1, aws_request_id="1",
                                invoked_function_arn="arn", get_remaining_time_in_millis=int)
handle(json.load(sys.stdin), context)
sys.stderr.write(numpy.__version__)
"""


@pytest.fixture(scope="module")
def old_python() -> str:
    """A Python 3.11 on a C library that is no newer than the runtime's."""
    path = Path(os.environ.get("ORDERGAP_LAMBDA_PYTHON", ROOT / ".venv-lambda/python"))
    if not path.is_file():
        pytest.skip("no Python on a C library as old as the runtime's: make lambda-python")
    ask = "import os, sys; print(sys.version_info[:2], os.confstr('CS_GNU_LIBC_VERSION'))"
    done = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=True)
    python, version = re.fullmatch(r"(\(.*\)) glibc ([\d.]+)\n", done.stdout).groups()  # type: ignore[union-attr]
    assert python == "(3, 11)"
    assert tuple(map(int, version.split("."))) <= RUNTIMES["python3.11"].versions["GLIBC"]
    return str(path)


def unpack(function: str, folder: Path) -> Path:
    with zipfile.ZipFile(package.build(ROOT, function, DIST)) as archive:
        archive.extractall(folder)
    return folder


def zipped(folder: Path, **files: Path) -> Path:
    path = folder / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in files.items():
            archive.write(file, name.replace("__", "."))
    return path


@every_function
def test_the_runtime_of_its_function_can_load_all_of_a_zip(function: str) -> None:
    path = package.build(ROOT, function, DIST)
    with zipfile.ZipFile(path) as archive:
        assert [name for name in archive.namelist() if name.endswith(".so")]
    assert not misfits(path, package.runtime(ROOT, function))


def test_what_a_library_asks_for_is_what_objdump_says(tmp_path: Path) -> None:
    objdump = shutil.which("objdump")
    if not objdump:
        pytest.skip("objdump (binutils) is not installed")
    for file in (*unpack("extract_orders", tmp_path).rglob("*.so*"), NUMPY):
        said = subprocess.run([objdump, "-T", file], capture_output=True, text=True, check=True)
        asked = re.findall(r"\*UND\*.*\bGLIBC_([\d.]+)", said.stdout)
        with file.open("rb") as library:
            newest = needed(ELFFile(library)).get("GLIBC", ())
        assert newest == max((tuple(map(int, each.split("."))) for each in asked), default=()), file


def test_wheels_for_a_newer_system_or_python_do_not_fit(tmp_path: Path) -> None:
    tag = NUMPY.name.partition(".")[2].removesuffix(".so")
    path = zipped(tmp_path, **{NUMPY.name: NUMPY, "lib.abi3.so": NUMPY})
    newer = "asks for GLIBC_2.27; python3.11 has 2.26"
    assert misfits(path, "python3.11") == [f"{NUMPY.name} {newer}", f"lib.abi3.so {newer}"]
    assert misfits(path, "python3.12") == [
        f"{NUMPY.name} is built for {tag}; python3.12 loads cpython-312-x86_64-linux-gnu and abi3"
    ]


def test_what_is_no_library_of_linux_or_of_another_processor_does_not_fit(tmp_path: Path) -> None:
    arm, text = tmp_path / "arm", tmp_path / "text"
    content = bytearray(NUMPY.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")
    arm.write_bytes(content)
    text.write_text("no library")
    first, *_, last = misfits(zipped(tmp_path, arm__so=arm, text__so=text), "python3.11")
    assert first == "arm.so is for the processor EM_AARCH64; the functions run on x86-64"
    assert last == "text.so is not a shared object of Linux"


def test_a_runtime_that_is_not_known_is_said(tmp_path: Path) -> None:
    (problem,) = misfits(zipped(tmp_path), "python3.9")
    assert "what python3.9 can load is not known" in problem


@every_function
def test_a_handler_is_imported_on_a_c_library_as_old_as_the_runtimes(
    function: str, old_python: str, tmp_path: Path
) -> None:
    command = [
        old_python,
        "-I",
        "-S",
        "-B",
        "-c",
        IMPORT,
        str(unpack(function, tmp_path)),
        function,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An AWS with a bucket, and a secret that leads to order lines of Online Retail."""
    file = ROOT.parent / "shared/data/online_retail.csv.gz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    folder = tmp_path_factory.mktemp("aws")
    shop = Sqlite(folder / "shop.db", "SQLite")
    shop.load("orders", pl.read_csv(file, infer_schema=False, encoding="utf8-lossy", n_rows=40_000))
    with moto() as endpoint:
        aws = Aws(endpoint, folder)
        aws.s3.create_bucket(Bucket="runs")
        aws.secrets.create_secret(Name="shop", SecretString=shop.url)
        yield aws


def extracted(aws: Aws, python: list[str], *paths: Path) -> tuple[str, dict[str, bytes]]:
    """NumPy's version and the files of an extraction, which are then deleted."""
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": aws.endpoint,
        "ORDERGAP_BUCKET": "runs",
        "ORDERGAP_SOURCE_SECRET": "shop",
        "POWERTOOLS_METRICS_NAMESPACE": "ordergap",
        "POWERTOOLS_SERVICE_NAME": "extract_orders",
        "TMPDIR": str(aws.folder),
    }
    done = subprocess.run(
        [*python, "-B", "-c", EXTRACT, *map(str, paths)],
        input=json.dumps({"run_id": "night", "as_of": "2010-12-31"}),
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files = {}
    for each in aws.s3.list_objects_v2(Bucket="runs")["Contents"]:
        files[each["Key"]] = aws.s3.get_object(Bucket="runs", Key=each["Key"])["Body"].read()
        aws.s3.delete_object(Bucket="runs", Key=each["Key"])
    return done.stderr, files


@pytest.fixture(scope="module")
def expected(aws: Aws) -> dict[str, bytes]:
    """The files of an extraction by the code and the packages of the other tests."""
    version, files = extracted(aws, [sys.executable], ROOT, ROOT / "container")
    assert version == np.__version__
    assert len(files) > 30
    return files


@pytest.mark.parametrize("python", ["this", "old"])
def test_the_zip_extracts_the_same_bytes_by_its_older_numpy(
    aws: Aws,
    expected: dict[str, bytes],
    python: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    command = sys.executable if python == "this" else request.getfixturevalue("old_python")
    version, files = extracted(aws, [command, "-I", "-S"], unpack("extract_orders", tmp_path))
    pins = (ROOT / "lambdas/extract_orders/requirements-runtime.txt").read_text()
    assert f"numpy=={version}\n" in pins
    assert version != np.__version__
    assert files.keys() == expected.keys()
    assert [key for key, body in files.items() if body != expected[key]] == []
