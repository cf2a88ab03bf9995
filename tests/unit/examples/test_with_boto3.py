import json
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator
from ordergap.contract.hyperparameters import NAMES, parse

from examples import with_boto3

ACCOUNT = (
    *("--image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ordergap:1", "--bucket", "shop"),
    *("--role", "arn:aws:iam::123456789012:role/SageMaker"),
)
DATA = ("--data", "s3://shop/orders/")
MODEL = ("--model-data", "s3://shop/ordergap/models/model.tar.gz")
COMMANDS = {
    ("train", *DATA, "--set", "num_round=200"): ["create_training_job"],
    ("tune", *DATA): ["create_hyper_parameter_tuning_job"],
    ("deploy", *MODEL): ["create_model", "create_endpoint_config", "create_endpoint"],
    ("deploy", "--serverless", *MODEL): [
        "create_model",
        "create_endpoint_config",
        "create_endpoint",
    ],
    ("transform", *MODEL, "--records", "s3://shop/customers/", "--as-of", "2011-12-09"): [
        "create_model",
        "create_transform_job",
    ],
    ("delete", "--endpoint", "e"): ["delete_endpoint", "delete_endpoint_config", "delete_model"],
}


@pytest.fixture(scope="module")
def validate():
    """Raises where a body does not match SageMaker's service model of the operation."""
    service = botocore.session.Session().get_service_model("sagemaker")

    def validate(operation, body):
        name = "".join(word.title() for word in operation.split("_"))
        shape = service.operation_model(name).input_shape
        assert shape
        report = ParamValidator().validate(body, shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())
        check_enums(body, shape)

    return validate


def check_enums(body, shape):
    """Enumerations and lengths of texts and lists, which botocore does not check."""
    if shape.type_name == "structure":
        for name, value in body.items():
            check_enums(value, shape.members[name])
    elif shape.type_name == "list":
        for value in body:
            check_enums(value, shape.member)
    if shape.type_name == "string" and shape.enum:
        assert body in shape.enum, (shape.name, body)
    if shape.type_name in {"string", "list"} and "max" in shape.metadata:
        assert len(body) <= shape.metadata["max"], (shape.name, body)


def requests_of(arguments, capsys):
    """The requests of a command, as --show prints them."""
    with_boto3.main([*ACCOUNT, "--show", *arguments])
    text, decoder, requests = capsys.readouterr().out.strip(), json.JSONDecoder(), []
    while text:
        request, end = decoder.raw_decode(text)
        requests += request.items()
        text = text[end:].strip()
    return requests


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_request_is_valid_for_sagemaker(arguments, capsys, validate):
    requests = requests_of(arguments, capsys)
    assert [operation for operation, _ in requests] == COMMANDS[arguments]
    for operation, body in requests:
        validate(operation, body)


def test_a_serverless_endpoint_has_a_model_without_network_isolation_and_others_have_one_with(
    capsys,
):
    """SageMaker refuses the two together, which its service model does not say."""
    created = 0
    for arguments in COMMANDS:
        bodies = dict(requests_of(arguments, capsys))
        variants = bodies.get("create_endpoint_config", {}).get("ProductionVariants", [])
        serverless = any("ServerlessConfig" in variant for variant in variants)
        assert serverless == ("--serverless" in arguments)
        if "create_model" in bodies:
            created += 1
            assert bodies["create_model"]["EnableNetworkIsolation"] is not serverless
    assert created == 3


def test_the_validation_finds_invalid_requests(validate):
    job = with_boto3.transform_job("n", "m", "s3://b/r", "s3://b/o")
    with pytest.raises(ParamValidationError):
        validate("create_transform_job", {k: v for k, v in job.items() if k != "TransformInput"})
    with pytest.raises(AssertionError, match="BatchStrategy"):
        validate("create_transform_job", job | {"BatchStrategy": "MULTI_RECORD"})


def test_the_tuning_job_looks_for_a_metric_that_training_prints():
    assert with_boto3.OBJECTIVE in {metric["Name"] for metric in with_boto3.METRICS}
    assert len(with_boto3.METRICS) <= 40  # the platform's limit


def test_every_bound_of_every_range_is_valid_for_the_container():
    ranges: dict[str, Any] = with_boto3.RANGES
    for kind in ranges.values():
        for entry in kind:
            ends = entry.get("Values") or (entry["MinValue"], entry["MaxValue"])
            for end in ends:
                parse({entry["Name"]: end})


def test_a_fixed_hyperparameter_is_not_searched(capsys):
    arguments = ("tune", *DATA, "--set", "seed=1", "--set", "eta=0.1")
    ((_, body),) = requests_of(arguments, capsys)
    static = set(body["TrainingJobDefinition"]["StaticHyperParameters"])
    ranges = body["HyperParameterTuningJobConfig"]["ParameterRanges"]
    searched = {entry["Name"] for kind in ranges.values() for entry in kind}
    assert static == {"seed", "eta"}
    assert "eta" not in searched
    assert static | searched <= set(NAMES)


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        with_boto3.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(arguments[0] in text for arguments in COMMANDS)


def test_a_hyperparameter_without_a_value_is_refused(capsys):
    with pytest.raises(SystemExit):
        with_boto3.main([*ACCOUNT, "train", *DATA, "--set", "num_round"])
    assert "NAME=VALUE" in capsys.readouterr().err
