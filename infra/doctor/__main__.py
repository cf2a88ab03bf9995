"""What only AWS would refuse, found without AWS: python -m infra.doctor, or make doctor.

See docs/decisions/infrastructure.md#the-doctor-asks-what-only-aws-would-refuse.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from infra import package
from infra.binaries import misfits
from infra.doctor import calls, names, needs, rights, shapes
from infra.doctor.recording import Recording
from infra.doctor.runs import record
from local.deployment import TEMPLATE, load
from local.runners import ROOT

SHOWN = 20
"""Problems of a check that are printed; of the others, the number is."""
RED, GREEN, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"
recorded = functools.cache(record)


class LeftOut(Exception):
    """A check cannot be made on this machine; the message says what is missing."""


class Check(NamedTuple):
    """A check: its problems as sentences, none where it is green, and the remedy."""

    title: str
    problems: Callable[[], Iterator[str]]
    remedy: str


def zips() -> Iterator[str]:
    """Shared objects that the runtime of their function cannot load."""
    for resource in load(TEMPLATE)["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            properties = resource["Properties"]
            path = package.build(ROOT, Path(properties["Code"]).stem, ROOT / "dist")
            for problem in misfits(path, properties["Runtime"]):
                yield f"{path.name}: {problem}"


def requests() -> Iterator[str]:
    """Requests that the models of the services do not accept, and calls that no run has made."""
    yield from of_requests(recorded())
    yield from calls.unrecorded(recorded())


def of_requests(recording: Recording) -> Iterator[str]:
    """A sentence for each parameter of a request that AWS would refuse."""
    seen = set()
    for each in recording.requests:
        for problem in shapes.problems(each.service, each.operation, each.parameters):
            sentence = f"{each.place}: {problem}"
            if sentence not in seen:
                yield sentence
            seen.add(sentence)


def permissions() -> Iterator[str]:
    """Rights of the roles that are missing or superfluous."""
    recording = recorded()
    needed = [*needs.of_requests(recording), *needs.implied(recording)]
    return rights.problems(recording.policies, needed)


def retries() -> Iterator[str]:
    """Errors that pass by themselves and end a run."""
    yield from recorded().given_up


def definition() -> Iterator[str]:
    """What AWS's language service finds in the state machine. Raises LeftOut."""
    return of_definition(ROOT / "stepfunctions/pipeline.asl.json")


def asl_service() -> Path | None:
    """The node_modules with AWS's language service; None where they or Node.js are missing."""
    installed = sorted(ROOT.glob(".venv/amazon-states-language-service-*/node_modules"))
    return installed[-1] if installed and shutil.which("node") else None


def of_definition(path: Path) -> Iterator[str]:
    """What AWS's language service finds in a definition. Raises LeftOut."""
    if (modules := asl_service()) is None:
        raise LeftOut("npm is not installed, or make asl was not run")
    command = ["node", str(Path(__file__).with_name("asl.js")), str(modules), str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    yield from (done.stdout or done.stderr).splitlines() if done.returncode else []


CHECKS = (
    Check("Lambda's runtime loads every shared object of the zips", zips,
          "pin a wheel that fits in lambdas/*/requirements.txt, then make package"),
    Check("every request is one that AWS's models accept", requests,
          "mend the state or the function, or refuse the input before anything is paid for"),
    Check("the roles have the rights that the requests need, and no others", permissions,
          "mend the role in infra/template.yaml"),
    Check("every error that passes by itself is retried", retries,
          "let the function report it as an error that its state retries"),
    Check("AWS's language service accepts the state machine", definition,
          "mend stepfunctions/pipeline.asl.json"),
    Check("the packaged template is not too large", names.size_problems,
          "shorten infra/template.yaml"),
    Check("all names fit, at their longest", names.problems,
          "refuse the stack's name in infra/deploy.sh, or shorten what is made of it"),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None, checks: Sequence[Check] = CHECKS) -> int:
    """Check offline what otherwise only AWS would refuse. Exits with 1 if a check is red."""
    parser = argparse.ArgumentParser(prog="python -m infra.doctor", description=main.__doc__)
    parser.parse_args(arguments)
    red, green, plain = (RED, GREEN, PLAIN) if sys.stdout.isatty() else ("", "", "")
    failed = False
    for check in checks:
        try:
            problems = list(check.problems())
        except LeftOut as missing:
            print(f"left out  {check.title}: {missing}", flush=True)
            continue
        failed = failed or bool(problems)
        if not problems:
            print(f"{green}green{plain}  {check.title}", flush=True)
            continue
        print(f"{red}red{plain}    {check.title}: {check.remedy}", flush=True)
        for problem in islice(problems, SHOWN):
            print(f"       - {problem}")
        if more := problems[SHOWN:]:
            print(f"       and {len(more)} more")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
