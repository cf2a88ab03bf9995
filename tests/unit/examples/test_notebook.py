"""The notebook among the examples runs, and shows what is kept in it and what its text says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from nbformat import NotebookNode

from tests import notebook

pytestmark = [
    pytest.mark.xdist_group("notebook"),  # it is run once
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # jupyter_client and its event loop
]


@pytest.fixture(scope="module")
def kept() -> NotebookNode:
    return notebook.read()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookNode]:
    """The notebook after a run, with settings of its own."""
    folder = str(tmp_path_factory.mktemp("settings"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
            patch.setenv(name, folder)
        yield notebook.executed(notebook.read())


def outputs(of: NotebookNode) -> list[NotebookNode]:
    return [output for cell in of.cells for output in cell.get("outputs", [])]


def kinds(of: NotebookNode) -> list[tuple[str, list[str]]]:
    return [(each.output_type, sorted(each.get("data", {}))) for each in outputs(of)]


def tables(of: NotebookNode) -> list[str]:
    return [each.data["text/plain"] for each in outputs(of) if "text/html" in each.get("data", {})]


def models(of: NotebookNode) -> list[str]:
    """What the models are, but for their versions: another kind of CPU rounds other last bits."""
    return re.findall(r"<Forecaster \w+: ([^>]+)>", str(outputs(of)))


def test_it_runs_and_shows_what_is_kept_in_it(fresh: NotebookNode, kept: NotebookNode) -> None:
    assert kinds(fresh) == kinds(kept), "python -m tests.notebook"
    assert [cell.get("execution_count") for cell in fresh.cells] == [
        cell.get("execution_count") for cell in kept.cells
    ]
    assert sum("image/png" in mimes for _, mimes in kinds(kept)) == 2
    assert tables(fresh) == tables(kept)
    assert models(fresh) == models(kept)


def test_progress_is_shown_once_in_a_notebook(fresh: NotebookNode) -> None:
    streams = [each for each in outputs(fresh) if each.output_type == "stream"]
    assert [each.name for each in streams] == ["stdout"], "one cell's, which is not quiet"
    for once in ("6,406 rows read", "Splitting in time ...", "  Next order  ", "outlier filter:"):
        assert streams[0].text.count(once) == 1, once


def number(line: str, text: str, column: int) -> float:
    (found,) = re.findall(rf"^{re.escape(line)} .*$", text, re.MULTILINE)
    return float(found.removeprefix(line).split()[column])


def test_what_it_says_of_the_numbers_holds(fresh: NotebookNode) -> None:
    scores, backtest = tables(fresh)[1], tables(fresh)[-1]
    assert number("capped_mae", scores, 0) < number("capped_mae", scores, 1)
    assert number("concordance", scores, 0) > number("concordance", scores, 1)
    checked = next(
        each.data["text/plain"] for each in outputs(fresh)
        if each.get("data", {}).get("text/plain", "").startswith("expected")
    )  # fmt: skip
    assert abs(number("expected", checked, 0) - number("bought", checked, 0)) < 0.04
    assert number("model", backtest, 0) < number("customer mean gap", backtest, 0)
    assert outputs(fresh)[-1].data["text/plain"] == "True", "it is loaded as it was saved"


def test_what_is_kept_is_small_and_of_no_machine(kept: NotebookNode) -> None:
    assert notebook.NOTEBOOK.stat().st_size < 100_000
    assert all(cell.metadata == {} for cell in kept.cells)
    assert "Traceback" not in notebook.NOTEBOOK.read_text("utf-8")
