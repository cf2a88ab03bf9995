"""The likeliest of made-up leads, beside the chances that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ordergap.errors import DataError

from local import leads, likeliest, show


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines() if line.lstrip().startswith("L")]


def test_the_likeliest_are_likelier_than_most_beside_the_known_chance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    likeliest.print_table(tmp_path, show.console())
    [heading, *top] = rows(capsys.readouterr().out)
    assert heading[0] == "Likeliest"
    assert len(top) == likeliest.TOP
    truth = leads.made_up(likeliest.LEADS, 42)
    last = leads.DAYS - 1
    known = truth.probability(last, likeliest.DAYS)
    waiting = known[(truth.order > last) & (truth.seen <= last)]
    forecast = [int(row[-2].rstrip("%")) for row in top]
    assert forecast == sorted(forecast, reverse=True)
    for name, _, source, visits, _, chance in top:
        i = int(name[1:])
        assert truth.order[i] > last, "who has ordered is no lead"
        assert int(chance.rstrip("%")) == round(100 * known[i])
        assert int(visits) == (truth.visitor == i).sum()
        assert source == [*leads.SOURCES][truth.source[i]]
    ours = np.mean([known[int(name[1:])] for name, *_ in top])
    assert ours > np.quantile(waiting, 0.9), "they are among the likeliest"


def test_a_model_that_cannot_answer_is_said_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refuse(folder: Path) -> None:
        raise DataError(f"{folder.name} is empty")

    monkeypatch.setattr(likeliest, "table", refuse)
    likeliest.print_table(tmp_path / "leads", show.console())
    assert "Leads are not forecast: leads is empty" in capsys.readouterr().out
