"""The notebook tells its story from the first cell to the last, with the charts that it keeps."""

from __future__ import annotations

import copy
from importlib.util import find_spec

import pytest
from nbformat import NotebookNode

from tests.notebook import executed, read

pytestmark = [
    pytest.mark.xdist_group("notebook"),  # it is run once
    pytest.mark.skipif(find_spec("lifetimes") is None, reason="lifetimes, with CDNOW, is missing"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # jupyter_client and its event loop
]


@pytest.fixture(scope="module")
def run() -> NotebookNode:
    return executed(copy.deepcopy(read()))


def _outputs(notebook: NotebookNode) -> list[list[str]]:
    """The kinds of output of each code cell."""
    return [
        sorted(kind for output in cell.outputs for kind in output.get("data") or [output["name"]])
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_every_cell_runs_and_shows_what_is_kept(run: NotebookNode) -> None:
    assert _outputs(run) == _outputs(read())
    assert sum("image/png" in kinds for kinds in _outputs(run)) == 2


def test_a_loaded_model_forecasts_the_same(run: NotebookNode) -> None:
    assert run.cells[-1].outputs[-1].data["text/plain"] == "True"


def test_the_model_is_the_one_that_is_kept(run: NotebookNode) -> None:
    assert _models(run) == _models(read())


def _models(notebook: NotebookNode) -> list[str]:
    texts = [
        output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    models = [text for text in texts if text.startswith("<Forecaster")]
    assert len(models) == 1
    return models
