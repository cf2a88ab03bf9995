"""Files are read where they are files and nothing else, and written whole."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ordergap import files
from ordergap.errors import PlatformError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "file").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"secret")
    return made


def test_a_file_is_read_whatever_leads_to_its_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert files.read(tmp_path / "link", Path("inner", "file")) == b"content"


def made_odd(path: Path, what: str) -> None:
    if what == "link":
        path.symlink_to("../secret")
    elif what == "dangling link":
        path.symlink_to("nowhere")
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))  # an absolute path may be too long for a socket
    elif what == "link to a device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "what", ["link", "dangling link", "pipe", "socket", "link to a device", "folder"]
)
def test_what_is_no_file_is_not_opened(folder: Path, what: str) -> None:
    made_odd(folder / "odd", what)
    with pytest.raises(files.NotAFile, match=r"odd is (a link|no regular file)"):
        files.read(folder, "odd")


def test_no_link_on_the_way_is_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "way").symlink_to(tmp_path)
    with pytest.raises(files.NotAFile, match="way is a link"):
        files.read(folder, Path("way", "secret"))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", ["link", "pipe"])
def test_what_was_exchanged_since_it_was_looked_at_is_not_followed(
    folder: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_odd(folder / "odd", what)
    regular = (folder / "inner" / "file").stat()
    monkeypatch.setattr(Path, "lstat", lambda _: regular)
    with pytest.raises(OSError, match="odd"):
        files.read(folder, "odd")


def test_a_file_is_replaced_whole_and_a_link_to_it_stays(folder: Path) -> None:
    target = folder / "inner" / "file"
    (folder / "link").symlink_to(target)
    files.replace(folder / "link", b"new")
    assert target.read_bytes() == b"new"
    assert (folder / "link").is_symlink()
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_device_is_written_to_and_not_replaced() -> None:
    with pytest.raises(OSError, match="No space left on device"):
        files.replace(Path("/dev/full"), b"content")
    files.replace(Path("/dev/null"), b"content")
    assert Path("/dev/null").is_char_device()


def test_trying_leaves_nothing_and_makes_no_folder(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    files.try_writing("it fails in", folder)
    files.try_writing("it fails in", folder / "to" / "be" / "made")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("place", ["inner/file", "inner/file/model", "x" * 300, "dangling"])
def test_a_folder_that_cannot_be_is_found_out_by_trying(folder: Path, place: str) -> None:
    (folder / "dangling").symlink_to("nowhere")
    with pytest.raises(PlatformError, match=r"it fails in .*: .*; make room there"):
        files.try_writing("it fails in", folder / place)
