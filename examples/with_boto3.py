"""Train, tune, deploy and batch-transform on a SageMaker account with boto3 alone.

    python -m examples.with_boto3 --image IMAGE_URI --role ROLE_ARN --bucket BUCKET COMMAND …

    train      --data s3://BUCKET/orders/   a training job on order lines
    tune       --data s3://BUCKET/orders/   training jobs that look for better hyperparameters
    deploy     --model-data s3://….tar.gz   a real-time endpoint; with --serverless one that
                                            costs nothing while nobody asks
    ask        --endpoint NAME              two requests to an endpoint
    transform  --model-data s3://….tar.gz --records s3://BUCKET/customers/
                                            a forecast for every line of JSON Lines files
    delete     --endpoint NAME              an endpoint, its configuration and its model

With --show, the requests are printed and nothing is sent. The functions below return the bodies of
the requests and nothing else, so that they can be copied into another program.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import boto3

Body = dict[str, object]

# What training prints and CloudWatch can draw; a tuning job needs one of them as its objective.
METRICS: list[dict[str, str]] = json.loads(
    (Path(__file__).parents[1] / "container/ordergap/training/metric_definitions.json").read_text()
)
OBJECTIVE = "validation:next_order:at_order:capped_mae"
RANGES: dict[str, list[Body]] = {
    "ContinuousParameterRanges": [
        {"Name": "eta", "MinValue": "0.01", "MaxValue": "0.2", "ScalingType": "Logarithmic"},
        {"Name": "min_child_weight", "MinValue": "1", "MaxValue": "100"},
        {"Name": "subsample", "MinValue": "0.5", "MaxValue": "1"},
    ],
    "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "8"}],
    "CategoricalParameterRanges": [{"Name": "objective", "Values": ["hazard", "aft"]}],
}
ONE_CUSTOMER = {
    "customer_id": "17850",
    "as_of": "2011-12-09",
    "orders": [{"date": "2011-09-20", "amount": 96.5}, {"date": "2011-11-03", "amount": 60}],
}


def channel(data: str, content_type: str = "text/csv") -> Body:
    """The order lines at `data`, an S3 prefix. FastFile reads them without copying them first."""
    return {
        "ChannelName": "training",
        "ContentType": content_type,
        "InputMode": "FastFile",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}},
    }


def machine(instance_type: str = "ml.m5.xlarge") -> Body:
    """One machine; a million order lines need no more."""
    return {"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": 30}


def training_job(
    name: str,
    image: str,
    role: str,
    data: str,
    output: str,
    hyperparameters: Mapping[str, str],
) -> Body:
    """A training job. Every hyperparameter is a string; `train --help` lists them."""
    return {
        "TrainingJobName": name,
        "HyperParameters": dict(hyperparameters),
        **_training(image, role, data, output),
    }


def _training(image: str, role: str, data: str, output: str) -> Body:
    """What a training job and the jobs of a search have in common.

    The container needs no network, so it gets none: no order can leave it but by `output`.
    """
    return {
        "RoleArn": role,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": METRICS,
        },
        "InputDataConfig": [channel(data)],
        "OutputDataConfig": {"S3OutputPath": output},
        "ResourceConfig": machine(),
        "EnableNetworkIsolation": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def tuning_job(
    name: str,
    image: str,
    role: str,
    data: str,
    output: str,
    hyperparameters: Mapping[str, str],
    jobs: int = 20,
) -> Body:
    """A search for the hyperparameters whose dates miss by the fewest days.

    Those given in `hyperparameters` stay as they are; the others of RANGES are searched.
    """
    searched = {
        kind: [entry for entry in ranges if entry["Name"] not in hyperparameters]
        for kind, ranges in RANGES.items()
    }
    return {
        "HyperParameterTuningJobName": name,  # at most 32 characters
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": OBJECTIVE},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 4},
            "ParameterRanges": searched,
            "RandomSeed": 42,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": dict(hyperparameters),
            **_training(image, role, data, output),
        },
    }


def model(name: str, image: str, role: str, model_data: str) -> Body:
    """The model.tar.gz of a training job and the image that serves it: the same that trained it."""
    return {
        "ModelName": name,
        "ExecutionRoleArn": role,
        "PrimaryContainer": {"Image": image, "ModelDataUrl": model_data, "Environment": {}},
        "EnableNetworkIsolation": True,
    }


def real_time(model_name: str, instance_type: str = "ml.m5.large") -> Body:
    """A machine that always waits for requests."""
    return {
        "VariantName": "AllTraffic",
        "ModelName": model_name,
        "InstanceType": instance_type,
        "InitialInstanceCount": 1,
    }


def serverless(model_name: str, memory_mb: int = 2048) -> Body:
    """A machine that is lent while somebody asks; the first request after a pause waits for it."""
    return {
        "VariantName": "AllTraffic",
        "ModelName": model_name,
        "ServerlessConfig": {"MemorySizeInMB": memory_mb, "MaxConcurrency": 5},
    }


def endpoint(name: str, variant: Body) -> tuple[Body, Body]:
    """An endpoint's configuration and the endpoint, both called `name`."""
    return (
        {"EndpointConfigName": name, "ProductionVariants": [variant]},
        {"EndpointName": name, "EndpointConfigName": name},
    )


