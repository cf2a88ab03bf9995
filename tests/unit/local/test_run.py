"""What `python -m local` answers before anything is started, and how it shows a run."""

from __future__ import annotations

import datetime
import io
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from local import __main__ as front
from local import cdnow, options, show
from local import run as command


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]):
    assert front.main([]) == 2
    assert "{run,due,tour,cdnow}" in capsys.readouterr().err
    assert front.main(["--help"]) == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--hyperparameter", "num_round"], "is not NAME=VALUE"),
        (["--as-of", "yesterday"], "--as-of"),
        (["--data", "a.csv", "--source-url", "sqlite://"], "not allowed with"),
        (["--runner", "podman"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_named(words, reason, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        command.main(words)
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_machine_that_cannot_run_the_zips_is_told_what_it_can_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert command.main([]) == 1
    assert "python -m local tour" in capsys.readouterr().out


def test_an_image_that_was_not_built_is_named(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(command, "has_image", lambda _: False)
    assert command.main(["--runner", "docker", "--image", "never-built"]) == 1
    assert "never-built" in capsys.readouterr().out


def given_by(*words: str) -> dict[str, object]:
    parsed = options.parser().parse_args(words)
    return options.execution_input(parsed, options.columns(parsed), parsed.as_of)


def test_the_input_says_what_the_options_say():
    given = given_by(
        "--data", "x.csv", "--market", "uk", "--trainer", "naive", "--as-of", "2011-12-09",
        "--customer_column", "Client", "--date-column", "Day", "--hyperparameter", "seed=7",
    )  # fmt: skip
    assert given == {
        "as_of": "2011-12-09",
        "trainer": "naive",
        "hyperparameters": {"seed": "7"},
        "markets": [{"name": "uk", "columns": {"customer_column": "Client", "date_column": "Day"}}],
    }


def test_without_data_it_is_cdnow():
    given = given_by()
    assert given["markets"][0]["columns"] == cdnow.COLUMNS


def test_a_date_column_that_is_not_there_is_named(tmp_path: Path):
    file = tmp_path / "orders.csv"
    file.write_text("Client,Day\na,2011-01-01\n", encoding="utf-8")
    parsed = options.parser().parse_args(["--data", str(file)])
    with pytest.raises(command.RunFailed, match=r"InvoiceDate.*--date-column.*Client, Day"):
        command._rows(parsed, tmp_path, command.Columns())


def event(number: int, kind: str, **details: object) -> dict[str, object]:
    now = datetime.datetime.now(datetime.UTC)
    return {"timestamp": now, "type": kind, "id": number, **details}


def test_a_state_that_failed_is_not_shown_as_done():
    output = io.StringIO()
    progress = show.Progress(Console(file=output, width=100))
    told = [
        event(1, "TaskStateEntered", stateEnteredEventDetails={"name": "ExtractOrders"}),
        event(2, "TaskFailed", taskFailedEventDetails={"error": "SourceUnreachable"}),
        event(3, "TaskSucceeded"),
        event(4, "TaskStateExited", stateExitedEventDetails={"name": "ExtractOrders"}),
        event(5, "TaskStateEntered", stateEnteredEventDetails={"name": "Train"}),
        event(6, "TaskFailed", taskFailedEventDetails={"error": "States.TaskFailed"}),
        event(7, "TaskStateExited", stateExitedEventDetails={"name": "Train"}),
    ]
    for seen in range(len(told) + 1):  # as the history grows
        progress.update(told[:seen])
    lines = [line.split()[:3] for line in output.getvalue().splitlines()]
    assert lines == [
        ["✗", "ExtractOrders", "SourceUnreachable"],
        ["✓", "ExtractOrders", "orders"],
        ["✗", "Train", "States.TaskFailed"],
    ]
