"""The diagram is made from the definition, and the README has the present one."""

import re
from pathlib import Path

import pytest

from stepfunctions.diagram import mermaid


def test_the_readme_has_the_diagram_of_this_definition():
    page = Path("README.md").read_text(encoding="utf-8")
    block = re.search(
        r"<!-- pipeline diagram -->\n```mermaid\n(.*?)```\n<!-- /pipeline diagram -->",
        page,
        re.DOTALL,
    )
    assert block, "README.md has no block between the markers"
    assert block[1] == mermaid(), "python stepfunctions/diagram.py prints what belongs there"


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
        "ReadInput --> Markets",
        "Verdict -->|promoted| RegisterModel",
        "Verdict -->|else| CreateModel",
        "AnnounceFailureCause([any step fails]) -.-> AnnounceFailure",
    ],
)
def test_it_has_the_arrows(arrow):
    assert f"    {arrow}\n" in mermaid()
