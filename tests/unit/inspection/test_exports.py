"""Exports of ten systems, and of shops that have none of them: what `inspect` proposes is right."""

import shlex
from pathlib import Path

import pytest
from ordergap.cli.main import main
from ordergap.contract.orders import Columns
from ordergap.contract.presets import MEANINGS, PRESETS
from ordergap.inspection import Inspection, inspect, roles

from tests.exports import EXPORTS, Export

EVERY = pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.title)
# Of closed orders Magento's have been credited, other systems' have been delivered.
TOLD_BY_PRESET_ALONE = {"Magento, grid of orders"}


def assert_right(found: Inspection, export: Export) -> None:
    assert found.trainable
    assert found.report is not None
    customers, orders, revenue = export.right()
    assert (found.report.customers, found.report.orders) == (customers, orders)
    assert found.report.revenue == pytest.approx(revenue, abs=0.005)


@EVERY
def test_an_export_is_recognised_and_read_right(export: Export, tmp_path: Path) -> None:
    found = inspect(export.write(tmp_path))
    assert found.preset == export.preset
    assert_right(found, export)


@EVERY
def test_names_and_cells_are_enough_without_presets(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if export.title in TOLD_BY_PRESET_ALONE:
        pytest.skip("only the preset knows what closed means")
    monkeypatch.setattr(roles, "PRESETS", {})
    found = inspect(export.write(tmp_path))
    assert found.preset is None
    assert_right(found, export)


@EVERY
def test_the_command_line_gives_back_what_was_proposed(export: Export, tmp_path: Path) -> None:
    found = inspect(export.write(tmp_path))
    assert found.command is not None
    words = shlex.split(found.command)
    assert words[:4] == ["ordergap", "train", "--file_path", str(tmp_path / export.file)]
    options = {
        name.removeprefix("--"): value for name, value in zip(words[4::2], words[5::2], strict=True)
    }
    assert inspect(tmp_path / export.file, **options).report == found.report


def test_the_command_line_trains_a_model(tmp_path: Path) -> None:
    found = inspect(EXPORTS[0].write(tmp_path))
    assert found.command is not None
    model = ["--trainer", "naive", "--model_dir", str(tmp_path / "model")]
    assert main([*shlex.split(found.command)[1:], *model]) == 0


def test_every_preset_has_a_meaning_and_is_one_of_reading_options() -> None:
    assert PRESETS.keys() == MEANINGS.keys()
    for name, values in PRESETS.items():
        columns = Columns.model_validate({"preset": name})
        assert {option: getattr(columns, option) for option in values} == values
