"""A full disk, wherever it is, ends in a model that loads or in a reason that says where."""

from __future__ import annotations

import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ordergap.artifacts import Bundle
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.contract.manifest import MANIFEST
from ordergap.errors import ModelNotFound, PlatformError

from tests.shop import shop, write_csv
from tests.trained import train

PAGE = 4096
SETTINGS = {"trainer": "xgboost", "objective": "squared-error", "num_round": 6, "time_bins": 8}
SETTINGS |= {"value": "off", "large_orders": "off"}
WORDS = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
Disk = Callable[[int], Path]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(40, 200), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def trained(orders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(parse(SETTINGS), orders, folder)
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Makes a disk of so many pages."""
    mounted: list[Path] = []

    def mount(pages: int) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={pages * PAGE}", "none", str(place)]
        try:
            subprocess.run(words, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no disk can be mounted here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


def size_of(folder: Path, name: str) -> int:
    (file,) = folder.rglob(name)
    return file.stat().st_size


def test_a_temporary_folder_without_room_for_the_last_page_changes_nothing(
    trained: Path, orders: Path, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = -(-size_of(trained, "model.ubj") // PAGE)
    for room in (pages - 1, 1):
        model = tmp_path / f"model{room}"
        monkeypatch.setattr(tempfile, "tempdir", str(disk(room)))
        assert main(["train", "--file_path", str(orders), "--model_dir", str(model), *WORDS]) == 0
        loaded = Bundle.load(model).manifest
        assert loaded.model_version == Bundle.load(trained).manifest.model_version


def test_a_models_disk_that_is_full_is_named_and_has_no_model(
    trained: Path, orders: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = sum(path.stat().st_size for path in trained.rglob("*")) // PAGE
    for room in (2, needed // 2, needed - 2):
        place = disk(room)
        assert main(["train", "--file_path", str(orders), "--model_dir", str(place), *WORDS]) == 1
        said = capsys.readouterr()
        assert said.err.startswith(f"PlatformError: the model cannot be saved in {place}: No space")
        assert "Traceback" not in said.out + said.err
        with pytest.raises(ModelNotFound):
            Bundle.load(place)


def test_a_disk_without_any_room_is_found_before_anything_is_read(
    orders: Path, disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = disk(1)
    (place / "others").write_bytes(bytes(PAGE))
    assert main(["train", "--file_path", str(orders), "--model_dir", str(place), *WORDS]) == 1
    said = capsys.readouterr()
    assert f"the model cannot be saved in {place}: No space left on device" in said.err
    assert "Reading" not in said.out


@pytest.mark.parametrize("room", [0, 2])
def test_an_output_disk_that_is_full_is_named(
    room: int,
    orders: Path,
    disk: Disk,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, model = disk(room + 1), tmp_path / "model"
    (place / "others").write_bytes(bytes(PAGE))
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(place / "data"))
    assert main(["train", "--file_path", str(orders), "--model_dir", str(model), *WORDS]) == 1
    said = capsys.readouterr()
    assert f"metrics and report cannot be saved in {place}/data: No space" in said.err
    assert ("Reading" in said.out) == (room > 0)
    assert "Traceback" not in said.out + said.err


def test_a_checkpoints_disk_that_is_full_is_named_and_ends_no_job(
    orders: Path, disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = disk(3)
    words = ["--model_dir", str(tmp_path / "model"), "--checkpoint_dir", str(place), *WORDS]
    assert main(["train", "--file_path", str(orders), *words]) == 0
    assert f"no checkpoint was written in {place}: [Errno 28] No space" in capsys.readouterr().out
    assert [path.name for path in place.iterdir()] == ["checkpoint-000001"]
    Bundle.load(tmp_path / "model")


def test_a_forecasts_disk_that_is_full_is_named_and_has_no_file(
    trained: Path, orders: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    output = disk(1) / "next.csv"
    words = ["--file_path", str(orders), "--model_dir", str(trained)]
    for command in ("predict", "due"):
        more = ["--format", "csv"] if command == "due" else []
        output.with_name("others").write_bytes(bytes(PAGE))
        assert main([command, *words, "--output", str(output), *more]) == 1
        said = capsys.readouterr()
        assert f"cannot be written to {output}: No space left on device" in said.err
        assert "Traceback" not in said.out + said.err
        assert [path.name for path in output.parent.iterdir()] == ["others"]


def test_wherever_a_file_is_cut_off_the_model_that_was_there_stays(
    trained: Path, tmp_path: Path
) -> None:
    """Every file may have so many bytes, also where no disk can be mounted."""
    bundle, place = Bundle.load(trained), tmp_path / "model"
    bundle.save(place)
    before = (place / MANIFEST).read_bytes()
    largest = max(path.stat().st_size for path in place.rglob("*"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 1, PAGE, largest // 2, largest - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(PlatformError, match=f"cannot be saved in {place}: File too large"):
                bundle.save(place)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (place / MANIFEST).read_bytes() == before
        Bundle.load(place)


def test_what_is_read_back_must_be_what_was_written(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.open

    def losing(path: Path, mode: str = "r", *words: object, **named: object) -> object:
        """A disk that gives back one byte less."""
        if path.name == "model.ubj" and "w" in mode:
            return Losing(path)
        return write(path, mode, *words, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", losing)
    with pytest.raises(PlatformError, match=r"what was written there is not what is read back"):
        Bundle.load(trained).save(tmp_path / "model")
    assert [*(tmp_path / "model").iterdir()] == []


class Losing:
    """Takes all bytes and keeps all but one."""

    def __init__(self, path: Path) -> None:
        self.file = open(path, "wb")  # noqa: PTH123, SIM115

    def __enter__(self) -> Losing:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> int:
        return self.file.write(content[:-1]) + 1

    def flush(self) -> None:
        self.file.flush()

    def fileno(self) -> int:
        return self.file.fileno()
