"""SageMaker's jobs, with small containers made by the tests."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import jobs
from local.aws import Aws
from local.runners import IMAGE, NO_IMAGE, Container, Launch, Process

pytestmark = pytest.mark.xdist_group("embedded-aws")

BUCKET = "jobs"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs Python code in place of the container, with the variables `opt_ml` and `port`."""

    def use(code: str) -> None:
        def start(self: Process, launch: Launch) -> Container:
            head = "from pathlib import Path\n"
            head += f"opt_ml, port = Path({str(launch.opt_ml)!r}), {launch.port}\n"
            process = subprocess.Popen(
                [sys.executable, "-c", head + textwrap.dedent(code)],
                env={**launch.environment},
                stdout=launch.log,
                stderr=launch.log,
            )
            return Container(process, process.kill)

        monkeypatch.setattr(Process, "start", start)

    return use


@pytest.fixture
def bucket(aws: Aws) -> Callable[[Mapping[str, bytes]], None]:
    """Empties and fills the bucket."""
    aws.s3.create_bucket(Bucket=BUCKET)

    def fill(objects: Mapping[str, bytes]) -> None:
        for item in aws.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            aws.s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        for key, body in objects.items():
            aws.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    return fill


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    return name.replace("_", "-")[-60:].strip("-")


def begin_training(aws: Aws, name: str, **more: Any) -> None:
    aws.sagemaker.create_training_job(
        **{
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {"num_round": "50"},
            "InputDataConfig": [channel("train/")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/model/"},
            "ResourceConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 1,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **more,
        }
    )


def channel(prefix: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}"}
    return {"ChannelName": "training", "DataSource": {"S3DataSource": source}}


def begin_transform(aws: Aws, name: str, **more: Any) -> None:
    aws.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"},
    )
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/score/"}
    aws.sagemaker.create_transform_job(
        **{
            "TransformJobName": name,
            "ModelName": name,
            "TransformInput": {
                "ContentType": "application/jsonlines",
                "SplitType": "Line",
                "DataSource": {"S3DataSource": source},
            },
            "TransformOutput": {
                "Accept": "application/jsonlines",
                "AssembleWith": "Line",
                "S3OutputPath": f"s3://{BUCKET}/out",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **more,
        }
    )


def wait_for_end(aws: Aws, kind: str, name: str) -> dict[str, Any]:
    describe = getattr(aws.sagemaker, f"describe_{kind}_job")
    end = time.monotonic() + 60
    while True:
        job: dict[str, Any] = describe(**{f"{kind.title()}JobName": name})
        if job[f"{kind.title()}JobStatus"] not in {"InProgress", "Stopping"}:
            return job
        assert time.monotonic() < end, job
        time.sleep(0.02)


def unpack(aws: Aws, key: str) -> dict[str, bytes]:
    archive = io.BytesIO(aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    with tarfile.open(fileobj=archive) as tar:
        files = ((one.name, tar.extractfile(one)) for one in tar)
        return {name: file.read() for name, file in files if file}


TRAINS = """
    import json, os
    files = {str(f.relative_to(opt_ml)): f.read_text() for f in opt_ml.rglob("*") if f.is_file()}
    (opt_ml / "model/seen.json").write_text(json.dumps([files, dict(os.environ)]))
    (opt_ml / "output/data/side.txt").write_text("beside")
"""


def test_a_training_job_gets_files_and_variables_as_on_the_platform(aws, bucket, containers, name):
    bucket({"train/a.csv": b"1", "train/more/b.csv": b"2", "trainless.csv": b"3"})
    containers(TRAINS)
    begin_training(aws, name, Environment={"MINE": "yes"})
    job = wait_for_end(aws, "training", name)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed", job
    artifact = f"s3://{BUCKET}/model/{name}/output/model.tar.gz"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == artifact
    assert "FailureReason" not in job
    model = unpack(aws, f"model/{name}/output/model.tar.gz")
    files, environment = json.loads(model["seen.json"])
    assert json.loads(files.pop("input/config/hyperparameters.json")) == {"num_round": "50"}
    channels = json.loads(files.pop("input/config/inputdataconfig.json"))
    assert channels["training"]["TrainingInputMode"] == "File"
    assert json.loads(files.pop("input/config/resourceconfig.json"))["hosts"] == ["algo-1"]
    assert files == {"input/data/training/a.csv": "1", "input/data/training/more/b.csv": "2"}
    assert environment["TRAINING_JOB_NAME"] == name
    assert environment["MINE"] == "yes"
    assert unpack(aws, f"model/{name}/output/output.tar.gz") == {"side.txt": b"beside"}


def test_the_failure_file_of_a_container_is_the_reason(aws, bucket, containers, name):
    bucket({"train/a.csv": b"1"})
    containers('(opt_ml / "output/failure").write_text("UserError: no rows"); raise SystemExit(3)')
    begin_training(aws, name)
    job = wait_for_end(aws, "training", name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: UserError: no rows, exit code: 3"
    keys = aws.s3.list_objects_v2(Bucket=BUCKET, Prefix="model/")["KeyCount"]
    assert keys == 0


def test_a_channel_without_objects_fails_the_job(aws, bucket, containers, name):
    bucket({})
    containers(TRAINS)
    begin_training(aws, name)
    assert "No S3 objects found" in wait_for_end(aws, "training", name)["FailureReason"]


def test_an_image_that_is_not_there_fails_the_job(aws, bucket, name):
    bucket({"train/a.csv": b"1"})
    elsewhere = {"TrainingImage": "elsewhere:1", "TrainingInputMode": "File"}
    begin_training(aws, name, AlgorithmSpecification=elsewhere)
    assert wait_for_end(aws, "training", name)["FailureReason"] == NO_IMAGE


SLEEPS = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


@pytest.mark.parametrize("code", [SLEEPS, STUBBORN])
def test_a_stopped_job_ends_even_if_its_container_ignores_sigterm(
    code, aws, bucket, containers, monkeypatch, request
):
    bucket({"train/a.csv": b"1"})
    monkeypatch.setitem(jobs.STOP_SECONDS, "training", 0.5)
    containers(code)
    name = f"stopped-{[SLEEPS, STUBBORN].index(code)}"
    begin_training(aws, name)
    describe = aws.sagemaker.describe_training_job
    while describe(TrainingJobName=name)["SecondaryStatus"] != "Training":
        time.sleep(0.02)
    time.sleep(0.3)
    aws.sagemaker.stop_training_job(TrainingJobName=name)
    job = wait_for_end(aws, "training", name)
    assert job["TrainingJobStatus"] == "Stopped"


def test_a_job_that_runs_too_long_is_stopped(aws, bucket, containers, name):
    bucket({"train/a.csv": b"1"})
    containers(SLEEPS)
    begin_training(aws, name, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert wait_for_end(aws, "training", name)["TrainingJobStatus"] == "Stopped"


def test_a_name_can_be_used_once(aws, bucket, containers, name):
    bucket({"train/a.csv": b"1"})
    containers(TRAINS)
    begin_training(aws, name)
    with pytest.raises(ClientError, match="must be unique"):
        begin_training(aws, name)
    wait_for_end(aws, "training", name)


SERVES = """
    import http.server, json, os

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = {"/ping": b"", "/execution-parameters": b'{"MaxPayloadInMB": 1}'}
            self.respond(200, body[self.path])

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            lines = body.splitlines()
            if b"bad" in lines:
                return self.respond(400, b"line %d is bad" % (lines.index(b"bad") + 1))
            self.respond(200, b"\\n".join(b"%d of %d %s" % (i, len(lines), line[:9])
                                        for i, line in enumerate(lines, 1)))

        def respond(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    assert (opt_ml / "model/weights").read_bytes() == b"w"
    assert os.environ["SAGEMAKER_BATCH"] == "true"
    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def model() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        one = tarfile.TarInfo("weights")
        one.size = 1
        tar.addfile(one, io.BytesIO(b"w"))
    return content.getvalue()


def outputs(aws: Aws) -> dict[str, bytes]:
    objects = aws.s3.list_objects_v2(Bucket=BUCKET, Prefix="out/").get("Contents", ())
    return {
        item["Key"]: aws.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        for item in objects
    }


def test_every_object_has_an_output_line_by_line(aws, bucket, containers, name):
    bucket({"model.tar.gz": model(), "score/a.jsonl": b"x\ny\n", "score/b/c.jsonl": b"z"})
    containers(SERVES)
    begin_transform(aws, name, BatchStrategy="MultiRecord")
    job = wait_for_end(aws, "transform", name)
    assert job["TransformJobStatus"] == "Completed", job
    assert outputs(aws) == {
        "out/a.jsonl.out": b"1 of 2 x\n2 of 2 y\n",
        "out/b/c.jsonl.out": b"1 of 1 z\n",
    }


def test_a_request_is_no_larger_than_the_containers_limit(aws, bucket, containers, name):
    large = b"l" * 600_000 + b"\n"
    bucket({"model.tar.gz": model(), "score/a": large + b"x\n" + large + b"y\n"})
    containers(SERVES)
    begin_transform(aws, name, MaxConcurrentTransforms=3)
    assert wait_for_end(aws, "transform", name)["TransformJobStatus"] == "Completed"
    assert outputs(aws)["out/a.out"].splitlines() == [
        b"1 of 2 lllllllll", b"2 of 2 x", b"1 of 2 lllllllll", b"2 of 2 y"
    ]  # fmt: skip


def test_single_record_sends_a_line_at_a_time(aws, bucket, containers, name):
    bucket({"model.tar.gz": model(), "score/a": b"x\ny\n"})
    containers(SERVES)
    begin_transform(aws, name, BatchStrategy="SingleRecord")
    assert wait_for_end(aws, "transform", name)["TransformJobStatus"] == "Completed"
    assert outputs(aws)["out/a.out"] == b"1 of 1 x\n1 of 1 y\n"


def test_a_record_beyond_the_limit_fails_the_job(aws, bucket, containers, name):
    bucket({"model.tar.gz": model(), "score/a": b"l" * 1_100_000})
    containers(SERVES)
    begin_transform(aws, name)
    assert "exceeds MaxPayloadInMB" in wait_for_end(aws, "transform", name)["FailureReason"]


def test_a_refused_request_fails_the_job_and_says_why(aws, bucket, containers, name):
    bucket({"model.tar.gz": model(), "score/a": b"x\nbad\n"})
    containers(SERVES)
    begin_transform(aws, name)
    job = wait_for_end(aws, "transform", name)
    assert job["TransformJobStatus"] == "Failed"
    assert "Bad HTTP status received from algorithm: 400" in job["FailureReason"]
    assert "line 2 is bad" in job["FailureReason"]
    assert outputs(aws) == {}


def test_a_server_that_does_not_start_fails_the_job(aws, bucket, containers, name):
    bucket({"model.tar.gz": model(), "score/a": b"x\n"})
    containers("raise SystemExit(9)")
    begin_transform(aws, name)
    assert "exit code 9" in wait_for_end(aws, "transform", name)["FailureReason"]


def begin_processing(aws: Aws, name: str, **more: Any) -> None:
    def local(name: str) -> dict[str, str]:
        return {"S3Uri": f"s3://{BUCKET}/{name}/", "LocalPath": f"/opt/ml/processing/{name}"}

    aws.sagemaker.create_processing_job(
        **{
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": IMAGE, "ContainerArguments": ["follow", "--it"]},
            "ProcessingInputs": [
                {"InputName": "in", "S3Input": {**local("in"), "S3DataType": "S3Prefix"}}
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {"OutputName": "out", "S3Output": {**local("out"), "S3UploadMode": "EndOfJob"}}
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 1,
                }
            },
            **more,
        }
    )


def test_a_processing_job_turns_its_inputs_into_outputs(
    aws: Aws, containers: Callable[[str], None], bucket: Callable[..., None], name: str
):
    bucket({"in/a.txt": b"a", "in/deep/b.txt": b"b"})
    containers("""
        import os
        out = opt_ml / "processing/out"
        (out / "deep").mkdir()
        for path in (opt_ml / "processing/in").rglob("*.txt"):
            target = out / path.relative_to(opt_ml / "processing/in")
            target.write_text(path.read_text() + os.environ["LETTER"])
        (opt_ml / "output/message").write_text("x" * 2000)
    """)
    begin_processing(aws, name, Environment={"LETTER": "!"})
    job = wait_for_end(aws, "processing", name)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "x" * 1024
    assert job["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.large"
    for key, body in {"out/a.txt": b"a!", "out/deep/b.txt": b"b!"}.items():
        assert aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    with pytest.raises(ClientError, match="must be unique"):
        begin_processing(aws, name)


def test_a_processing_job_that_fails_leaves_a_message_and_no_output(
    aws: Aws, containers: Callable[[str], None], bucket: Callable[..., None], name: str
):
    bucket({"in/a.txt": b"a"})
    containers("""
        import sys
        (opt_ml / "processing/out/half.txt").write_text("half")
        (opt_ml / "output/message").write_text("UserError: no cohort")
        sys.exit(1)
    """)
    begin_processing(aws, name)
    job = wait_for_end(aws, "processing", name)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ")
    assert job["ExitMessage"] == "UserError: no cohort"
    assert "Contents" not in aws.s3.list_objects_v2(Bucket=BUCKET, Prefix="out/")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"ProcessingInputs": [{"InputName": "in", "S3Input": {
            "S3Uri": f"s3://{BUCKET}/none/", "LocalPath": "/opt/ml/processing/in",
            "S3DataType": "S3Prefix"}}]}, "No S3 objects found under S3 URL"),
        ({"ProcessingInputs": [{"InputName": "in", "S3Input": {
            "S3Uri": f"s3://{BUCKET}/in/", "LocalPath": "/opt/ml/input",
            "S3DataType": "S3Prefix"}}]}, "must begin with /opt/ml/processing/"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 1}}, None),
    ],
)  # fmt: skip
def test_a_processing_job_that_cannot_run_says_why(
    aws: Aws,
    containers: Callable[[str], None],
    bucket: Callable[..., None],
    name: str,
    more: dict[str, Any],
    reason: str | None,
):
    bucket({"in/a.txt": b"a"})
    containers("import time; time.sleep(60)")
    begin_processing(aws, name, **more)
    job = wait_for_end(aws, "processing", name)
    assert job["ProcessingJobStatus"] == ("Failed" if reason else "Stopped")
    assert reason is None or reason in job["FailureReason"]


def test_a_processing_job_is_stopped(
    aws: Aws, containers: Callable[[str], None], bucket: Callable[..., None], name: str
):
    bucket({"in/a.txt": b"a"})
    containers("import time; time.sleep(60)")
    begin_processing(aws, name)
    aws.sagemaker.stop_processing_job(ProcessingJobName=name)
    assert wait_for_end(aws, "processing", name)["ProcessingJobStatus"] == "Stopped"
