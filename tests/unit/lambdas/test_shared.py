import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries import standard
from ordergap import errors as base
from ordergap.errors import OrdergapError, UserError
from pydantic import BaseModel, Field

from lambdas.shared import errors
from lambdas.shared.entry import entry_point
from lambdas.shared.errors import BadEvent, RowsLost, Unavailable
from lambdas.shared.events import RunEvent, parse
from lambdas.shared.logs import publish
from lambdas.shared.settings import from_environment
from tests.stack import FUNCTIONS, input_of

GOOD = {"run_id": "night-7", "market": "uk", "prefix": "runs/night-7/uk"}


class Settings(BaseModel):
    bucket: str = Field(alias="ORDERGAP_BUCKET", description="bucket of the pipeline")
    days: int = Field(90, ge=1, alias="ORDERGAP_EXPIRE_DAYS", description="days an item lives")
    table: str = Field(alias="ORDERGAP_TABLE", description="table of predictions")


def test_settings_come_from_the_variables_that_are_set():
    variables = {"ORDERGAP_BUCKET": "b", "ORDERGAP_TABLE": "t", "ORDERGAP_EXPIRE_DAYS": " "}
    settings = from_environment(Settings, variables)
    assert (settings.bucket, settings.days, settings.table) == ("b", 90, "t")


def test_every_wrong_variable_is_named_with_its_meaning():
    with pytest.raises(UserError) as refused:
        from_environment(Settings, {"ORDERGAP_BUCKET": "", "ORDERGAP_EXPIRE_DAYS": "soon"})
    message = str(refused.value)
    assert "ORDERGAP_BUCKET is not set: bucket of the pipeline" in message
    assert "ORDERGAP_EXPIRE_DAYS = 'soon'" in message
    assert "ORDERGAP_TABLE is not set" in message


def test_every_error_is_a_subclass_of_the_containers():
    subclasses = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and each.__module__ == errors.__name__
    ]
    assert len(subclasses) == 17
    for each in subclasses:
        assert issubclass(each, OrdergapError)
        assert each.__bases__[0].__module__ == base.__name__


def test_every_problem_of_an_event_is_named():
    with pytest.raises(BadEvent) as refused:
        parse(RunEvent, {"run_id": "a/b", "market": "UK", "colour": "red"})
    assert len(refused.value.problems) == 4
    for field in ("run_id", "market", "prefix", "colour"):
        assert f"{field}: " in str(refused.value)


@pytest.mark.parametrize("event", [None, [], "text", 7])
def test_an_event_that_is_no_object_is_refused(event):
    with pytest.raises(BadEvent, match="event: "):
        parse(RunEvent, event)


def test_a_prefix_of_another_run_is_refused():
    with pytest.raises(BadEvent, match="prefix must be runs/night-7/uk"):
        parse(RunEvent, GOOD | {"prefix": "runs/night-8/uk"})


@pytest.mark.parametrize("market", ["-uk", "uk-", "-", "UK", "a" * 21, ""])
def test_a_market_that_later_names_cannot_have_is_refused(market):
    with pytest.raises(BadEvent, match="market: "):
        parse(RunEvent, GOOD | {"market": market, "prefix": f"runs/night-7/{market}"})


@pytest.mark.parametrize("name", ["run_id", "market"])
def test_names_cannot_hold_a_line_break(name):
    with pytest.raises(BadEvent, match=name):
        parse(RunEvent, GOOD | {name: "uk\n"})


def test_log_messages_name_their_run(context, capsys):
    @entry_point(RunEvent)
    def handle(event, context):
        raise RowsLost("3 customers are missing")

    with pytest.raises(RowsLost):
        handle(GOOD, context)
    line = json.loads(capsys.readouterr().out)
    assert line["message"] == "3 customers are missing"
    assert (line["run_id"], line["market"], line["error"]) == ("night-7", "uk", "RowsLost")
    assert "exception" not in line


def test_keys_of_one_request_are_not_in_the_messages_of_the_next(context, capsys):
    @entry_point(RunEvent)
    def handle(event, context):
        raise RowsLost("again")

    for event, error in ((GOOD, RowsLost), ([1], BadEvent)):
        with pytest.raises(error):
            handle(event, context)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert "run_id" in first
    assert "run_id" not in second


