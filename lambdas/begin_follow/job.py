"""The processing job that keeps a run's forecasts and grades the earlier ones.

It runs `ordergap follow`, see docs/follow.md.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from lambdas.shared.runs import Run

ROOT = "/opt/ml/processing"


class Job(BaseModel):
    """What differs from job to job in a request of CreateProcessingJob."""

    model_config = ConfigDict(frozen=True)

    inputs: list[dict[str, Any]]
    arguments: list[str]
    outputs: list[dict[str, Any]]


def described(
    run: Run, until: datetime.date, archives: Mapping[str, str], *, has_cohorts: bool
) -> Job:
    """The job of a run.

    until        the last day that the orders tell of
    archives     role -> URI of the model.tar.gz; a challenger's forecasts go with its archive
    has_cohorts  whether there are earlier ones: an input without an object fails the job
    """
    sources = {
        "predictions": run.uri(run.predictions),
        "orders": run.uri(run.train),
        **{f"models/{role}": uri for role, uri in archives.items()},
    }
    arguments = [
        "follow",
        "--forecasts", f"{ROOT}/forecasts",
        "--add", f"{ROOT}/predictions",
        "--add_to", f"{ROOT}/forecasts/new",
        f"--run={run.run_id}",
        "--model_dir", f"{ROOT}/models",
        "--file_path", f"{ROOT}/orders",
        "--as_of", until.isoformat(),
        "--output", f"{ROOT}/followed",
        "--message", "/opt/ml/output/message",
    ]  # fmt: skip
    if has_cohorts:
        sources["forecasts/kept"] = run.uri(run.cohorts)
    if "challenger" in archives:
        sources["challenger"] = run.uri(run.challenger)
        arguments += ["--challenger", f"{ROOT}/challenger"]
    outputs = {"forecasts/new": run.uri(run.cohorts), "followed": run.uri(run.followed)}
    return Job(
        inputs=[
            {
                "InputName": folder.replace("/", "-"),
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{ROOT}/{folder}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for folder, uri in sources.items()
        ],
        arguments=arguments,
        outputs=[
            {
                "OutputName": folder.replace("/", "-"),
                "S3Output": {
                    "S3Uri": uri.rstrip("/"),
                    "LocalPath": f"{ROOT}/{folder}",
                    "S3UploadMode": "EndOfJob",
                },
            }
            for folder, uri in outputs.items()
        ],
    )
