"""Train, tune, deploy and batch-transform on a SageMaker account with boto3 alone.

    python -m examples.with_boto3 --image IMAGE_URI --role ROLE_ARN --bucket BUCKET COMMAND …

    train      --data s3://BUCKET/orders/   a training job on order lines
    tune       --data s3://BUCKET/orders/   training jobs that look for better hyperparameters
    deploy     --model-data s3://….tar.gz   a real-time endpoint; with --serverless, one that
                                            costs nothing without requests
    invoke     --endpoint NAME              two requests to an endpoint
    transform  --model-data s3://….tar.gz --records s3://BUCKET/customers/
                                            a forecast for every line of JSON Lines files
    delete     --endpoint NAME              an endpoint, its configuration and its model

With --show, the requests are printed and nothing is sent. The functions below return the bodies of
the requests, so that you can copy them into another program.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import boto3

Body = dict[str, object]

# The metrics that training prints, for CloudWatch. A tuning job needs one as its objective.
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
    """The order lines under `data`, an S3 prefix. FastFile streams them."""
    return {
        "ChannelName": "training",
        "ContentType": content_type,
        "InputMode": "FastFile",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}},
    }


def machine(instance_type: str = "ml.m5.xlarge") -> Body:
    """One instance, which is enough for a million order lines."""
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
    """The fields that a training job and a tuning job have in common.

    The container needs no network. Without one, data can only leave it by `output`.
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
    """A search for the hyperparameters with the smallest error of the dates.

    The values in `hyperparameters` are fixed; the others of RANGES are searched.
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


def model(name: str, image: str, role: str, model_data: str, *, isolated: bool = True) -> Body:
    """A model: the model.tar.gz of a training job, and the image, the same as in training.

    SageMaker refuses a serverless endpoint of a model that is isolated from the network.
    """
    return {
        "ModelName": name,
        "ExecutionRoleArn": role,
        "PrimaryContainer": {"Image": image, "ModelDataUrl": model_data, "Environment": {}},
        "EnableNetworkIsolation": isolated,
    }


def real_time(model_name: str, instance_type: str = "ml.m5.large") -> Body:
    """A variant of an endpoint with an instance of its own."""
    return {
        "VariantName": "AllTraffic",
        "ModelName": model_name,
        "InstanceType": instance_type,
        "InitialInstanceCount": 1,
    }


def serverless(model_name: str, memory_mb: int = 2048) -> Body:
    """A variant without an instance of its own: the first request after a pause takes longer."""
    return {
        "VariantName": "AllTraffic",
        "ModelName": model_name,
        "ServerlessConfig": {"MemorySizeInMB": memory_mb, "MaxConcurrency": 5},
    }


def endpoint(name: str, variant: Body) -> tuple[Body, Body]:
    """An endpoint's configuration and the endpoint, both with the name `name`."""
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
    """A forecast for every line of the JSON Lines files under `records`, a customer a line.

    `x.jsonl` becomes `x.jsonl.out`, line for line. `as_of` is the default of the records, and is
    sent as a parameter of the Content-Type. The strategy is set because the SDK's local mode does
    not understand the one in the container's /execution-parameters.
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


def requests(options: argparse.Namespace, name: str) -> list[tuple[str, Body]]:
    """The calls of SageMaker's API by a command, in order: operation and body."""
    output = f"s3://{options.bucket}/ordergap"
    if options.command in {"train", "tune"}:
        values = dict(options.set)
        common = (name, options.image, options.role, options.data, f"{output}/models", values)
        if options.command == "train":
            return [("create_training_job", training_job(*common))]
        return [("create_hyper_parameter_tuning_job", tuning_job(*common))]
    if options.command == "delete":
        return [
            ("delete_endpoint", {"EndpointName": options.endpoint}),
            ("delete_endpoint_config", {"EndpointConfigName": options.endpoint}),
            ("delete_model", {"ModelName": options.endpoint}),
        ]
    isolated = options.command != "deploy" or not options.serverless
    body = model(name, options.image, options.role, options.model_data, isolated=isolated)
    create = ("create_model", body)
    if options.command == "deploy":
        variant = serverless(name) if options.serverless else real_time(name)
        configuration, body = endpoint(name, variant)
        return [
            create,
            ("create_endpoint_config", configuration),
            ("create_endpoint", body),
        ]
    job = transform_job(
        name, name, options.records, f"{output}/forecasts/{name}", as_of=options.as_of
    )
    return [create, ("create_transform_job", job)]


def wait(command: str, name: str) -> str:
    """Wait for the result of `command`; returns a sentence about it."""
    client = boto3.client("sagemaker")
    if command == "train":
        client.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name)
        job = client.describe_training_job(TrainingJobName=name)
        return f"the model is {job['ModelArtifacts']['S3ModelArtifacts']}"
    if command == "deploy":
        client.get_waiter("endpoint_in_service").wait(EndpointName=name)
        return f"the endpoint {name} is ready: invoke --endpoint {name}"
    if command == "transform":
        client.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name)
        output = client.describe_transform_job(TransformJobName=name)["TransformOutput"]
        return f"the forecasts are in {output['S3OutputPath']}"
    return f"see describe-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name {name}"


def invoke(endpoint_name: str) -> None:
    """Request forecasts for a customer as JSON and for order lines as CSV, and print them."""
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
            use.add_argument("--as-of", help="day of the forecast, as 2011-12-09 (default: today)")
    for name in ("invoke", "delete"):
        commands.add_parser(name).add_argument("--endpoint", required=True)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. Account and region are those of boto3's configuration."""
    options = parser().parse_args(arguments)
    if options.command == "invoke":
        invoke(options.endpoint)
        return
    name = time.strftime("ordergap-%Y%m%d-%H%M%S", time.gmtime())
    calls = requests(options, name)
    if options.show:
        for operation, body in calls:
            print(json.dumps({operation: body}, indent=2))
        return
    client = boto3.client("sagemaker")
    for operation, body in calls:
        getattr(client, operation)(**body)
        print(f"{operation}: done")
    if options.command != "delete":
        print(f"waiting for {name} ...")
        print(wait(options.command, name))


if __name__ == "__main__":
    main()
