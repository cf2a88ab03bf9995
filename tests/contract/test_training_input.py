"""What a training job is given, in every form the platform has for it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.shop import shop, write_csv
from tests.training_platform import Platform, platform

__all__ = ["platform"]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(30, 150), tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture
def job(platform: Platform, orders: Path) -> Platform:
    """A job with transactions in its training channel."""
    (platform.channel() / "orders.csv").write_bytes(orders.read_bytes())
    return platform


def rows(orders: Path) -> int:
    return len(orders.read_text().splitlines()) - 1


@pytest.mark.point(15)
def test_every_hyperparameter_may_be_a_string(job: Platform) -> None:
    given = {"max_horizon_days": "90", "interval_level": "0.7", "horizons": "7,14", "seed": "7"}
    job.config("hyperparameters", given)
    assert job.train() == 0
    h = job.manifest.hyperparameters
    values = (h.max_horizon_days, h.interval_level, h.horizons, h.seed)
    assert values == (90, 0.7, (7, 14), 7)


@pytest.mark.point(16)
@pytest.mark.parametrize("once_more", [False, True])
def test_values_encoded_once_more_mean_the_same(job: Platform, once_more: bool) -> None:
    given = {"trainer": "naive", "horizons": [7, 14], "interval_level": 0.5, "date_format": None}
    told = {name: json.dumps(value) for name, value in given.items()}
    if once_more:
        told = {name: json.dumps(value) for name, value in told.items()}
    job.config("hyperparameters", told)
    assert job.train() == 0
    h = job.manifest.hyperparameters
    assert (h.trainer.name, h.horizons, h.interval_level) == ("naive", (7, 14), 0.5)


@pytest.mark.point(17)
def test_the_platforms_own_keys_are_accepted(job: Platform) -> None:
    names = ("program", "submit_directory", "region", "job_name", "container_log_level", "new")
    given = {f"sagemaker_{name}": '"x"' for name in names}
    job.config("hyperparameters", given | {"_tuning_objective_metric": "validation:brier"})
    assert job.train() == 0


@pytest.mark.point(18)
@pytest.mark.parametrize("content", [None, "", "{}"])
def test_no_hyperparameters_are_all_defaults(job: Platform, content: str | None) -> None:
    if content is not None:
        job.config("hyperparameters", content)
    assert job.train() == 0
    assert job.manifest.hyperparameters.horizons == (7, 30, 60, 90)


@pytest.mark.point(18)
@pytest.mark.parametrize("content", ['{"eta": ', "[1]", "eta=1"])
def test_malformed_hyperparameters_are_named(job: Platform, content: str) -> None:
    job.config("hyperparameters", content)
    assert job.train() == 1
    assert job.failure
    assert job.failure.startswith("UserError: ")
    assert "hyperparameters.json" in job.failure


@pytest.mark.point(19)
def test_all_wrong_hyperparameters_are_named_at_once_with_what_is_near_or_allowed(
    job: Platform,
) -> None:
    job.config("hyperparameters", {"max_dept": "3", "eta": "7", "objective": "hazrd", "xyz": "1"})
    assert job.train() == 1
    assert job.failure
    for words in (
        "max_dept is not a hyperparameter: did you mean max_depth?",
        "xyz is not a hyperparameter",
        "eta = 7: must be a number, above 0, at most 1",
        "objective = 'hazrd': must be one of hazard, aft, squared-error",
    ):
        assert words in job.failure


@pytest.mark.point(20)
@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        {},
        {"training": {}},
        {"training": {"TrainingInputMode": "File"}},
        {"training": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
                      "RecordWrapperType": "None", "ContentType": "text/csv", "Tomorrow": 1}},
    ],
)  # fmt: skip
def test_inputdataconfig_may_leave_out_what_it_likes(job: Platform, content: object) -> None:
    if content is not None:
        job.config("inputdataconfig", content)
    assert job.train() == 0


@pytest.mark.point(21)
def test_a_channel_may_hold_folders_files_of_every_form_empty_ones_and_marker_files(
    platform: Platform, orders: Path
) -> None:
    header, *lines = orders.read_text().splitlines(keepends=True)
    third = len(lines) // 3
    channel = platform.channel()
    (channel / "2024" / "b").mkdir(parents=True)
    (channel / "first.csv").write_text(header + "".join(lines[:third]))
    zipped = gzip.compress((header + "".join(lines[third : 2 * third])).encode())
    (channel / "2024" / "second.csv.gz").write_bytes(zipped)
    last = pl.read_csv((header + "".join(lines[2 * third :])).encode())
    last.write_parquet(channel / "2024" / "b" / "part-0.parquet")
    for name in ("_SUCCESS", ".hidden.csv", ".sagemaker-tmp", "empty.csv", "2024/_committed_1"):
        (channel / name).touch()
    (channel / ".hidden.csv").write_text("not for us")
    assert platform.train() == 0
    assert platform.manifest.data.rows_read == len(lines)
    (platform.channel("whole")).rename(platform.root / "whole")
    alone = Platform(platform.root / "other")
    (alone.root / "input" / "config").mkdir(parents=True)
    (alone.channel() / "orders.csv").write_bytes(orders.read_bytes())
    assert alone.train() == 0
    assert alone.manifest.data_digest == platform.manifest.data_digest


@pytest.mark.point(22)
@pytest.mark.parametrize("mode", ["File", "FastFile"])
def test_input_is_read_and_never_written_to(job: Platform, mode: str) -> None:
    job.config("inputdataconfig", {"training": {"TrainingInputMode": mode}})
    before = job.files("input")
    for path in (job.root / "input").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert job.train() == 0
        assert job.files("input") == before
    finally:
        for path in (job.root / "input").rglob("*"):
            path.chmod(0o755)


@pytest.mark.point(22)
def test_input_is_opened_for_reading_alone(job: Platform) -> None:
    script = (
        "import sys\n"
        "def hear(event, words):\n"
        "    if event == 'open' and '/input/' in str(words[0]):\n"
        "        assert not set(str(words[1])) & set('wax+'), words\n"
        "sys.addaudithook(hear)\n"
        "from ordergap.cli.main import main\n"
        "sys.exit(main(['train', '--trainer', 'naive', '--opt_ml', sys.argv[1]]))\n"
    )
    command = [sys.executable, "-c", script, str(job.root)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.point(23)
def test_pipe_mode_is_refused_at_once(platform: Platform) -> None:
    platform.config("inputdataconfig", {"training": {"TrainingInputMode": "Pipe"}})
    data = platform.root / "input" / "data"
    data.mkdir()
    os.mkfifo(data / "training_0")  # to open it would wait for ever
    assert platform.train() == 1
    assert platform.failure
    for word in ("UserError: channel training", "Pipe mode", "File or FastFile"):
        assert word in platform.failure


@pytest.mark.point(24)
@pytest.mark.parametrize(
    "said",
    ["text/csv", "csv", "text/csv; charset=utf-8; label_size=1", "TEXT/CSV;label_size=0", None],
)
def test_the_content_type_may_have_parameters_be_short_or_be_absent(
    job: Platform, said: str | None
) -> None:
    job.config("inputdataconfig", {"training": {"ContentType": said} if said else {}})
    assert job.train() == 0


@pytest.mark.point(24)
def test_the_content_type_decides_whatever_a_file_is_called(
    platform: Platform, orders: Path
) -> None:
    lines = pl.read_csv(orders, infer_schema=False).to_dicts()
    path = platform.channel("train") / "orders.csv"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    platform.config("inputdataconfig", {"train": {"ContentType": "application/jsonlines"}})
    assert platform.train() == 0
    assert platform.manifest.data.rows_read == len(lines)


@pytest.mark.point(24)
def test_an_unknown_content_type_is_refused_naming_the_known(job: Platform) -> None:
    job.config("inputdataconfig", {"training": {"ContentType": "application/x-recordio-protobuf"}})
    assert job.train() == 1
    assert job.failure
    for word in ("UserError: application/x-recordio-protobuf", "text/csv", "parquet", "jsonlines"):
        assert word in job.failure


@pytest.mark.point(25)
def test_a_file_without_a_header_is_refused_and_its_first_row_is_not_eaten(
    platform: Platform, orders: Path
) -> None:
    _, *lines = orders.read_text().splitlines(keepends=True)
    (platform.channel() / "orders.csv").write_text("".join(lines))
    assert platform.train() == 1
    assert platform.failure
    assert platform.failure.startswith("UserError: ")
    assert "CustomerID" in platform.failure


@pytest.mark.point(26)
@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        {},
        {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"},
        {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": "ml.m5.large",
         "current_group_name": "g", "topology": None,
         "instance_groups": [{"instance_group_name": "g", "hosts": ["algo-1"]}]},
    ],
)  # fmt: skip
def test_resourceconfig_may_be_absent_empty_or_hold_more(job: Platform, content: object) -> None:
    if content is not None:
        job.config("resourceconfig", content)
    (job.root / "input" / "config" / "resourceConfig.json").touch()
    assert job.train() == 0


@pytest.mark.point(28)
def test_other_files_of_settings_do_no_harm(job: Platform) -> None:
    for name in ("debughookconfig", "profilerconfig", "upstreamoutputdataconfig", "metricsconfig"):
        job.config(name, '{"not": "ours')
    assert job.train() == 0


@pytest.mark.point(28)
@pytest.mark.point(38)
def test_checkpoints_go_where_checkpointconfig_says(job: Platform, tmp_path: Path) -> None:
    job.config("checkpointconfig", {"LocalPath": str(tmp_path / "kept"), "S3Uri": "s3://b/p"})
    words = ("--trainer", "xgboost", "--num_round", "3")
    assert job.train(*words) == 0
    assert list((tmp_path / "kept").glob("checkpoint-*"))
    (job.root / "input" / "config" / "checkpointconfig.json").unlink()
    (job.root / "checkpoints").mkdir()
    assert job.train(*words) == 0
    assert list((job.root / "checkpoints").glob("checkpoint-*"))


@pytest.mark.point(29)
def test_the_toolkits_variables_are_honoured_and_not_needed(
    platform: Platform, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SM_MODEL_DIR": str(tmp_path / "model"),
        "SM_CHANNEL_TRAIN": str(orders.parent),
        "SM_OUTPUT_DATA_DIR": str(tmp_path / "data"),
        "SM_HPS": '{"seed": 5, "horizons": "7,14"}',
        "SM_HOSTS": '["algo-1"]',
        "SM_NUM_CPUS": "4",
        "TRAINING_JOB_NAME": "job",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:::training-job/job",
    }.items():
        monkeypatch.setenv(name, value)
    platform.config("hyperparameters", {"seed": "6"})
    assert platform.train() == 0
    made = Platform(tmp_path).manifest.hyperparameters
    assert (made.seed, made.horizons) == (6, (7, 14))
    assert (tmp_path / "data" / "metrics.json").is_file()
    assert not (platform.root / "model").exists()


@pytest.mark.point(29)
def test_a_variable_that_makes_no_sense_is_named(
    job: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_HPS", "{")
    assert job.train() == 1
    assert job.failure
    assert job.failure.startswith("UserError: environment variable SM_HPS")


@pytest.mark.point(30)
@pytest.mark.parametrize("names", [(), ("_SUCCESS", "empty.csv")])
def test_a_channel_without_data_is_the_users_error(
    platform: Platform, names: tuple[str, ...]
) -> None:
    for name in names:
        (platform.channel() / name).touch()
    platform.channel()
    assert platform.train() == 1
    assert platform.failure
    assert platform.failure.startswith("UserError: the folder")
    assert "no data files" in platform.failure
