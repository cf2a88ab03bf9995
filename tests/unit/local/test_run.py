"""The command line of `python -m local` before anything is started, and the progress of a run."""

from __future__ import annotations

import datetime
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from ordergap.contract.orders import Columns
from ordergap.errors import InvalidHyperparameters
from rich.console import Console

from local import __main__ as command_line
from local import cdnow, options, show
from local import run as command


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]):
    assert command_line.main([]) == 2
    usage = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in usage[1:]] == [*command_line.COMMANDS]
    assert command_line.main(["--help"]) == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--hyperparameter", "num_round"], "is not NAME=VALUE"),
        (["--as-of", "yesterday"], "--as-of"),
        (["--data", "a.csv", "--source-url", "sqlite://"], "not allowed with"),
        (["--runner", "podman"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_named(arguments, reason, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_machine_that_cannot_run_the_zips_gets_an_alternative(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert command.main([]) == 1
    assert "python -m local tour" in capsys.readouterr().out


def test_an_image_that_was_not_built_is_named(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(command, "has_image", lambda _: False)
    assert command.main(["--runner", "docker", "--image", "never-built"]) == 1
    assert "never-built" in capsys.readouterr().out


def input_of(*arguments: str) -> dict[str, object]:
    parsed = options.parser().parse_args(arguments)
    return options.execution_input(parsed, options.columns(parsed), parsed.as_of)


def test_the_input_has_the_values_of_the_options():
    inputs = input_of(
        "--data", "x.csv", "--market", "uk", "--trainer", "naive", "--as-of", "2011-12-09",
        "--customer_column", "Client", "--date-column", "Day", "--hyperparameter", "seed=7",
    )  # fmt: skip
    assert inputs == {
        "as_of": "2011-12-09",
        "trainer": "naive",
        "hyperparameters": {"seed": "7"},
        "markets": [{"name": "uk", "columns": {"customer_column": "Client", "date_column": "Day"}}],
    }


def test_the_default_data_is_cdnow():
    inputs: Any = input_of()
    assert inputs["markets"][0]["columns"] == cdnow.COLUMNS


def test_every_option_of_reading_reaches_the_market():
    inputs: Any = input_of(
        "--data", "x.csv", "--preset", "shopify", "--excluded_statuses", "on hold, void",
        "--decimal", "comma", "--customer-column", "CustomerID", "--time_zone", "Europe/Berlin",
        "--max-unreadable", "0.5",
    )  # fmt: skip
    (market,) = inputs["markets"]
    json.dumps(market)
    given = {
        "preset": "shopify", "excluded_statuses": ("on hold", "void"), "decimal": "comma",
        "time_zone": "Europe/Berlin", "max_unreadable": 0.5, "customer_column": "CustomerID",
    }  # fmt: skip
    assert Columns.model_validate(market["columns"]) == Columns.model_validate(given)
    with pytest.raises(InvalidHyperparameters, match="decimal = 'dot'"):
        input_of("--decimal", "dot")


def test_a_missing_date_column_is_named(tmp_path: Path):
    file = tmp_path / "orders.csv"
    file.write_text("Client,Day\na,2011-01-01\n", encoding="utf-8")
    parsed = options.parser().parse_args(["--data", str(file)])
    with pytest.raises(command.RunFailed, match=r"InvoiceDate.*--date-column.*Client, Day"):
        command._rows(parsed, tmp_path, Columns())


def event(number: int, kind: str, **details: object) -> Any:
    now = datetime.datetime.now(datetime.UTC)
    return {"timestamp": now, "type": kind, "id": number, **details}


def test_a_state_that_failed_is_not_shown_as_done():
    output = io.StringIO()
    progress = show.Progress(Console(file=output, width=100))
    events = [
        event(1, "TaskStateEntered", stateEnteredEventDetails={"name": "ExtractOrders"}),
        event(2, "TaskFailed", taskFailedEventDetails={"error": "SourceUnreachable"}),
        event(3, "TaskSucceeded"),
        event(4, "TaskStateExited", stateExitedEventDetails={"name": "ExtractOrders"}),
        event(5, "TaskStateEntered", stateEnteredEventDetails={"name": "Train"}),
        event(6, "TaskFailed", taskFailedEventDetails={"error": "States.TaskFailed"}),
        event(7, "TaskStateExited", stateExitedEventDetails={"name": "Train"}),
    ]
    for count in range(len(events) + 1):  # as the history grows
        progress.update(events[:count])
    lines = [line.split() for line in output.getvalue().splitlines()]
    assert lines == [
        ["✗", "ExtractOrders", "SourceUnreachable"],
        ["✓", "ExtractOrders", "0.0", "s"],
        ["✗", "Train", "States.TaskFailed"],
    ]


def test_maps_are_shown_where_they_are_distributed():
    output = io.StringIO()
    progress = show.Progress(Console(file=output, width=100))
    events = [
        event(1, "MapStateEntered", stateEnteredEventDetails={"name": "Inline"}),
        event(2, "MapStateExited", stateExitedEventDetails={"name": "Inline"}),
        event(3, "MapStateEntered", stateEnteredEventDetails={"name": "StorePredictions"}),
        event(4, "MapRunStarted"),
        event(5, "MapStateExited", stateExitedEventDetails={"name": "StorePredictions"}),
    ]
    progress.update(events)
    assert output.getvalue().split() == ["✓", "StorePredictions", "0.0", "s"]


def test_an_estimate_counts_the_file_and_does_nothing_else(tmp_path, monkeypatch, capsys):
    file = tmp_path / "orders.csv"
    lines = [f"c{n % 3},2011-01-{n + 1:02},5,1,a{n}" for n in range(9)]
    head = "Client,Day,UnitPrice,Quantity,InvoiceNo"
    file.write_text("\n".join([head, *lines]), encoding="utf-8")
    monkeypatch.setattr(command, "_runner", lambda _: pytest.fail("the run begins"))
    names = ["--customer_column", "Client", "--date-column", "Day"]
    assert command.main(["--estimate", "--data", str(file), *names]) == 0
    assert "one that trains: $0.02" in capsys.readouterr().out
    assert command.main(["--estimate", "--data", str(file), *names[2:]]) == 1
    assert 'no column "CustomerID"; set' in capsys.readouterr().out


def test_an_estimate_of_a_database_is_refused_with_what_helps(capsys):
    assert command.main(["--estimate", "--source-url", "sqlite:///shop.db"]) == 1
    assert "python -m infra.costs" in capsys.readouterr().out