def test_an_unexpected_error_is_logged_with_its_stack_and_raised(context, capsys):
    @entry_point(RunEvent)
    def handle(event, context):
        return {"share": 1 / 0}

    with pytest.raises(ZeroDivisionError):
        handle(GOOD, context)
    assert "ZeroDivisionError" in json.loads(capsys.readouterr().out)["exception"]


def _passing() -> Iterator[tuple[str, ClientError]]:
    """The exceptions that the models of the called services name as their faults, or throttling."""
    for service in ("dynamodb", "s3", "sagemaker", "secretsmanager", "sns", "stepfunctions"):
        client: Any = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]
        for shape in client.meta.service_model.error_shapes:
            status = shape.metadata.get("error", {}).get("httpStatusCode")
            fault = shape.metadata.get("fault") or (status or 400) >= 500
            if fault or re.search("throttl|internal", shape.name, re.IGNORECASE):
                raised = client.exceptions.from_code(shape.error_code)
                yield f"{service}-{shape.error_code}", raised(_answer(shape.error_code, status), "")


def _answer(code: str, status: int | None = None) -> Any:
    return {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


def _connection_errors() -> Iterator[BotoCoreError]:
    """The errors of botocore in which no whole answer came."""
    classes: list[Any] = [
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
    ]
    words = {"error": "reset", "endpoint_url": "https://sns", "proxy_url": "p"}
    for cls in classes:
        classes.extend(each for each in cls.__subclasses__() if each.__module__ == cls.__module__)
        yield cls(**words, actual_bytes=1, expected_bytes=2)


MODELLED = dict(_passing())
CODES: set[str] = {
    *vars(standard.ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"],
    *vars(standard.TransientRetryableChecker)["_TRANSIENT_ERROR_CODES"],
}
CONNECTION = [*_connection_errors()]


def test_the_errors_that_the_state_machine_missed_are_among_them() -> None:
    assert {
        "dynamodb-InternalServerError",
        "secretsmanager-InternalServiceError",
        "sns-InternalError",
        "sns-KMSThrottling",
    } <= MODELLED.keys()
    assert {type(each).__name__ for each in CONNECTION} >= {
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "ReadTimeoutError",
    }


@pytest.mark.parametrize(
    "error",
    [*MODELLED.values(), *(ClientError(_answer(code), "") for code in sorted(CODES)), *CONNECTION],
    ids=repr,
)
def test_what_passes_by_itself_is_raised_under_one_name(context, error):
    @entry_point(RunEvent)
    def handle(event, context):
        raise error

    with pytest.raises(Unavailable, match=type(error).__name__):
        handle(GOOD, context)


@pytest.mark.parametrize(
    "error",
    [
        ClientError(_answer("AccessDenied", 403), "Publish"),
        ClientError(_answer("ResourceLimitExceeded", 400), "CreateModelPackageGroup"),
        exceptions.NoCredentialsError(),
    ],
)
def test_what_does_not_pass_is_raised_as_it_is(context, error):
    @entry_point(RunEvent)
    def handle(event, context):
        raise error

    with pytest.raises(type(error)):
        handle(GOOD, context)


def test_counts_are_published_by_market(capsys):
    publish("uk", PredictionsWritten=12, PredictionsRejected=0)
    publish("de", PredictionsWritten=5)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["market"], first["PredictionsWritten"]) == ("uk", [12.0])
    assert (second["market"], second["PredictionsWritten"]) == ("de", [5.0])
    assert "PredictionsRejected" not in second
    for each in (first, second):
        (published,) = each["_aws"]["CloudWatchMetrics"]
        assert sorted(map(sorted, published["Dimensions"])) == [["market", "service"], ["service"]]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sample_events_are_accepted_and_unknown_keys_refused(function, event):
    parse(input_of(function), event(function))
    with pytest.raises(BadEvent, match="colour"):
        parse(input_of(function), event(function) | {"colour": "red"})


def test_importing_a_function_needs_neither_a_region_nor_what_is_not_in_its_zip(root):
    imports = "; ".join(f"import lambdas.{function}.handler" for function in FUNCTIONS)
    list_stubs = (
        "import sys; print([name for name in sys.modules if name.startswith('mypy_boto3')])"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{imports}; {list_stubs}"],
        cwd=root, env={}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "[]\n"
