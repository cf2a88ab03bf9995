"""Plays on the built image: what a user types, and what must be seen."""

import csv
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from ordergap import __version__

from tests.e2e.conftest import Run, Serve, Start
from tests.e2e.engine import Container, Job, docker

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

READ_ONLY = ("--read-only", "--tmpfs", "/tmp")  # noqa: S108  in the container
NOBODY = ("--user", "1000:1000", *READ_ONLY)
CODE = "/opt/ml/code"


def one_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


# The three documented commands.


def test_the_documented_training_tells_what_it_read_and_how_good_it_is(shop: Path) -> None:
    log = (shop / "train.log").read_text()
    assert (shop / "SageMaker_Training/manifest.json").is_file()
    assert "naive" in log
    for rejected in ("non product code", "cancel"):
        assert rejected in log
    assert "have the customer and date that other lines of their order have" in log


def test_the_documented_server_finds_the_model_and_answers(
    shop: Path, serve: Serve, customer: str
) -> None:
    server = serve("-v", f"{shop}:{CODE}", word="inference")
    status, body = server.ask("POST", "/invocations", customer, Content_Type="application/json")
    assert status == 200, body
    (prediction,) = json.loads(body)["predictions"]
    assert prediction["customer_id"] == json.loads(customer)["customer_id"]
    assert prediction["next_order_date"] >= prediction["as_of"] == "2011-12-09"
    version = json.loads((shop / "SageMaker_Training/manifest.json").read_text())["model_version"]
    assert prediction["model_version"] == version


def test_the_server_takes_order_lines_as_they_were_exported(shop: Path, serve: Serve) -> None:
    server = serve("-v", f"{shop}:{CODE}:ro")
    header, *rest = (shop / "Online_Retail.csv").read_text("latin-1").splitlines()[:40]
    lines = [line for line in rest if not line.endswith(",,United Kingdom")]
    form = 'text/csv; charset=iso-8859-1; as_of=2011-12-09; horizons="30,60"'
    status, body = server.ask(
        "POST",
        "/invocations",
        "\n".join([header, *lines]),
        Content_Type=form,
        Accept="application/jsonlines",
    )
    assert status == 200, body
    predictions = [json.loads(line) for line in body.splitlines()]
    ids = {line.split(",")[-2] for line in lines}
    assert {prediction["customer_id"] for prediction in predictions} == ids
    assert set(predictions[0]["buy_probability"]) == {"30", "60"}


def test_predict_writes_a_row_for_every_customer_who_ordered(shop: Path, run: Run) -> None:
    run(
        *("predict", "--file_path", "Online_Retail.csv", "--output", "due.csv"),
        options=("-v", f"{shop}:{CODE}"),
    )
    with (shop / "due.csv").open() as file:
        predicted = [row["customer_id"] for row in csv.DictReader(file)]
    with (shop / "Online_Retail.csv").open(encoding="latin-1") as file:
        ordered = {row["CustomerID"] for row in csv.DictReader(file)} - {""}
    assert len(predicted) == len(set(predicted))
    # A customer whose every order was cancelled has not ordered.
    assert 0.98 * len(ordered) <= len(predicted)
    assert set(predicted) <= ordered


def test_the_command_of_the_documents_is_there_inside_too(image: str) -> None:
    said = docker("run", "--rm", "--entrypoint", "ordergap", image, "--version").stdout
    assert said == f"ordergap {__version__}\n"


# Where it runs.


def test_a_job_of_the_platform_needs_no_network_no_rights_and_no_writable_input(
    job: Job, run: Run, serve: Serve
) -> None:
    run("train", options=("--network", "none", *NOBODY, *job.mounts))
    assert job.manifest["model_version"]
    assert job.failure is None
    server = serve(*NOBODY, "-v", f"{job.root}/model:/opt/ml/model:ro")
    assert server.ask("GET", "/ping") == (200, "")


def test_it_runs_as_root_and_on_a_port_that_it_is_told(
    shop: Path, serve: Serve, customer: str
) -> None:
    model = f"{shop}/SageMaker_Training:/opt/ml/model:ro"
    server = serve("-e", "SAGEMAKER_BIND_TO_PORT=9000", *READ_ONLY, "-v", model, port=9000)
    status, _ = server.ask("POST", "/invocations", customer, Content_Type="application/json")
    assert status == 200


def test_every_trainer_is_in_the_image(job: Job, run: Run) -> None:
    for trainer in ("naive", "random-forest", "lstm"):
        job.say(trainer=trainer, epochs="1", num_round="10")
        run("train", options=("--network", "none", *job.mounts))
        assert job.manifest["hyperparameters"]["trainer"]["name"] == trainer


