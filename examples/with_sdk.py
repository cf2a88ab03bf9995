"""Train, tune, deploy and batch-transform with the SageMaker Python SDK (version 3).

On an account:

    python -m examples.with_sdk --image IMAGE_URI --role ROLE_ARN --bucket BUCKET COMMAND …

On this machine, in Docker, without an account (the SDK's local mode, which needs docker-compose):

    python -m examples.with_sdk --local --image ordergap COMMAND …

    train      --data s3://… or a folder    a training job on order lines
    tune       --data s3://…                training jobs that search for better hyperparameters
    transform  --model-data … --records …   a forecast for every line of JSON Lines files
    deploy     --model-data …               an endpoint, real-time or --serverless, and a request;
                                            with --local, it is stopped at the end

Local paths of --model-data and --records begin with file:///, as the SDK requires.
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
# Local mode needs no role, but the SDK requires one.
NO_ROLE = "arn:aws:iam::000000000000:role/local"
JSON_LINES = "application/jsonlines"


def trainer(options: argparse.Namespace) -> ModelTrainer:
    """The trainer. Hyperparameters may be Python values: 0.1, [30, 60], "lstm"."""
    if options.local:
        place: dict[str, Any] = {
            "training_mode": Mode.LOCAL_CONTAINER,
            "compute": Compute(instance_type="local_cpu", instance_count=1),
            "local_container_root": str(options.folder),
        }
    else:
        place = {
            "compute": Compute(instance_type="ml.m5.xlarge", instance_count=1),
            "networking": Networking(enable_network_isolation=True),
            "output_data_config": OutputDataConfig(
                s3_output_path=f"s3://{options.bucket}/ordergap/models"
            ),
        }
    job = ModelTrainer(
        training_image=options.image,
        role=options.role,
        base_job_name="ordergap",
        hyperparameters=dict(options.set),
        **place,
    )
    return job.with_metric_definitions(
        [MetricDefinition(name=metric["Name"], regex=metric["Regex"]) for metric in METRICS]
    )


def channels(options: argparse.Namespace) -> list[InputData]:
    """The order lines. The container requires this name of the channel."""
    return [InputData(channel_name="training", data_source=options.data, content_type="text/csv")]


def train(options: argparse.Namespace) -> None:
    """Train, and print the URI of the model."""
    job = trainer(options)
    job.train(input_data_config=channels(options), wait=True)
    if options.local:
        print(f"file://{options.folder}/compressed_artifacts/model.tar.gz")
    else:
        print(job._latest_training_job.model_artifacts.s3_model_artifacts)  # noqa: SLF001


def tune(options: argparse.Namespace) -> None:
    """Start the search for the hyperparameters with the smallest error of the dates.

    The SDK's tuner drops the trainer's network isolation; the request by boto3 has it.
    """
    tuner = HyperparameterTuner(
        model_trainer=trainer(options),
        objective_metric_name=OBJECTIVE,
        objective_type="Minimize",
        metric_definitions=METRICS,
        hyperparameter_ranges={name: RANGES[name] for name in RANGES.keys() - dict(options.set)},
        max_jobs=20,
        max_parallel_jobs=4,
    )
    tuner.tune(inputs=channels(options), wait=False)


def session(options: argparse.Namespace) -> Session:
    """A session with the account, or with local mode."""
    if not options.local:
        return Session()
    local = LocalSession()
    local.config = {"local": {"serving_port": options.port, "container_root": str(options.folder)}}
    return local


def transform(options: argparse.Namespace) -> None:
    """Forecast every customer, a JSON record a line; `x.jsonl` becomes `x.jsonl.out`."""
    context, name = session(options), fresh_name()
    context.sagemaker_client.create_model(
        **model(name, options.image, options.role, options.model_data)
    )
    output = (
        f"file://{options.folder}/forecasts"
        if options.local
        else f"s3://{options.bucket}/ordergap/forecasts"
    )
    # Local mode does not understand the strategy in the container's /execution-parameters.
    Transformer(
        model_name=name,
        instance_count=1,
        instance_type="local" if options.local else "ml.m5.xlarge",
        strategy=options.strategy,
        assemble_with="Line",
        accept=JSON_LINES,
        output_path=output,
        sagemaker_session=context,
    ).transform(
        options.records,
        content_type=f"{JSON_LINES}; as_of={options.as_of}" if options.as_of else JSON_LINES,
        split_type="Line",
        job_name=name,
        wait=True,
        logs=False,
    )
    print(output)


def deploy(options: argparse.Namespace) -> None:
    """Create an endpoint and request a forecast for one customer."""
    context, name = session(options), fresh_name()
    client = context.sagemaker_client
    client.create_model(
        **model(
            name,
            options.image,
            options.role,
            options.model_data,
            isolated=not options.serverless,
        )
    )
    variant = serverless(name) if options.serverless else real_time(name)
    if options.local:
        variant["InstanceType"] = "local"
    configuration, body = endpoint(name, variant)
    client.create_endpoint_config(**configuration)
    client.create_endpoint(**body)
    if not options.local:
        client.get_waiter("endpoint_in_service").wait(EndpointName=name)
    try:
        answer = context.sagemaker_runtime_client.invoke_endpoint(
            EndpointName=name, ContentType="application/json", Body=json.dumps(ONE_CUSTOMER)
        )
        print(answer["Body"].read().decode())
    finally:
        if options.local:
            client.delete_endpoint(EndpointName=name)
    if not options.local:
        print(f"python -m examples.with_boto3 … delete --endpoint {name}")


def fresh_name() -> str:
    """A new name for a model, its jobs and its endpoint."""
    return time.strftime("ordergap-%Y%m%d-%H%M%S", time.gmtime())


def free_port() -> int:
    """A free port; local mode would use 8080."""
    with socket.socket() as unbound:
        unbound.bind(("", 0))
        return int(unbound.getsockname()[1])


def setting(text: str) -> tuple[str, object]:
    """NAME=VALUE, where VALUE is JSON, or text if it is not."""
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
    top.add_argument("--port", type=int, help="local: of the endpoint (default: a free one)")
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
            use.add_argument("--as-of", help="day of the forecast, as 2011-12-09 (default: today)")
            use.add_argument(
                "--strategy", choices=("MultiRecord", "SingleRecord"), default="MultiRecord"
            )
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. Account and region are those of boto3's configuration."""
    commands = parser()
    options = commands.parse_args(arguments)
    if options.local:
        if options.command == "tune" or getattr(options, "serverless", False):
            commands.error("local mode has neither tuning nor serverless endpoints")
        options.port = options.port or free_port()
        options.folder = options.folder.resolve()
        options.folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    elif not options.bucket or options.role == NO_ROLE:
        commands.error("--role and --bucket are required; without an account, use --local")
    options.does(options)


if __name__ == "__main__":
    main()
