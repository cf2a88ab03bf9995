"""Whether the shared objects in a zip can be loaded by the runtime of its function.

The dynamic linker refuses an object that asks for a newer version of a system's library than there
is, and Python passes over an extension whose name has another ABI tag: both are seen only when the
handler is imported, on AWS.

See docs/decisions/lambdas.md#the-runtime-is-python-311-with-wheels-that-fit-it.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cfnlint.decode.cfn_yaml import load
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

Version = tuple[int, ...]


class Runtime(NamedTuple):
    """What a runtime loads: the ABI tag of its Python, and the newest versions of its libraries."""

    abi: str
    versions: dict[str, Version]


# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html has the system of each runtime.
# Its packages glibc and libstdc++ have these versions; libstdc++ is GCC 7's and GCC 11's, see
# https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html.
_AMAZON_LINUX_2 = {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24)}
_AMAZON_LINUX_2023 = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29)}
RUNTIMES = {
    "python3.11": Runtime("cpython-311-x86_64-linux-gnu", _AMAZON_LINUX_2),
    "python3.12": Runtime("cpython-312-x86_64-linux-gnu", _AMAZON_LINUX_2023),
    "python3.13": Runtime("cpython-313-x86_64-linux-gnu", _AMAZON_LINUX_2023),
}


@functools.cache
def runtimes(template: Path) -> dict[str, str]:
    """Each zip's name without suffix -> the runtime of its function in a CloudFormation template.

    All of its functions must be for x86-64, which the zips are built for.
    """
    found = {}
    for name, resource in load(str(template))["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            properties = resource["Properties"]
            if properties.get("Architectures", ["x86_64"]) != ["x86_64"]:
                raise SystemExit(f"{template}: {name} is not for x86_64, which the zips are for")
            found[PurePosixPath(properties["Code"]).stem] = str(properties["Runtime"])
    return found


def misfits(zip: Path, runtime: str) -> list[str]:  # noqa: A002
    """A sentence for each reason why `runtime`, such as python3.11, cannot load what is in a zip.

    Empty where all can be loaded.
    """
    able = RUNTIMES.get(runtime)
    if able is None:
        return [f"what {runtime} can load is not known; add it to RUNTIMES in infra/binaries.py"]
    with zipfile.ZipFile(zip) as archive:
        return [
            f"{name} {problem}"
            for name in archive.namelist()
            if ".so" in PurePosixPath(name).suffixes
            for problem in _problems(name, archive.read(name), runtime, able)
        ]


def _problems(name: str, content: bytes, runtime: str, able: Runtime) -> Iterator[str]:
    tag = re.search(r"\.((?:c|py)py[\w-]*|abi3)\.so$", name)
    if tag and tag[1] not in {able.abi, "abi3"}:
        yield f"is built for {tag[1]}; {runtime} loads {able.abi} and abi3"
    try:
        library = ELFFile(io.BytesIO(content))
    except ELFError:
        yield "is not a shared object of Linux"
        return
    if library["e_machine"] != "EM_X86_64":
        yield f"is for the processor {library['e_machine']}; the functions run on x86-64"
    for kind, most in needed(library).items():
        if kind in able.versions and most > able.versions[kind]:
            yield f"asks for {kind}_{_text(most)}; {runtime} has {_text(able.versions[kind])}"


def needed(library: ELFFile) -> dict[str, Version]:
    """Kind, such as GLIBC -> the newest version of it that a shared object asks for."""
    newest: dict[str, Version] = {}
    for section in library.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    kind, _, number = version.name.rpartition("_")
                    if re.fullmatch(r"[\d.]+", number):
                        asked = tuple(map(int, number.split(".")))
                        newest[kind] = max(newest.get(kind, ()), asked)
    return newest


def _text(version: Version) -> str:
    return ".".join(map(str, version))
