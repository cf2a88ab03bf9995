"""A stub of the AWS CLI and of Docker on PATH, which answers what AWS and Docker document.

The answers are data, so that a test can hold them against botocore's models of the services.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
ACCOUNT = "123456789012"
REGION = "eu-west-1"


@dataclass(frozen=True)
class Failure:
    """A command that ends with a message and no answer."""

    message: str
    status: int = 254


def error(code: str, operation: str, message: str) -> Failure:
    """An error of AWS, as the CLI prints it."""
    return Failure(
        f"\nAn error occurred ({code}) when calling the {operation} operation: {message}\n"
    )


def denied(action: str) -> Failure:
    """A right that the caller lacks."""
    user = f"User: arn:aws:iam::{ACCOUNT}:user/sam is not authorized to perform: {action}"
    return error("AccessDeniedException", action.partition(":")[2], f"{user} on resource: *")


Rules = list[tuple[Json, Any]]
"""Pairs of parameters that a call must have, and its answer; the first that fits holds."""

_STUB = """#!{python} -SE
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
command = "docker image" if name == "docker" else " ".join(words[:2])
given = json.loads(words[words.index("--cli-input-json") + 1]) if name == "aws" else {{}}
if "--body" in words:
    with open(words[words.index("--body") + 1]) as file:
        given["Body"] = file.read()
with open(here + "/calls", "a") as file:
    file.write(json.dumps([command, given]) + "\\n")
with open(here + "/answers") as file:
    rules = json.load(file)[command]
fits = (each for when, each in rules if all(given.get(key) == when[key] for key in when))
stdout, stderr, status = next(fits)
sys.stderr.write(stderr)
sys.stdout.write(stdout)
sys.exit(status)
"""


@dataclass
class Recorded:
    """The stubs in a folder, with the answers of a test."""

    folder: Path
    answers: dict[str, Any]
    """Command -> its answer, a `Failure`, a text that is no JSON, or `Rules`."""

    def __post_init__(self) -> None:
        for name in ("aws", "docker"):
            stub = self.folder / name
            stub.write_text(_STUB.format(python=sys.executable), encoding="utf-8")
            stub.chmod(0o755)
        self.write()

    def __setitem__(self, command: str, answer: Any) -> None:
        self.answers[command] = answer
        self.write()

    def write(self) -> None:
        """Let the stubs know the answers."""
        texts = {command: _rules(command, answer) for command, answer in self.answers.items()}
        (self.folder / "answers").write_text(json.dumps(texts), encoding="utf-8")

    def calls(self) -> list[tuple[str, Json]]:
        """Every call until now: the command and its parameters."""
        log = self.folder / "calls"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [(command, given) for command, given in map(json.loads, lines)]

    def of(self, command: str) -> list[Json]:
        """The parameters of every call of a command."""
        return [given for each, given in self.calls() if each == command]


def rules(command: str, answer: Any) -> Rules:
    """An answer as pairs of what a call must have and the answer to it."""
    return [({}, answer)] if command == "docker image" or not isinstance(answer, list) else answer


def _rules(command: str, answer: Any) -> list[tuple[Json, tuple[str, str, int]]]:
    return [(when, _printed(each)) for when, each in rules(command, answer)]


def _printed(answer: Any) -> tuple[str, str, int]:
    if isinstance(answer, Failure):
        return "", answer.message, answer.status
    # The CLI prints nothing for an answer without fields.
    return (answer if isinstance(answer, str) else json.dumps(answer) if answer else ""), "", 0
