"""The files of a folder and of the folders in it, links followed.

See docs/decisions/data.md#what-cannot-be-read-in-a-folder-is-refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ordergap.errors import DataError
from ordergap.ingest.names import is_hidden


def files(folder: Path) -> Iterator[Path]:
    """Every file that is neither empty nor hidden, once, however many links lead to it.

    Raises DataError as `status` does.
    """
    seen: set[tuple[int, int]] = set()
    places, links = [folder], list[Path]()
    while places or links:  # what is in its place comes before what a link leads to
        path = (places or links).pop()
        there = status(path)
        if (there.st_dev, there.st_ino) in seen:
            continue
        seen.add((there.st_dev, there.st_ino))
        if stat.S_ISDIR(there.st_mode):
            for entry in _entries(path):
                (links if entry.is_symlink() else places).append(entry)
        elif there.st_size:
            yield path


def status(path: Path) -> os.stat_result:
    """What the system says of a file or folder.

    Raises DataError for what is neither, for a link to nothing, and for a name that is not UTF-8.
    """
    try:
        str(path).encode()
        there = path.stat()
    except UnicodeEncodeError as error:
        raise DataError(f"the name {printable(path)} is not UTF-8: rename it") from error
    except OSError as error:
        if path.is_symlink():
            raise DataError(
                f"{path} is a link to {path.readlink()}, which cannot be read ({error.strerror}): "
                "put the file there, or take the link away"
            ) from error
        if isinstance(error, PermissionError):
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        raise DataError(f"there is no file or folder {path}") from error
    if not (stat.S_ISREG(there.st_mode) or stat.S_ISDIR(there.st_mode)):
        raise DataError(f"{path} is a pipe or a device: write what it gives to a file")
    return there


def printable(path: Path | str) -> str:
    """The path, with escapes for bytes that are not UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _entries(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if not is_hidden(each.name)]
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read: {error.strerror}") from error
