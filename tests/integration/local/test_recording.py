"""The doctor's recording of real runs sees what is planted in the state machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from infra.doctor import calls, recording
from infra.doctor.__main__ import of_requests
from infra.doctor.runs import MARKET, RUN_ID
from local.runners import ROOT
from tests.stack import FUNCTIONS

pytestmark = pytest.mark.xdist_group("doctor")

# In a process of its own, since one process has one embedded AWS.
PLANT = """
import json, sys
from pathlib import Path
from infra.doctor import recording, runs

patient = runs._patient

def planted(definition, values):
    states = json.loads(patient(definition, values))
    market = states["States"]["Markets"]["ItemProcessor"]["States"]
    del market["Reconcile"]["Retry"]
    container = market["CreateModel"]["Parameters"]["PrimaryContainer"]
    container["ContainerHostname"] = "x" * 64
    return json.dumps(states)

runs._patient = planted
recording.save(runs.record(), Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> recording.Recording:
    path = tmp_path_factory.mktemp("recording") / "recording.json"
    done = subprocess.run(
        [sys.executable, "-c", PLANT, str(path)], cwd=ROOT, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return recording.load(path)


def test_an_error_that_is_not_retried_is_named(recorded: recording.Recording) -> None:
    named = [each for each in recorded.given_up if each.startswith("Reconcile gives up on ")]
    assert len(named) == len(set(named)) > 1
    assert all("planted" in sentence for sentence in named)


def test_a_request_that_aws_would_refuse_is_named(recorded: recording.Recording) -> None:
    sentence = "CreateModel: CreateModel.PrimaryContainer.ContainerHostname has a length of 64"
    assert any(problem.startswith(sentence) for problem in of_requests(recorded))


def test_every_call_of_every_function_is_recorded(recorded: recording.Recording) -> None:
    assert list(calls.unrecorded(recorded)) == []
    places = {request.place for request in recorded.requests}
    assert {recorded.ids[name] for name in FUNCTIONS.values()} <= places
    left_out = [each for each in recorded.requests if each.operation != "PutObject"]
    assert (
        "judge_model calls s3:PutObject, and no recorded run has made that call"
    ) in calls.unrecorded(recording.Recording(left_out, ids=recorded.ids))


def test_names_are_as_long_as_they_can_be(recorded: recording.Recording) -> None:
    payloads = [request.parameters.get("Payload", {}) for request in recorded.requests]
    longest = [each for each in payloads if len(each.get("run_id", "")) == RUN_ID]
    assert MARKET in [each.get("market") for each in longest]


def test_a_run_without_faults_succeeds(recorded: recording.Recording) -> None:
    nights = [ended for name, ended in recorded.ended.items() if len(name) == RUN_ID]
    assert nights[-1] == "SUCCEEDED"
    assert len(nights) > 1
