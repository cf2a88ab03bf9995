"""A function's zip runs as on AWS: isolated, warm, in parallel, with a timeout."""

import io
import json
import textwrap
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.aws import Aws

pytestmark = pytest.mark.xdist_group("embedded-aws")

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
HANDLER = textwrap.dedent("""
    import os, sys, time

    class SourceEmpty(Exception):
        pass

    calls = []

    def handle(event, context):
        calls.append(event)
        match event["do"]:
            case "answer":
                return {"calls": len(calls), "process": os.getpid()}
            case "sleep":
                time.sleep(event["seconds"])
                return os.getpid()
            case "raise":
                raise SourceEmpty("no rows")
            case "exit":
                os._exit(7)
            case "inspect":
                import importlib.util
                return {
                    "importable": [n for n in event["names"] if importlib.util.find_spec(n)],
                    "environment": dict(os.environ),
                    "milliseconds": context.get_remaining_time_in_millis(),
                }
""")


@pytest.fixture
def function(aws: Aws, request: pytest.FixtureRequest):
    """Creates a function from source code; returns a call that returns its result and error."""
    client = aws._session.client("lambda", endpoint_url=aws.endpoint)
    iam = aws._session.client("iam", endpoint_url=aws.endpoint)
    name = f"f{abs(hash(request.node.name))}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]

    def make(code: str = HANDLER, timeout: int = 30, **environment: str):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as package:
            package.writestr("shop/handler.py", code)
        client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=role,
            Handler="shop.handler.handle",
            Code={"ZipFile": content.getvalue()},
            Timeout=timeout,
            Environment={"Variables": environment},
        )

        def call(**event):
            response = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
            return json.load(response["Payload"]), response.get("FunctionError")

        return call

    return make


def test_a_warm_process_is_used_again(function):
    call = function()
    first, second = call(do="answer")[0], call(do="answer")[0]
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["process"] == second["process"]


def test_concurrent_calls_have_a_process_each(function):
    call = function()
    with ThreadPoolExecutor(3) as threads:
        answers = threads.map(lambda _: call(do="sleep", seconds=1)[0], range(3))
        assert len(set(answers)) == 3


def test_an_exception_is_returned_with_its_class_name(function):
    answer, error = function()(do="raise")
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("SourceEmpty", "no rows")
    assert "handler.py" in "".join(answer["stackTrace"])


def test_a_handler_that_cannot_be_imported_is_an_error(function):
    answer, error = function("import polars")(do="answer")
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "polars" in answer["errorMessage"]


def test_a_function_that_takes_too_long_is_killed_and_the_next_call_is_answered(function):
    call = function(timeout=1)
    began = time.monotonic()
    answer, _ = call(do="sleep", seconds=30)
    assert time.monotonic() - began < 20
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in answer["errorMessage"]
    assert call(do="answer")[0]["calls"] == 1


def test_a_process_that_dies_is_reported_and_replaced(function):
    call = function()
    answer, error = call(do="exit")
    assert (answer["errorType"], error) == ("Runtime.ExitError", "Unhandled")
    assert "exit status 7" in answer["errorMessage"]
    assert call(do="answer")[0]["calls"] == 1


def test_a_function_sees_its_zip_and_nothing_of_this_checkout(function, aws, monkeypatch):
    monkeypatch.setenv("A_SECRET", "1")
    call = function(timeout=10, ORDERGAP_TABLE="t")
    names = ["shop", "ordergap", "local", "polars", "boto3", "pytest", "awslambdaric"]
    inspected = call(do="inspect", names=names)[0]
    assert inspected["importable"] == ["shop", "awslambdaric"]
    assert inspected["environment"]["AWS_ENDPOINT_URL"] == aws.endpoint
    assert inspected["environment"]["ORDERGAP_TABLE"] == "t"
    assert "A_SECRET" not in inspected["environment"]
    assert 5_000 < inspected["milliseconds"] <= 10_000
