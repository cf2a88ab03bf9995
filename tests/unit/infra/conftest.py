"""A plan with the recorded AWS CLI."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.plan import __main__ as plan
from infra.plan import changes
from tests.recorded_aws import REGION, Recorded
from tests.recorded_plan import ANSWERS, SECRET, decisions, state_tests


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in [*os.environ]:
        if name.startswith("AWS_") or name in {"STACK", "REGION", "PARAMETERS", "IMAGE"}:
            monkeypatch.delenv(name)
    # The plan sets these: what is set here is undone after the test.
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(
        "PARAMETERS", f'SourceSecretArn={SECRET} "ScheduleExpression=cron(0 2 * * ? *)"'
    )
    monkeypatch.setattr(changes, "POLL_SECONDS", 0)
    return Recorded(
        folder,
        {
            **ANSWERS,
            "iam simulate-custom-policy": decisions(),
            "stepfunctions test-state": state_tests(),
        },
    )


@pytest.fixture
def ask(aws: Recorded, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs some checks, or all; the exit code and all that is printed."""

    def ask(*checks: str) -> tuple[int, str]:
        chosen = [word for check in checks for word in ("--only", check)]
        code = plan.main(["--region", REGION, *chosen])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return ask