def transform_job(
    name: str,
    model_name: str,
    records: str,
    output: str,
    *,
    as_of: str | None = None,
    strategy: str = "MultiRecord",
    instance_type: str = "ml.m5.xlarge",
) -> Body:
    """A forecast for every line of the JSON Lines files at `records`, a customer a line.

    `x.jsonl` becomes `x.jsonl.out`, line for line. `as_of` holds for all who do not say their own;
    it travels beside the Content-Type. The strategy is said because the SDK's local mode, unlike
    the platform, does not understand the one that a container asks for.
    """
    form = "application/jsonlines"
    return {
        "TransformJobName": name,
        "ModelName": model_name,
        "BatchStrategy": strategy,
        "MaxPayloadInMB": 6,
        "TransformInput": {
            "ContentType": f"{form}; as_of={as_of}" if as_of else form,
            "SplitType": "Line",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": records}},
        },
        "TransformOutput": {"S3OutputPath": output, "Accept": form, "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": instance_type, "InstanceCount": 1},
    }


def requests(told: argparse.Namespace, name: str) -> list[tuple[str, Body]]:
    """The calls of SageMaker's API that a command makes, in order: operation and body."""
    output = f"s3://{told.bucket}/ordergap"
    if told.command in {"train", "tune"}:
        values = dict(told.set)
        common = (name, told.image, told.role, told.data, f"{output}/models", values)
        if told.command == "train":
            return [("create_training_job", training_job(*common))]
        return [("create_hyper_parameter_tuning_job", tuning_job(*common))]
    if told.command == "delete":
        return [
            ("delete_endpoint", {"EndpointName": told.endpoint}),
            ("delete_endpoint_config", {"EndpointConfigName": told.endpoint}),
            ("delete_model", {"ModelName": told.endpoint}),
        ]
    create = ("create_model", model(name, told.image, told.role, told.model_data))
    if told.command == "deploy":
        variant = serverless(name) if told.serverless else real_time(name)
        configuration, body = endpoint(name, variant)
        return [
            create,
            ("create_endpoint_config", configuration),
            ("create_endpoint", body),
        ]
    job = transform_job(name, name, told.records, f"{output}/forecasts/{name}", as_of=told.as_of)
    return [create, ("create_transform_job", job)]


def wait(command: str, name: str) -> str:
    """Until what `command` started has ended or runs; what came of it, in a sentence."""
    client = boto3.client("sagemaker")
    if command == "train":
        client.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name)
        job = client.describe_training_job(TrainingJobName=name)
        return f"the model is {job['ModelArtifacts']['S3ModelArtifacts']}"
    if command == "deploy":
        client.get_waiter("endpoint_in_service").wait(EndpointName=name)
        return f"the endpoint {name} answers: ask --endpoint {name}"
    if command == "transform":
        client.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name)
        done = client.describe_transform_job(TransformJobName=name)
        return f"the forecasts are in {done['TransformOutput']['S3OutputPath']}"
    return f"see describe-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name {name}"


def ask(endpoint_name: str) -> None:
    """One customer as JSON, and order lines as they were exported; the answers are printed."""
    runtime = boto3.client("sagemaker-runtime")
    lines = "CustomerID,InvoiceNo,InvoiceDate,Quantity,UnitPrice\n17850,536365,2011-11-03,6,2.55\n"
    for content_type, body in (
        ("application/json", json.dumps(ONE_CUSTOMER)),
        ('text/csv; as_of=2011-12-09; horizons="30,60"', lines),
    ):
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint_name,
            ContentType=content_type,
            Accept="application/jsonlines",
            Body=body.encode(),
        )
        print(answer["Body"].read().decode(), end="")


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m examples.with_boto3",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--image", required=True, help="URI of the image in ECR")
    top.add_argument("--role", required=True, help="ARN of the role that SageMaker takes")
    top.add_argument("--bucket", required=True, help="bucket for models and forecasts")
    top.add_argument("--show", action="store_true", help="print the requests, send nothing")
    commands = top.add_subparsers(dest="command", required=True)
    for name in ("train", "tune"):
        learn = commands.add_parser(name)
        learn.add_argument("--data", required=True, help="S3 prefix of the order lines, CSV")
        learn.add_argument(
            "--set", type=pair, action="append", default=[], metavar="NAME=VALUE",
            help="a hyperparameter; may be given several times",
        )  # fmt: skip
    for name in ("deploy", "transform"):
        use = commands.add_parser(name)
        use.add_argument("--model-data", required=True, help="S3 URI of a model.tar.gz")
        if name == "deploy":
            use.add_argument("--serverless", action="store_true")
        else:
            use.add_argument("--records", required=True, help="S3 prefix of JSON Lines files")
            use.add_argument("--as-of", help="day of the forecast, such as 2011-12-09; else today")
    for name in ("ask", "delete"):
        commands.add_parser(name).add_argument("--endpoint", required=True)
    return top


def main(words: Sequence[str] | None = None) -> None:
    """Does what the command line says; the account and region are those of boto3's settings."""
    told = parser().parse_args(words)
    if told.command == "ask":
        ask(told.endpoint)
        return
    name = time.strftime("ordergap-%Y%m%d-%H%M%S", time.gmtime())
    calls = requests(told, name)
    if told.show:
        for operation, body in calls:
            print(json.dumps({operation: body}, indent=2))
        return
    client = boto3.client("sagemaker")
    for operation, body in calls:
        getattr(client, operation)(**body)
        print(f"{operation}: done")
    if told.command != "delete":
        print(f"waiting for {name} ...")
        print(wait(told.command, name))


if __name__ == "__main__":
    main()
