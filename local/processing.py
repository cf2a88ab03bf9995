"""A processing job: download its inputs, run the container, upload its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.jobs import Job, JobFailed
from local.storage import download, split_uri

ROOT = "/opt/ml/"
MESSAGE_BYTES = 1024


def process(job: Job, opt_ml: Path) -> None:
    """Run the job in `opt_ml`. Raises JobFailed, JobStopped and NoImage."""
    request = job.request
    job.note("InProgress", more={"processing_resources": request["ProcessingResources"]})
    if request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] != 1:
        raise JobFailed("ClientError: not emulated: processing on several instances")
    image = request["AppSpecification"]
    if "ContainerEntrypoint" in image or not image.get("ContainerArguments"):
        raise JobFailed("ClientError: not emulated: other than arguments for the image's own entry")
    for each in request.get("ProcessingInputs", ()):
        _fetch(job, each, opt_ml)
    config = request.get("ProcessingOutputConfig", {})
    outputs = [each["S3Output"] for each in config.get("Outputs", ())]
    folders = [_folder(opt_ml, output) for output in outputs]
    (opt_ml / "output").mkdir()
    environment = {**(request.get("Environment") or {}), "PROCESSING_JOB_NAME": job.name}
    words = image["ContainerArguments"]
    code = job.exit_code(image["ImageUri"], words, opt_ml, environment)
    message = opt_ml / "output" / "message"
    if message.is_file():
        text = message.read_bytes()[:MESSAGE_BYTES].decode(errors="ignore")
        job.note("InProgress", more={"exit_message": text})
    if code:
        raise JobFailed("AlgorithmError: See job logs for more information")
    for output, folder in zip(outputs, folders, strict=True):
        bucket, key = split_uri(output["S3Uri"].rstrip("/"))
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            relative = path.relative_to(folder).as_posix()
            job.aws.s3.upload_file(str(path), bucket, f"{key}/{relative}")


def _folder(opt_ml: Path, place: Mapping[str, Any]) -> Path:
    """The folder of an input or output, which is made."""
    path = str(place["LocalPath"])
    if not path.startswith(f"{ROOT}processing/"):
        raise JobFailed(f"ClientError: LocalPath {path} must begin with {ROOT}processing/")
    folder = opt_ml / path.removeprefix(ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fetch(job: Job, given: Mapping[str, Any], opt_ml: Path) -> None:
    source = given.get("S3Input") or {}
    plain = source.get("S3DataType") == "S3Prefix" and source.get("S3InputMode", "File") == "File"
    if not plain or source.get("S3CompressionType", "None") != "None":
        raise JobFailed("ClientError: not emulated: inputs other than files of an S3Prefix")
    if not download(job.aws.s3, uri := source["S3Uri"], _folder(opt_ml, source)):
        raise JobFailed(
            f"ClientError: Data download failed: No S3 objects found under S3 URL {uri}"
        )