def test_a_file_of_the_user_does_not_take_the_place_of_ours(
    shop: Path, run: Run, tmp_path: Path
) -> None:
    for name in ("polars.py", "json.py", "ordergap.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    shutil.copy(shop / "Online_Retail.csv", tmp_path)
    run(
        *("train", "--file_path", "Online_Retail.csv", "--trainer", "naive"),
        options=("-v", f"{tmp_path}:{CODE}"),
    )
    assert (tmp_path / "SageMaker_Training/manifest.json").is_file()


# What it says when it cannot.


def test_an_unknown_command_gets_one_line_of_usage(run: Run) -> None:
    done = run("dance", check=False)
    assert done.returncode not in {0, 126, 127}
    assert "Traceback" not in done.stderr + done.stdout
    assert "train" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--file_path", "nowhere.csv"), "nowhere.csv"),
        (("--file_path", "bad.csv"), "CustomerID"),
        (("--file_path", "bad.csv", "--max_dept", "4"), "max_depth"),
    ],
)
def test_what_the_user_can_mend_ends_with_one_clear_line_and_code_1(
    tmp_path: Path, run: Run, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    done = run("train", *words, options=("-v", f"{tmp_path}:{CODE}"), check=False)
    assert done.returncode == 1
    assert said in one_line(done.stderr)


def test_a_failed_job_leaves_its_reason_and_no_model(job: Job, run: Run) -> None:
    job.say(max_dept="4", eta="7")
    done = run("train", options=job.mounts, check=False)
    assert done.returncode == 1
    assert job.failure
    assert job.failure.startswith("UserError")
    assert "max_depth" in job.failure
    assert "eta" in job.failure
    assert not list((job.root / "model").iterdir())


def test_an_empty_channel_fails_with_its_name(job: Job, run: Run) -> None:
    (job.channel / "Online_Retail.csv").unlink()
    done = run("train", options=job.mounts, check=False)
    assert done.returncode == 1
    assert job.failure
    assert job.failure.startswith("UserError")
    assert "/opt/ml/input/data/training" in job.failure


def on_hosts(hosts: dict[str, Job], network: str, start: Start) -> dict[str, Container]:
    """Both hosts of a job, started; the engine's names lead from one to the other."""
    return {
        name: start(
            "train",
            options=(
                "--network",
                network,
                "--hostname",
                name,
                "--network-alias",
                name,
                *job.mounts,
            ),
        )
        for name, job in hosts.items()
    }


def test_two_hosts_train_one_model_which_the_first_writes(
    hosts: dict[str, Job], network: str, start: Start
) -> None:
    started = on_hosts(hosts, network, start)
    assert [each.end() for each in started.values()] == [0, 0], started["algo-1"].log()
    assert hosts["algo-1"].manifest["data"]["customers"] == 300
    assert not list((hosts["algo-2"].root / "model").iterdir())


def test_a_host_that_is_lost_fails_the_job_of_the_other_with_a_reason(
    hosts: dict[str, Job], network: str, start: Start
) -> None:
    for job in hosts.values():
        job.say(num_round="100000", early_stopping_rounds="0")
    started = on_hosts(hosts, network, start)
    started["algo-1"].wait_for("round 100", seconds=120)
    docker("kill", started["algo-2"].name)
    begun = time.monotonic()
    assert started["algo-1"].end() == 1
    assert time.monotonic() - begun < 300
    failure = hosts["algo-1"].failure
    assert failure
    assert failure.startswith("PlatformError")
    assert "algo-2" in failure


@pytest.mark.parametrize("word", ["train", "serve"])
def test_an_empty_opt_ml_is_told_in_one_line(tmp_path: Path, run: Run, word: str) -> None:
    done = run(word, options=("-v", f"{tmp_path}:/opt/ml"), check=False)
    assert done.returncode == 1
    assert "/opt/ml" in one_line(done.stderr)


# How it stops.


def test_docker_stop_ends_the_server_with_code_0(shop: Path, serve: Serve) -> None:
    server = serve("-v", f"{shop}:{CODE}:ro")
    begun = time.monotonic()
    assert server.stop() == 0, server.log()
    assert time.monotonic() - begun < 25
    assert "Traceback" not in server.log()


def test_docker_stop_ends_a_training_job_with_code_0_and_the_best_model_so_far(
    job: Job, start: Start, run: Run
) -> None:
    job.say(num_round="100000", early_stopping_rounds="0", eta="0.0001")
    container = start("train", options=job.mounts)
    container.wait_for("round 200,")
    begun = time.monotonic()
    assert container.stop(120) == 0, container.log()
    assert time.monotonic() - begun < 20
    assert job.failure is None
    assert job.manifest["model_version"]
    run("predict", "--file_path", "/opt/ml/input/data/training", options=job.mounts)


# What it is.


def test_the_image_is_as_the_platform_wants_it(inspect: dict[str, Any]) -> None:
    config = inspect["Config"]
    assert config["Entrypoint"] == ["/opt/ordergap/entrypoint.sh"]
    assert config["Cmd"] == ["train"]
    assert not config["User"]
    assert config["Labels"]["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert config["WorkingDir"] == "/tmp"  # noqa: S108  in the container
    for name in ("title", "version", "revision", "source", "licenses"):
        assert config["Labels"][f"org.opencontainers.image.{name}"]
    assert inspect["Size"] < 1.3e9


def test_the_image_keeps_out_of_opt_ml_and_has_no_pandas(run: Run) -> None:
    script = (
        "import importlib.util as i, os; print(os.path.exists('/opt/ml'), i.find_spec('pandas'))"
    )
    done = run("-c", script, options=("--entrypoint", "python"))
    assert done.stdout.split() == ["False", "None"]


def test_the_image_has_no_installer_no_perl_and_no_file_that_gives_rights(run: Run) -> None:
    script = (
        "find / -xdev -type f -perm /6000; command -v pip pip3 perl easy_install;"
        'python -c \'import importlib.util as i; print(*map(i.find_spec, ["pip", "ensurepip"]))\''
    )
    done = run("-c", script, options=("--entrypoint", "sh"))
    assert done.stdout.split() == ["None", "None"]
