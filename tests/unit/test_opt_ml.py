"""The platform's folders, laid out in a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.errors import DataError, InvalidHyperparameters
from container.opt_ml import OptMl


@pytest.fixture
def opt_ml(tmp_path: Path) -> OptMl:
    (tmp_path / "input" / "config").mkdir(parents=True)
    return OptMl(tmp_path)


def test_the_folders_are_where_the_platform_puts_them() -> None:
    opt_ml = OptMl()
    assert opt_ml.config == Path("/opt/ml/input/config")
    assert opt_ml.model == Path("/opt/ml/model")
    assert opt_ml.output_data == Path("/opt/ml/output/data")


def test_hyperparameters_are_read_as_they_are_written(opt_ml: OptMl) -> None:
    content = '{"max_depth": "6", "horizons": "[7, 14]", "customer_column": "Kunde Nr. ä"}'
    (opt_ml.config / "hyperparameters.json").write_text(content, encoding="utf-8")
    assert opt_ml.hyperparameters() == {
        "max_depth": "6", "horizons": "[7, 14]", "customer_column": "Kunde Nr. ä",
    }  # fmt: skip


def test_no_hyperparameters_file_means_none_were_given(tmp_path: Path) -> None:
    assert OptMl(tmp_path).hyperparameters() == {}


@pytest.mark.parametrize("content", ["", " \n", "{}"])
def test_an_empty_hyperparameters_file_means_none_were_given(opt_ml: OptMl, content: str) -> None:
    (opt_ml.config / "hyperparameters.json").write_text(content)
    assert opt_ml.hyperparameters() == {}


@pytest.mark.parametrize("content", [b'{"eta": ', b"eta=0.1", b"\xff\xfe\x00broken"])
def test_a_hyperparameters_file_that_is_not_json_is_named(opt_ml: OptMl, content: bytes) -> None:
    path = opt_ml.config / "hyperparameters.json"
    path.write_bytes(content)
    with pytest.raises(InvalidHyperparameters, match=r"hyperparameters\.json is not JSON"):
        opt_ml.hyperparameters()


@pytest.mark.parametrize("content", ["[]", '"eta"', "null", "3"])
def test_hyperparameters_that_are_no_object_are_refused(opt_ml: OptMl, content: str) -> None:
    (opt_ml.config / "hyperparameters.json").write_text(content)
    with pytest.raises(InvalidHyperparameters, match="must hold an object of names and values"):
        opt_ml.hyperparameters()


@pytest.mark.parametrize("name", ["training", "train"])
def test_the_training_channel_has_either_name(opt_ml: OptMl, name: str) -> None:
    folder = opt_ml.root / "input" / "data" / name
    folder.mkdir(parents=True)
    assert opt_ml.training_channel() == folder


def test_a_job_without_a_training_channel_is_told_what_was_expected(opt_ml: OptMl) -> None:
    (opt_ml.root / "input" / "data" / "validation").mkdir(parents=True)
    with pytest.raises(DataError, match=r"channel named training or train under .*--file_path"):
        opt_ml.training_channel()


def test_a_channel_that_was_not_given_is_none(opt_ml: OptMl) -> None:
    assert opt_ml.channel("validation") is None
    (opt_ml.root / "input" / "data" / "validation").mkdir(parents=True)
    assert opt_ml.channel("validation") == opt_ml.root / "input" / "data" / "validation"


def test_the_failure_file_holds_what_the_platform_shows(opt_ml: OptMl) -> None:
    opt_ml.fail("UserError: " + "ä" * 2000)
    text = (opt_ml.root / "output" / "failure").read_text(encoding="utf-8")
    assert text.startswith("UserError: ä")
    assert len(text) == 1024
    opt_ml.fail("shorter")
    assert (opt_ml.root / "output" / "failure").read_text() == "shorter"
