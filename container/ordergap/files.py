"""Files: read only where they are what they seem, written so that they are there after a crash.

See docs/decisions/packages.md#a-models-files-are-bytes-until-they-are-on-the-disk.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ordergap.errors import PlatformError

_TRIED = 4096  # bytes, a page


class NotAFile(OSError):
    """A link, a folder, a pipe or a device where a regular file should be."""


def read(folder: Path, name: str | Path, most: int = sys.maxsize) -> bytes:
    """The bytes of the regular file `name` in `folder`, or in a folder there.

    The folder itself may be a link. Raises OSError: where there are more than `most` bytes, and
    NotAFile where `name` is or leads through a link, or is a folder, a pipe or a device, which are
    not opened.
    """
    path, mode = folder, 0
    for part in Path(name).parts:
        path /= part
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise NotAFile(errno.ELOOP, f"{path.name} is a link: put the file itself there")
    _refuse_other_than_files(mode, path)
    # It may have been exchanged since: no link is followed, and a pipe does not wait for a writer.
    flags = [getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")]
    with os.fdopen(os.open(path, os.O_RDONLY | sum(flags)), "rb") as file:
        _refuse_other_than_files(os.fstat(file.fileno()).st_mode, path)
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"{path.name} is larger than {most >> 20} MiB")
        return file.read()


def _refuse_other_than_files(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise NotAFile(errno.EINVAL, f"{path.name} is no regular file")


def write(path: Path, content: bytes) -> None:
    """Write a file, and return once the disk has its bytes. Raises OSError."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, content: bytes) -> None:
    """Write a file beside and rename it: under its name it is whole at any time. Raises OSError.

    What is there and no file, such as /dev/stdout, is written to.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()  # a link stays one
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(beside, content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return once the disk knows what is in the folder. Raises OSError."""
    if sys.platform == "win32":  # which cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def saving(failure: str, place: Path) -> Iterator[None]:
    """Raises PlatformError for an OSError of the block: what failed, the place, and why."""
    try:
        yield
    except OSError as error:
        raise PlatformError(
            f"{failure} {place}: {error.strerror or error}; make room there, or name a place that "
            "can be written"
        ) from error


def try_writing(failure: str, folder: Path) -> None:
    """As `saving`, where the folder, or the one that it is to be made in, takes no file.

    Nothing stays there.
    """
    with saving(failure, folder):
        places = (folder, *folder.absolute().parents)
        there = next(place for place in places if place.exists() or place.is_symlink())
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(_TRIED))
            file.flush()
            os.fsync(file.fileno())
