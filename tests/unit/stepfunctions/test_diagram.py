"""The diagram is drawn from the definition, and the documents show today's."""

import re
from pathlib import Path

import pytest

from stepfunctions.diagram import mermaid


def test_the_operations_page_shows_the_diagram_of_this_definition():
    page = Path("docs/operations.md").read_text(encoding="utf-8")
    (diagram,) = re.findall(r"^```mermaid\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert diagram == mermaid(), "python -m docs.generate writes what belongs there"


def test_everything_that_runs_is_drawn_once(machine):
    nodes = re.findall(r"^ +(?:subgraph )?(\w+)[\[{(]", mermaid(), re.MULTILINE)
    assert len(nodes) == len(set(nodes))
    market = machine["States"]["Markets"]["ItemProcessor"]["States"]
    for states in (machine["States"], market):
        running = {n for n, state in states.items() if state["Type"] in {"Task", "Map", "Choice"}}
        assert running <= set(nodes)


@pytest.mark.parametrize(
    "arrow",
    [
        "BeginRun --> Markets",
        "JudgeModel --> TrackModel",
        "TrackModel --> CreateModel",
        "JobFailedCause([Train or ScoreCustomers fails]) -.-> JobFailed",
        "JobFailed -->|quota in use| FirstWait",
        "FollowDue -->|not due| AnnounceSuccess",
        "JobAgain -->|training| Train",
        "AnnounceFailureCause([any other step fails]) -.-> AnnounceFailure",
    ],
)
def test_it_has_the_arrows(arrow):
    assert f"    {arrow}\n" in mermaid()
