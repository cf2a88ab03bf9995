"""A transform job: sends every line under a prefix to the server, as SageMaker does."""

from __future__ import annotations

import http.client
import json
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.jobs import Job, JobFailed
from local.ports import free_port
from local.storage import keys, split_uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

START_SECONDS = 240
MEGABYTE = 1024 * 1024
SEE_LOGS = "ClientError: See job logs for more information"


@dataclass(frozen=True)
class _Plan:
    """How requests are made: by the job's settings, the container's, or the defaults."""

    concurrent: int
    strategy: str
    payload: int
    """Bytes; 0 for no limit."""


def transform(job: Job, opt_ml: Path) -> None:
    """Run the job in `opt_ml`. Raises JobFailed, JobStopped and NoImage."""
    model = job.aws.sagemaker.describe_model(ModelName=job.request["ModelName"])["PrimaryContainer"]
    unpack(job.aws.s3, model["ModelDataUrl"], opt_ml)
    source = job.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    inputs = keys(job.aws.s3, source)
    if not inputs:
        raise JobFailed(f"ClientError: No S3 objects found under S3 URL {source}")
    port = free_port()
    with job.run(model["Image"], ["serve"], opt_ml, _environment(job, model), port) as server:
        wait_for_ping(server, port, job.wait)
        plan = _plan(job.request, _get(port, "/execution-parameters"))
        for key, relative in inputs.items():
            _transform(job, plan, port, key, relative)


def unpack(s3: S3Client, uri: str, opt_ml: Path) -> None:
    """Unpack a model.tar.gz to the folder `model` of `opt_ml`. Raises JobFailed without one."""
    archive = opt_ml / "model.tar.gz"
    bucket, key = split_uri(uri)
    if key not in keys(s3, uri):
        raise JobFailed(f"ClientError: Failed to download model data from URL: {uri}")
    s3.download_file(bucket, key, str(archive))
    with tarfile.open(archive) as tar:
        tar.extractall(opt_ml / "model", filter="data")


def _environment(job: Job, model: Mapping[str, Any]) -> dict[str, str]:
    overrides = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": job.request.get("MaxPayloadInMB"),
        "SAGEMAKER_BATCH_STRATEGY": {
            "MultiRecord": "MULTI_RECORD",
            "SingleRecord": "SINGLE_RECORD",
        }.get(job.request.get("BatchStrategy", "")),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": job.request.get("MaxConcurrentTransforms"),
    }
    return {
        **model.get("Environment", {}),
        **(job.request.get("Environment") or {}),
        **{name: str(value) for name, value in overrides.items() if value is not None},
        "SAGEMAKER_BATCH": "true",
    }


def wait_for_ping(
    server: subprocess.Popen[bytes], port: int, wait: Callable[[float], object]
) -> None:
    """Wait until the server is ready, by `wait` of seconds. Raises JobFailed, and as `wait`."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise JobFailed(
                f"AlgorithmError: the container ended with exit code "
                f"{server.returncode} before it answered a ping"
            )
        if _get(port, "/ping") is not None:
            return
        wait(0.05)
    raise JobFailed("AlgorithmError: The primary container did not pass the ping health check.")


def _get(port: int, path: str) -> bytes | None:
    """The body of a 200 response, else None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):  # the server is not listening yet
        return None
    else:
        return body if response.status == 200 else None
    finally:
        connection.close()


def _plan(request: Mapping[str, Any], container: bytes | None) -> _Plan:
    plan: dict[str, Any] = {"MaxConcurrentTransforms": 1, "MaxPayloadInMB": 6}
    plan |= json.loads(container) if container else {}
    plan |= {name: request[name] for name in plan if request.get(name) is not None}
    strategy = request.get("BatchStrategy") or plan.get("BatchStrategy", "MULTI_RECORD")
    return _Plan(
        concurrent=max(1, plan["MaxConcurrentTransforms"]),
        strategy=str(strategy).replace("_", "").lower(),
        payload=plan["MaxPayloadInMB"] * MEGABYTE,
    )


def _transform(job: Job, plan: _Plan, port: int, key: str, relative: str) -> None:
    """Transform one object; the output's key ends in `.out`."""
    source, target = job.request["TransformInput"], job.request["TransformOutput"]
    if source.get("CompressionType", "None") != "None" or job.request.get("DataProcessing"):
        raise JobFailed("ClientError: not emulated: compressed input and filters")
    bucket = split_uri(source["DataSource"]["S3DataSource"]["S3Uri"])[0]
    body = job.aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    headers = {
        name: value
        for name, value in (
            ("Content-Type", source.get("ContentType")),
            ("Accept", target.get("Accept")),
        )
        if value
    }
    config = job.request.get("ModelClientConfig") or {}
    send = _Sender(
        job, port, headers, bucket + "/" + key,
        timeout=config.get("InvocationsTimeoutInSeconds", 600),
        retries=config.get("InvocationsMaxRetries", 3),
    )  # fmt: skip
    batches = _batches(body, source.get("SplitType", "None"), plan)
    end = b"\n" if target.get("AssembleWith", "None") == "Line" else b""
    threads = ThreadPoolExecutor(plan.concurrent)
    try:
        output = b"".join(response + end for response in threads.map(send, batches))
    finally:
        threads.shutdown(cancel_futures=True)
    output_bucket, prefix = split_uri(target["S3OutputPath"])
    job.aws.s3.put_object(
        Bucket=output_bucket, Key=f"{prefix.rstrip('/')}/{relative}.out".lstrip("/"), Body=output
    )


def _batches(body: bytes, split: str, plan: _Plan) -> Iterator[bytes]:
    """The request bodies: as many lines as fit, one line, or the whole object."""
    if split not in {"None", "Line"}:
        raise JobFailed(f"ClientError: not emulated: SplitType {split}")
    lines = body.splitlines(keepends=True) if split == "Line" else [body]
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if plan.payload and len(line) > plan.payload:
            raise JobFailed(f"{SEE_LOGS}: a record of {len(line)} bytes exceeds MaxPayloadInMB")
        full = plan.payload and size + len(line) > plan.payload
        if batch and (full or plan.strategy == "singlerecord"):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield b"".join(batch)


@dataclass(frozen=True)
class _Sender:
    """Sends a batch and returns the response. Raises JobFailed where all attempts fail."""

    job: Job
    port: int
    headers: Mapping[str, str]
    location: str
    timeout: int
    retries: int

    def __call__(self, body: bytes) -> bytes:
        problem = ""
        for _ in range(1 + self.retries):
            self.job.wait(0)
            status, response = self._post(body)
            if status == 200:
                return response
            text = response.decode(errors="replace").strip()
            problem = (
                f"{SEE_LOGS}: {self.location}: Bad HTTP status received from algorithm: {status}, "
                f"Message: {text}"
            )
            if 400 <= status < 500:
                break
        raise JobFailed(problem)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request("POST", "/invocations", body, dict(self.headers))
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            return 504, f"{type(error).__name__}: {error}".encode()
        finally:
            connection.close()
