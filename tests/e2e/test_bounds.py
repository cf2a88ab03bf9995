"""Plays on the built image with little memory and little time, and what it leaves behind."""

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Run, Serve, Start
from tests.e2e.engine import Job, docker

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

NOBODY = ("--user", "1000:1000", "--read-only", "--tmpfs", "/tmp")  # noqa: S108  in the container
SERVERLESS = ("--cpus", "1", "-e", "SAGEMAKER_MODEL_SERVER_WORKERS=1")


def at_most(megabytes: int) -> tuple[str, ...]:
    """Not a byte more, in swap neither."""
    return tuple(
        word for limit in ("--memory", "--memory-swap") for word in (limit, f"{megabytes}m")
    )


@pytest.fixture
def model(shop: Path) -> tuple[str, str]:
    return ("-v", f"{shop}/SageMaker_Training:/opt/ml/model:ro")


def test_a_serverless_endpoint_answers_its_first_ping_within_5_seconds(
    serve: Serve, model: tuple[str, str]
) -> None:
    """As there: 2 GB, a processor, a worker, no rights. The best of three starts."""
    waits = []
    for _ in range(3):
        begun = time.monotonic()
        server = serve(*at_most(2000), *SERVERLESS, *NOBODY, *model)
        waits.append(time.monotonic() - begun)
        server.stop()
        if waits[-1] < 5:
            return
    pytest.fail(f"green after {waits} seconds")


def test_512_mb_are_enough_to_serve_a_request_of_6_mb(
    shop: Path, serve: Serve, model: tuple[str, str], customer: str
) -> None:
    server = serve(*at_most(512), *SERVERLESS, *model)
    record = json.loads(customer)
    count = 6_000_000 // len(customer)
    many = [{**record, "customer_id": str(n)} for n in range(1, count + 1)]  # 0 is nobody
    for _ in range(3):
        body = json.dumps({"instances": many})
        status, answer = server.ask("POST", "/invocations", body, Content_Type="application/json")
        assert status == 200, answer
        assert len(json.loads(answer)["predictions"]) == len(many)


def test_2_gb_are_enough_to_train_on_online_retail(job: Job, root: Path, start: Start) -> None:
    data = root.parent / "shared/data/online_retail.csv.gz"
    if not data.is_file():
        pytest.skip("the Online Retail file is not here: ../shared/data/online_retail.csv.gz")
    (job.channel / "Online_Retail.csv").unlink()
    shutil.copy(data, job.channel)
    job.say(num_round="100")
    container = start("train", options=(*at_most(2000), "--network", "none", *job.mounts))
    assert container.end() == 0, container.log()
    assert job.manifest["model_version"]


def test_nothing_of_the_image_is_written_to(job: Job, start: Start, serve: Serve) -> None:
    trained = start("train", options=job.mounts)
    assert trained.end() == 0, trained.log()
    server = serve("-v", f"{job.root}/model:/opt/ml/model:ro")
    server.stop()
    for container in (trained, server):
        made = {path for path in container.changed() if not path.startswith("/tmp")}  # noqa: S108
        assert made <= {"/opt", "/opt/ml", "/opt/ml/input", "/opt/ml/model", "/opt/ml/output"}


def test_no_compiler_no_cache_and_no_tests_of_others_are_in_the_image(run: Run) -> None:
    script = """
        for tool in cc gcc g++ make ld cargo git; do command -v $tool; done
        find /opt/packages -name tests -o -name '*.h' -o -name '*.pyx' -o -name pip
        find /tmp ~/.cache /build /var/lib/apt/lists -type f 2>/dev/null
    """
    found = run("-c", script, options=("--entrypoint", "sh"), check=False).stdout
    assert not found.split()


def test_the_layers_hold_the_base_the_packages_and_the_code_and_tell_no_build_settings(
    image: str,
) -> None:
    form = "{{.Size}}\t{{.CreatedBy}}"
    history = docker("history", "--no-trunc", "--human=false", "--format", form, image).stdout
    large = [line for line in history.splitlines() if int(line.split("\t")[0]) > 2e6]
    assert len(large) <= 6
    assert sum("COPY /opt/packages" in line for line in large) == 1
    assert "PIP_" not in history
