"""The platform's folders, in a folder of the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ordergap.errors import DataError, InvalidHyperparameters, UserError
from ordergap.sagemaker.opt_ml import Channel, OptMl


@pytest.fixture
def opt_ml(tmp_path: Path) -> OptMl:
    (tmp_path / "input" / "config").mkdir(parents=True)
    return OptMl(tmp_path)


def channel(opt_ml: OptMl, name: str) -> Path:
    folder = opt_ml.root / "input" / "data" / name
    folder.mkdir(parents=True)
    return folder


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
    with pytest.raises(InvalidHyperparameters, match="must be a JSON object of names and values"):
        opt_ml.hyperparameters()


@pytest.mark.parametrize("name", ["training", "train"])
def test_the_training_channel_has_either_name(opt_ml: OptMl, name: str) -> None:
    folder = channel(opt_ml, name)
    assert opt_ml.training_channel() == Channel(folder)


def test_without_a_training_channel_the_error_names_those_that_are_read(opt_ml: OptMl) -> None:
    channel(opt_ml, "validation")
    with pytest.raises(DataError, match=r"channel named training or train under .*--file_path"):
        opt_ml.training_channel()


def test_a_channel_that_was_not_given_is_none(opt_ml: OptMl) -> None:
    assert opt_ml.channel("validation") is None
    folder = channel(opt_ml, "validation")
    assert opt_ml.channel("validation") == Channel(folder)


def test_a_channel_of_another_name_is_logged(
    opt_ml: OptMl, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("train", "validation", "test", "tset"):
        channel(opt_ml, name)
    opt_ml.training_channel()
    assert caplog.messages == ["Input channels of other names are ignored: test, tset"]


@pytest.mark.parametrize(
    ("settings", "content_type"),
    [
        ({}, None),
        ({"training": {}}, None),
        ({"training": {"TrainingInputMode": "FastFile", "ContentType": ""}}, None),
        ({"training": {"ContentType": "text/csv; charset=utf-8", "New": [1]}},
         "text/csv; charset=utf-8"),
        ({"training": None, "validation": {"TrainingInputMode": "Pipe"}}, None),
    ],
)  # fmt: skip
def test_a_channel_has_the_content_type_that_it_was_given(
    opt_ml: OptMl, settings: dict[str, object], content_type: str | None
) -> None:
    folder = channel(opt_ml, "training")
    (opt_ml.config / "inputdataconfig.json").write_text(json.dumps(settings))
    assert opt_ml.training_channel() == Channel(folder, content_type)


def test_a_pipe_is_refused_before_it_is_looked_for(opt_ml: OptMl) -> None:
    settings = {"train": {"TrainingInputMode": "Pipe"}}
    (opt_ml.config / "inputdataconfig.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match=r"channel train is in Pipe mode.*File or FastFile"):
        opt_ml.training_channel()


@pytest.mark.parametrize(
    ("content", "hosts"),
    [
        (None, ()),
        ("", ()),
        ("{}", ()),
        ('{"hosts": ["algo-1"], "current_host": "algo-1", "topology": {"a": 1}}', ("algo-1",)),
        ('{"hosts": ["algo-1", "algo-2"], "current_instance_group": "g"}', ("algo-1", "algo-2")),
        ('{"hosts": null}', ()),
    ],
)
def test_the_hosts_are_those_that_resourceconfig_names(
    opt_ml: OptMl, content: str | None, hosts: tuple[str, ...]
) -> None:
    if content is not None:
        (opt_ml.config / "resourceconfig.json").write_text(content)
    assert opt_ml.hosts() == hosts


@pytest.mark.parametrize("name", ["resourceconfig", "inputdataconfig", "checkpointconfig"])
def test_a_damaged_file_of_settings_is_named(opt_ml: OptMl, name: str) -> None:
    channel(opt_ml, "training")
    (opt_ml.config / f"{name}.json").write_text('{"hosts": [')
    read = {
        "resourceconfig": opt_ml.hosts,
        "inputdataconfig": opt_ml.training_channel,
        "checkpointconfig": opt_ml.checkpoints,
    }
    with pytest.raises(UserError, match=rf"{name}\.json is not JSON"):
        read[name]()


def test_checkpoints_are_kept_where_the_job_says_or_in_the_default_folder(
    opt_ml: OptMl, tmp_path: Path
) -> None:
    assert opt_ml.checkpoints() is None
    (opt_ml.root / "checkpoints").mkdir()
    assert opt_ml.checkpoints() == opt_ml.root / "checkpoints"
    settings = {"S3Uri": "s3://bucket/prefix", "LocalPath": str(tmp_path / "kept")}
    (opt_ml.config / "checkpointconfig.json").write_text(json.dumps(settings))
    assert opt_ml.checkpoints() == tmp_path / "kept"


def test_a_failure_of_an_earlier_run_is_forgotten(opt_ml: OptMl) -> None:
    opt_ml.forget_failure()
    opt_ml.fail("UserError: no")
    opt_ml.forget_failure()
    assert not (opt_ml.root / "output" / "failure").exists()


def test_a_failure_that_cannot_be_written_is_logged(
    opt_ml: OptMl, caplog: pytest.LogCaptureFixture
) -> None:
    (opt_ml.root / "output").write_text("a file, where a folder should be")
    opt_ml.fail("UserError: no")
    assert "cannot be written" in caplog.text


def test_the_failure_file_holds_what_the_platform_shows(opt_ml: OptMl) -> None:
    opt_ml.fail("UserError: " + "ä" * 2000)
    text = (opt_ml.root / "output" / "failure").read_text(encoding="utf-8")
    assert text.startswith("UserError: ä")
    assert len(text) == 1024
    opt_ml.fail("shorter")
    assert (opt_ml.root / "output" / "failure").read_text() == "shorter"
