"""Train, tune, deploy and batch-transform with the SageMaker Python SDK (version 3).

On an account:

    python -m examples.with_sdk --image IMAGE_URI --role ROLE_ARN --bucket BUCKET COMMAND …

On this machine, in Docker, without an account (the SDK's local mode, which needs docker-compose):

    python -m examples.with_sdk --local --image ordergap COMMAND …

    train      --data s3://… or a folder    a training job on order lines
    tune       --data s3://…                training jobs that look for better hyperparameters
    transform  --model-data … --records …   a forecast for every line of JSON Lines files
    deploy     --model-data …               an endpoint, real-time or --serverless, and a request;
                                            --local stops it again

Local paths of --model-data and --records are written file:///…, as the SDK wants them.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.local import LocalSession
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.shapes import MetricDefinition
from sagemaker.core.training.configs import Compute, InputData, Networking, OutputDataConfig
from sagemaker.core.transformer import Transformer
from sagemaker.train import ModelTrainer
from sagemaker.train.model_trainer import Mode
from sagemaker.train.tuner import HyperparameterTuner

from examples.with_boto3 import (
    METRICS,
    OBJECTIVE,
    ONE_CUSTOMER,
    endpoint,
    model,
    real_time,
    serverless,
)

RANGES = {
    "eta": ContinuousParameter(0.01, 0.2, scaling_type="Logarithmic"),
    "min_child_weight": ContinuousParameter(1, 100),
    "subsample": ContinuousParameter(0.5, 1),
    "max_depth": IntegerParameter(2, 8),
    "objective": CategoricalParameter(["hazard", "aft"]),
}
# Local mode neither has nor needs a role, but the SDK wants one.
NO_ROLE = "arn:aws:iam::000000000000:role/local"
JSON_LINES = "application/jsonlines"


def trainer(told: argparse.Namespace) -> ModelTrainer:
    """What trains. Hyperparameters may be Python's: 0.1, [30, 60], "lstm"."""
    if told.local:
        place: dict[str, Any] = {
            "training_mode": Mode.LOCAL_CONTAINER,
            "compute": Compute(instance_type="local_cpu", instance_count=1),
            "local_container_root": str(told.folder),
        }
    else:
        place = {
            "compute": Compute(instance_type="ml.m5.xlarge", instance_count=1),
            "networking": Networking(enable_network_isolation=True),
            "output_data_config": OutputDataConfig(
                s3_output_path=f"s3://{told.bucket}/ordergap/models"
            ),
        }
    job = ModelTrainer(
        training_image=told.image,
        role=told.role,
        base_job_name="ordergap",
        hyperparameters=dict(told.set),
        **place,
    )
    return job.with_metric_definitions(
        [MetricDefinition(name=metric["Name"], regex=metric["Regex"]) for metric in METRICS]
    )


def channels(told: argparse.Namespace) -> list[InputData]:
    """The order lines. The channel's name is what the container looks for."""
    return [InputData(channel_name="training", data_source=told.data, content_type="text/csv")]


def train(told: argparse.Namespace) -> None:
    """Trains, and prints where the model is."""
    job = trainer(told)
    job.train(input_data_config=channels(told), wait=True)
    if told.local:
        print(f"file://{told.folder}/compressed_artifacts/model.tar.gz")
    else:
        print(job._latest_training_job.model_artifacts.s3_model_artifacts)  # noqa: SLF001


def tune(told: argparse.Namespace) -> None:
    """Starts the search for the hyperparameters whose dates miss by the fewest days.

    The SDK's tuner does not hand the trainer's network isolation on; boto3's request has it.
    """
    tuner = HyperparameterTuner(
        model_trainer=trainer(told),
        objective_metric_name=OBJECTIVE,
        objective_type="Minimize",
        metric_definitions=METRICS,
        hyperparameter_ranges={name: RANGES[name] for name in RANGES.keys() - dict(told.set)},
        max_jobs=20,
        max_parallel_jobs=4,
    )
    tuner.tune(inputs=channels(told), wait=False)


def session(told: argparse.Namespace) -> Session:
    """Where models and endpoints live: the account, or this machine."""
    if not told.local:
        return Session()
    here = LocalSession()
    here.config = {"local": {"serving_port": told.port, "container_root": str(told.folder)}}
    return here


