"""The state machine and the points of SageMaker's contract."""

from __future__ import annotations

from docs.generate import ROOT
from stepfunctions.diagram import mermaid


def diagram() -> str:
    """The state machine as a flowchart."""
    return f"```mermaid\n{mermaid()}```"


def contract_points() -> str:
    """The table that `make contract` leaves in tests/contract/POINTS.md."""
    page = (ROOT / "tests/contract/POINTS.md").read_text(encoding="utf-8")
    return "\n".join(line for line in page.splitlines() if line.startswith("|"))
