"""What the environment may say, and what the machine says where it is silent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ordergap.errors import UserError
from ordergap.settings import Settings, available_cpus


def test_an_empty_environment_means_the_defaults() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert (settings.port, settings.default_content_type) == (8080, "application/json")
    assert settings.workers == available_cpus() >= 1
    assert Settings.from_environment({"SAGEMAKER_BIND_TO_PORT": " "}) == settings


def test_every_variable_that_describe_names_is_read() -> None:
    environment = {
        "SAGEMAKER_BIND_TO_PORT": "9000",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "3",
        "ORDERGAP_THREADS": "5",
        "ORDERGAP_QUEUE": "7",
        "ORDERGAP_MAX_BODY_MB": "30",
        "ORDERGAP_MAX_RECORDS": "1000",
        "ORDERGAP_MAX_ORDERS": "50000",
        "ORDERGAP_MAX_EXPLAINED": "500",
        "ORDERGAP_MAX_PROBABILITIES": "70000",
        "ORDERGAP_MAX_DAYS_AHEAD": "80000",
        "ORDERGAP_VALUE": "on",
        "ORDERGAP_ON_BAD_RECORD": "placeholder",
        "ORDERGAP_STALE_AFTER_DAYS": "400",
        "ORDERGAP_DEFAULT_CONTENT_TYPE": "text/csv",
        "ORDERGAP_LOG_LEVEL": "debug",
        "ORDERGAP_LOG_FORMAT": "text",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv; header=present",
        "SAGEMAKER_BATCH": "True",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "20",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "4",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SM_MODEL_DIR": "/models/best",
    }
    names = [line.strip() for line in Settings.describe().splitlines()][::2]
    assert set(names) == set(environment)
    settings = Settings.from_environment(environment)
    values = {field.alias: getattr(settings, name) for name, field in Settings.model_fields.items()}
    assert {name: str(value) for name, value in values.items()} == environment


@pytest.mark.point(66)
@pytest.mark.parametrize(
    ("word", "batch"),
    [("true", True), ("True", True), ("TRUE", True), ("false", False), ("", False)],
)
def test_batch_transform_is_known_in_any_letter_case(word: str, batch: bool) -> None:
    assert Settings.from_environment({"SAGEMAKER_BATCH": word}).batch is batch


def test_one_error_names_every_wrong_variable() -> None:
    with pytest.raises(UserError) as refused:
        Settings.from_environment(
            {"SAGEMAKER_BIND_TO_PORT": "http", "ORDERGAP_THREADS": "0", "SM_MODEL_DIR": "/m"}
        )
    assert "SAGEMAKER_BIND_TO_PORT = 'http': " in str(refused.value)
    assert "ORDERGAP_THREADS = '0': " in str(refused.value)


@pytest.mark.parametrize("word", ["MultiRecord", "MULTI_RECORD", "multi_record"])
def test_a_batch_strategy_may_be_spelt_as_the_transform_api_does(word: str) -> None:
    settings = Settings.from_environment({"SAGEMAKER_BATCH_STRATEGY": word})
    assert settings.batch_strategy == "MULTI_RECORD"


@pytest.mark.point(63)
@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "9900000 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu.max": "nonsense"}, None),
    ],
)
def test_processors_are_those_of_the_container(
    tmp_path: Path, files: dict[str, str], cpus: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert available_cpus(tmp_path) == (cpus or len(os.sched_getaffinity(0)))


@pytest.mark.point(63)
def test_limit_threads_leaves_what_the_caller_has_set(root: Path) -> None:
    script = (
        "import os; from ordergap.settings import limit_threads; limit_threads(2);"
        "names = 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'POLARS_MAX_THREADS';"
        "print(*map(os.environ.get, names))"
    )
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "4"}
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert process.stdout.split() == ["4", "1", "2"]
