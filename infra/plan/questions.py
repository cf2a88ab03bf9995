"""Questions to AWS by its CLI, and what came of a check."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.rendering import Stack

ROOT = Path(__file__).resolve().parents[2]
_ERROR = re.compile(
    r"An error occurred \((\w+)\) when calling the (\w+) operation(?: \(reached [^)]*\))?: (.*)",
    re.DOTALL,
)
_DENIED = {"AuthorizationError", "NotAuthorized", "UnauthorizedOperation"}
_FOR_NOW = re.compile(
    "Throttl|RequestLimit|TooManyRequests|Internal|ServiceException|ServiceFailure|Unavailable"
)
_CREDENTIALS = {
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
    "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
}  # fmt: skip
_NO_CREDENTIALS = re.compile(r"Unable to locate credentials|SSO|Token has expired|config profile")
_SECONDS = 300  # of one command, which may ask for many pages


class Unanswered(Exception):
    """A question without an answer: what it would take to get one."""


class Refused(Exception):
    """AWS understood the question and says no."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Answer(dict[str, Any]):
    """A JSON object of an answer. A field that it lacks is a question without an answer."""

    def __missing__(self, name: str) -> Any:
        raise Unanswered(f"the AWS CLI's answer has no {name}")


class Problem(str):
    """What would fail, and what helps."""

    __slots__ = ()


class Note(str):
    """What is good to know, and no problem."""

    __slots__ = ()


Findings = Iterator[Problem | Note]


@dataclass(frozen=True)
class Plan:
    """What is to be deployed, and where."""

    stack: Stack
    given: dict[str, str]
    """Parameters that the caller named, and the image's tag."""
    kept: dict[str, str]
    """Parameters of the stack as it is."""
    previous: Answer | None
    """The stack as it is; None where there is none."""
    image: str

    @cached_property
    def definition(self) -> str:
        """The state machine's definition, rendered."""
        path = ROOT / "stepfunctions/pipeline.asl.json"
        return self.stack.definition(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Check:
    """A question of the plan."""

    name: str
    asks: str
    ask: Callable[[Plan], Findings]
    costs: str = "costs nothing"


def aws(command: str, **parameters: object) -> Answer:
    """What the AWS CLI answers to a command such as "iam simulate-custom-policy".

    Its parameters are those of the API. Raises Unanswered, or Refused with AWS's error.
    """
    printed = _run("aws", *command.split(), "--output", "json", "--cli-input-json",
                   json.dumps(parameters))  # fmt: skip
    # An answer may be a secret: it is never part of a message.
    try:
        answer = json.loads(printed or "{}", object_hook=Answer)
    except ValueError:
        answer = None
    if not isinstance(answer, Answer):
        raise Unanswered(f"the AWS CLI's answer to {command} is no JSON object")
    return answer


def configured_region() -> str:
    """The region of the CLI's profile; empty without one."""
    try:
        return _run("aws", "configure", "get", "region")
    except (Refused, Unanswered):
        return ""


def image_of(name: str) -> Answer | None:
    """What Docker says about a local image; None without the image. Raises Unanswered."""
    try:
        printed = _run("docker", "image", "inspect", name)
    except Unanswered as error:
        if re.search("no such image", str(error), re.IGNORECASE):
            return None
        raise
    try:
        [image] = json.loads(printed, object_hook=Answer)
    except ValueError:
        raise Unanswered("docker image inspect did not answer with one image in JSON") from None
    return Answer(image)


def _run(*command: str) -> str:
    """What the command prints. Raises Unanswered, or Refused with AWS's error."""
    retries = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "6"}
    try:
        done = subprocess.run(  # noqa: S603
            command,
            env={**retries, **os.environ, "AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise Unanswered(f"needs the program {command[0]}, which is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unanswered(f"{' '.join(command[:3])} took over {_SECONDS} s") from None
    if done.returncode:
        raise _error(command, " ".join(done.stderr.split()))
    return done.stdout.strip()


def _error(command: tuple[str, ...], message: str) -> Exception:
    if not (found := _ERROR.search(message)):
        return Unanswered(_unasked(command, message))
    code, operation, said = found.groups()
    if code in _CREDENTIALS:
        return Unanswered(f"needs valid credentials: {code}: {said}")
    if code.startswith("AccessDenied") or code in _DENIED:
        right = re.search(r"perform: ([\w-]+:\w+)", said)
        return Unanswered(f"needs {right[1] if right else f'{command[1]}:{operation}'}: {said}")
    if _FOR_NOW.search(code):
        return Unanswered(f"AWS does not answer for now; run the plan again later: {code}: {said}")
    return Refused(code, said)


def _unasked(command: tuple[str, ...], message: str) -> str:
    """Why AWS was not asked at all."""
    if _NO_CREDENTIALS.search(message):
        return f"needs credentials, such as by aws configure: {message}"
    if "nvalid choice" in message:
        return f"needs a newer AWS CLI, which knows {' '.join(command[1:3])}"
    return message or f"{' '.join(command[:3])} failed without a message"
