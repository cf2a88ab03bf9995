"""Plays on the variant without PyTorch."""

import pytest

from tests.e2e.conftest import Run, Serve
from tests.e2e.engine import Job, docker

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

REMEDY = "lstm needs PyTorch"


def test_it_is_under_600_mb_and_trains_and_serves_what_needs_no_pytorch(
    job: Job, run: Run, serve: Serve, slim: str
) -> None:
    assert int(docker("image", "inspect", "--format", "{{.Size}}", slim).stdout) < 600e6
    for trainer in ("naive", "random-forest", "xgboost"):
        job.say(trainer=trainer, num_round="10")
        run("train", options=("--network", "none", *job.mounts), named=slim)
        assert job.manifest["hyperparameters"]["trainer"]["name"] == trainer
        assert "torch" not in job.manifest["libraries"]
    server = serve("-v", f"{job.root}/model:/opt/ml/model:ro", named=slim)
    assert server.ask("GET", "/ping") == (200, "")


def test_both_variants_say_the_same_of_one_model(job: Job, run: Run, slim: str, image: str) -> None:
    job.say(num_round="10")
    run("train", options=job.mounts)
    words = (
        "predict",
        "--file_path",
        "/opt/ml/input/data/training",
        "--output",
        "/opt/ml/output/a.csv",
    )
    said = []
    for name in (image, slim):
        run(*words, options=job.mounts, named=name)
        said.append((job.root / "output/a.csv").read_text())
    assert said[0] == said[1]


def test_training_an_lstm_is_refused_with_the_remedy_before_data_are_read(
    job: Job, run: Run, slim: str
) -> None:
    job.say(trainer="lstm")
    done = run("train", options=job.mounts, named=slim, check=False)
    assert done.returncode == 1
    assert REMEDY in done.stderr
    assert "Traceback" not in done.stderr
    assert job.failure
    assert job.failure.startswith(f"UserError: {REMEDY}")
    assert not list((job.root / "model").iterdir())


def test_an_lstm_model_is_refused_by_serve_and_predict_in_one_line(
    job: Job, run: Run, slim: str
) -> None:
    job.say(trainer="lstm", epochs="1")
    run("train", options=job.mounts)
    for words in (("serve",), ("predict", "--file_path", "/opt/ml/input/data/training")):
        done = run(*words, options=job.mounts, named=slim, check=False)
        assert done.returncode == 1
        assert REMEDY in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    assert job.manifest["tasks"]["next_order"]["kind"] == "lstm"
