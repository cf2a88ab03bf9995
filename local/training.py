"""A training job: download channels to /opt/ml, run the container, upload the model."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from local.jobs import Job, JobFailed
from local.storage import download, split_uri


def train(job: Job, opt_ml: Path) -> None:
    """Run the job in `opt_ml`. Raises JobFailed, JobStopped and NoImage."""
    request = job.request
    _write_config(job, opt_ml)
    job.note("InProgress", "Downloading")
    for channel in request.get("InputDataConfig", ()):
        _fetch(job, channel, opt_ml / "input" / "data" / channel["ChannelName"])
    job.note("InProgress", "Training")
    code = _run(job, opt_ml)
    job.note("InProgress", "Uploading")
    target = f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output"
    _upload(job, opt_ml / "output" / "data", f"{target}/output.tar.gz")
    if code:
        failure = opt_ml / "output" / "failure"
        message = failure.read_text(encoding="utf-8") if failure.is_file() else ""
        raise JobFailed(f"AlgorithmError: {message}, exit code: {code}")
    _upload(job, opt_ml / "model", f"{target}/model.tar.gz", even_empty=True)


def _write_config(job: Job, opt_ml: Path) -> None:
    request = job.request
    resources = request["ResourceConfig"]
    if resources.get("InstanceCount", 1) != 1:
        raise JobFailed("ClientError: not emulated: training on several instances")
    for folder in ("input/config", "input/data", "model", "output/data"):
        (opt_ml / folder).mkdir(parents=True)
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode")
            or request["AlgorithmSpecification"].get("TrainingInputMode", "File"),
            "S3DistributionType": _source(channel).get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
        for channel in request.get("InputDataConfig", ())
    }
    host = {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "network_interface_name": "eth0",
        "current_instance_type": resources.get("InstanceType"),
        "current_group_name": "homogeneousCluster",
    }
    for name, content in (
        ("hyperparameters", request.get("HyperParameters", {})),
        ("inputdataconfig", channels),
        ("resourceconfig", host),
    ):
        path = opt_ml / "input" / "config" / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")


def _source(channel: dict[str, Any]) -> dict[str, Any]:
    source = channel["DataSource"].get("S3DataSource")
    if source is None or source.get("S3DataType", "S3Prefix") != "S3Prefix":
        raise JobFailed("ClientError: not emulated: channels other than of S3Prefix")
    return dict(source)


def _fetch(job: Job, channel: dict[str, Any], folder: Path) -> None:
    folder.mkdir()
    uri = _source(channel)["S3Uri"]
    if not download(job.aws.s3, uri, folder):
        raise JobFailed(
            f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" given in '
            "input data source. Please ensure that the bucket exists in the selected region, that "
            "objects exist under that S3 prefix, and that the role has access to them."
        )


def _run(job: Job, opt_ml: Path) -> int:
    """Run the container; returns its exit code."""
    environment = {
        **(job.request.get("Environment") or {}),
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.record.arn,
    }
    image = job.request["AlgorithmSpecification"]["TrainingImage"]
    return job.exit_code(image, ["train"], opt_ml, environment)


def _upload(job: Job, folder: Path, uri: str, *, even_empty: bool = False) -> None:
    if not even_empty and not any(folder.iterdir()):
        return
    archive = folder.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    job.aws.s3.upload_file(str(archive), *split_uri(uri))
