"""The emulated AWS: moto's server in this process, with working jobs, functions and rules.

Moto keeps S3, DynamoDB, SNS, SQS and the rest in memory and interprets the state machine. Parts
of it are replaced while the server runs, so its version is pinned exactly.

See docs/decisions/testing.md#the-aws-on-a-laptop-is-moto-with-its-gaps-filled and
docs/decisions/testing.md#local-writes-skip-the-web-application.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import Mock, patch

from moto.cloudformation import parsing
from moto.core.config import default_user_config
from moto.moto_server import threaded_moto_server
from moto.server import ThreadedMotoServer

from local import events, lambda_runtime, state_machine
from local.aws import Aws
from local.endpoints import Endpoints
from local.jobs import Jobs, Work
from local.processing import process
from local.runners import Runner
from local.server import Handler
from local.training import train
from local.transform import transform

EXECUTES: dict[str, dict[str, bool]] = {
    "stepfunctions": {"execute_state_machine": True},
    "lambda": {"use_docker": False},
}


@contextmanager
def start(folder: Path, runner: Runner) -> Iterator[Aws]:
    """An emulated AWS on a free port, while the context lasts. Only one may run at a time.

    `runner` runs the containers of SageMaker's jobs and endpoints. These and the Lambda functions
    have their files and logs in `folder`.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("moto").setLevel(logging.CRITICAL)  # errors reach the user by other ways
    with ExitStack() as stack:
        # `deployment` compares the created resources with the template, and says more.
        stack.enter_context(patch.object(parsing, "warnings", Mock(warnings)))
        stack.enter_context(patch.dict(default_user_config, EXECUTES))
        stack.enter_context(patch.object(threaded_moto_server, "MotoRequestHandler", Handler))
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        stack.callback(server.stop)
        port = server.get_host_and_port()[1]
        aws = Aws(f"http://127.0.0.1:{port}", folder)
        work: dict[str, Work] = {"training": train, "transform": transform, "processing": process}
        jobs = stack.enter_context(Jobs(aws, runner, work))
        stack.enter_context(state_machine.installed(aws, jobs, port))
        stack.enter_context(Endpoints(aws, runner))
        stack.enter_context(lambda_runtime.installed(aws))
        stack.enter_context(events.installed(aws))
        yield aws
