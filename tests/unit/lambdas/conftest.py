import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from moto import mock_aws

from lambdas.judge_model.images import ecr
from lambdas.shared import clients
from lambdas.shared.logs import logger
from local.source import postgres
from tests.sources import PASSWORD

BUCKET = "ordergap-123456789012"


@dataclass
class Context:
    """The context object of a Lambda; `times` are the remaining times that it returns."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    log_group_name: str = "/aws/lambda/function"
    log_stream_name: str = "stream"
    times: list[int] = field(default_factory=list)

    def get_remaining_time_in_millis(self) -> int:
        return self.times.pop(0) if self.times else 900_000


class Stdout(io.TextIOBase):
    """The present standard output: pytest replaces it for each test."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)


@pytest.fixture(autouse=True, scope="session")
def _logs_go_to_the_present_stdout() -> None:
    for handler in logger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.stream = Stdout()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server for this session; skips where none is installed."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres(PASSWORD))
        except OSError as reason:
            pytest.skip(str(reason))
        yield server.url


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS of one test, in eu-west-1."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("ORDERGAP_BUCKET", BUCKET)
    cached = (
        clients.s3, clients.sagemaker, clients.secrets, clients.sns, clients.stepfunctions,
        clients.events, ecr,
    )  # fmt: skip
    for make in cached:
        make.cache_clear()
    # Where another test's embedded AWS executes state machines, this one does not.
    with mock_aws(config={"stepfunctions": {"execute_state_machine": False}}):
        clients.s3().create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield
    for make in cached:
        make.cache_clear()


@pytest.fixture
def event(root: Path) -> Callable[[str], dict[str, object]]:
    """The sample event beside a function's handler."""

    def read(function: str) -> dict[str, object]:
        sample = json.loads((root / "lambdas" / function / "event.json").read_text())
        assert isinstance(sample, dict)
        return sample

    return read
