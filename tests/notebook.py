"""Run the notebook among the examples; python -m tests.notebook keeps what it shows."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples/notebook.ipynb"


def read() -> NotebookNode:
    """The notebook, with the outputs that are kept in it."""
    notebook: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook after a run in a fresh kernel; raises CellExecutionError where a cell fails."""
    path = os.pathsep.join([str(ROOT / "container"), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as folder:  # the kernel's sockets, in place of ports
        sockets = Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})
        client = NotebookClient(
            notebook, config=sockets, timeout=300, record_timing=False, coalesce_streams=True
        )
        client.execute(env=os.environ | {"PYTHONPATH": path})
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(read()), NOTEBOOK)  # type: ignore[no-untyped-call]