def transform(told: argparse.Namespace) -> None:
    """Forecasts every customer, a JSON record a line; `x.jsonl` becomes `x.jsonl.out`."""
    where, name = session(told), fresh_name()
    where.sagemaker_client.create_model(**model(name, told.image, told.role, told.model_data))
    output = (
        f"file://{told.folder}/forecasts"
        if told.local
        else f"s3://{told.bucket}/ordergap/forecasts"
    )
    # The strategy is said because local mode does not understand the one the container asks for.
    Transformer(
        model_name=name,
        instance_count=1,
        instance_type="local" if told.local else "ml.m5.xlarge",
        strategy=told.strategy,
        assemble_with="Line",
        accept=JSON_LINES,
        output_path=output,
        sagemaker_session=where,
    ).transform(
        told.records,
        content_type=f"{JSON_LINES}; as_of={told.as_of}" if told.as_of else JSON_LINES,
        split_type="Line",
        job_name=name,
        wait=True,
        logs=False,
    )
    print(output)


def deploy(told: argparse.Namespace) -> None:
    """Makes an endpoint and asks it for one customer."""
    where, name = session(told), fresh_name()
    client = where.sagemaker_client
    client.create_model(**model(name, told.image, told.role, told.model_data))
    variant = serverless(name) if told.serverless else real_time(name)
    if told.local:
        variant["InstanceType"] = "local"
    configuration, body = endpoint(name, variant)
    client.create_endpoint_config(**configuration)
    client.create_endpoint(**body)
    if not told.local:
        client.get_waiter("endpoint_in_service").wait(EndpointName=name)
    try:
        answer = where.sagemaker_runtime_client.invoke_endpoint(
            EndpointName=name, ContentType="application/json", Body=json.dumps(ONE_CUSTOMER)
        )
        print(answer["Body"].read().decode())
    finally:
        if told.local:
            client.delete_endpoint(EndpointName=name)
    if not told.local:
        print(f"python -m examples.with_boto3 … delete --endpoint {name}")


def fresh_name() -> str:
    """A name for a model and what is made of it."""
    return time.strftime("ordergap-%Y%m%d-%H%M%S", time.gmtime())


def free_port() -> int:
    """One that nobody on this machine listens on; local mode takes 8080 where it is told none."""
    with socket.socket() as unbound:
        unbound.bind(("", 0))
        return int(unbound.getsockname()[1])


def setting(text: str) -> tuple[str, object]:
    """NAME=VALUE, where VALUE is JSON or else text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m examples.with_sdk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--local", action="store_true", help="in Docker on this machine")
    top.add_argument("--image", required=True, help="URI of the image in ECR; local: its name")
    top.add_argument("--role", default=NO_ROLE, help="ARN of the role that SageMaker takes")
    top.add_argument("--bucket", help="bucket for models and forecasts")
    top.add_argument(
        "--folder", type=Path, default=Path("run/sagemaker"), help="local: for models and forecasts"
    )
    top.add_argument("--port", type=int, help="local: the endpoint's; else a free one")
    commands = top.add_subparsers(dest="command", required=True)
    for name, does in (("train", train), ("tune", tune)):
        learn = commands.add_parser(name)
        learn.add_argument("--data", required=True, help="order lines: s3://… or a folder")
        learn.add_argument(
            "--set", type=setting, action="append", default=[], metavar="NAME=VALUE",
            help="a hyperparameter; may be given several times",
        )  # fmt: skip
        learn.set_defaults(does=does)
    for name, does in (("transform", transform), ("deploy", deploy)):
        use = commands.add_parser(name)
        use.add_argument("--model-data", required=True, help="URI of a model.tar.gz")
        use.set_defaults(does=does)
        if name == "deploy":
            use.add_argument("--serverless", action="store_true")
        else:
            use.add_argument("--records", required=True, help="URI of JSON Lines files")
            use.add_argument("--as-of", help="day of the forecast, such as 2011-12-09; else today")
            use.add_argument(
                "--strategy", choices=("MultiRecord", "SingleRecord"), default="MultiRecord"
            )
    return top


def main(words: Sequence[str] | None = None) -> None:
    """Does what the command line says; the account and region are those of boto3's settings."""
    commands = parser()
    told = commands.parse_args(words)
    if told.local:
        if told.command == "tune" or getattr(told, "serverless", False):
            commands.error("local mode knows neither tuning nor serverless endpoints")
        told.port = told.port or free_port()
        told.folder = told.folder.resolve()
        told.folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    elif not told.bucket or told.role == NO_ROLE:
        commands.error("on an account, --role and --bucket are needed; or say --local")
    told.does(told)


if __name__ == "__main__":
    main()
