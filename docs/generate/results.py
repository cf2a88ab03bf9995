"""The tables of results, from docs/data/results.json."""

from __future__ import annotations

import json
from typing import Any

from docs.generate import ROOT, table

_COLUMNS = {
    "capped_mae": ("capped error, days", 2, min),
    "concordance": ("concordance", 3, max),
    "auc_30": ("AUC, 30 days", 3, max),
    "brier_30": ("Brier, 30 days", 3, min),
    "coverage": ("80 % interval holds", 2, None),
    "width": ("its width, days", 0, None),
}
"""Metric -> its title, the most decimals to show, and which value is the best."""

_STRONGEST = "BG/NBD"
"""The baseline that a summary is given beside."""


def holdout() -> str:
    """One cutoff for each data set."""
    return _tables("holdout")


def backtest() -> str:
    """Means over the cutoffs of the backtest."""
    return _tables("backtest")


def summary() -> str:
    """A few lines on the backtest at cutoff, beside the strongest baseline."""
    cases = [case for case in _content()["backtest"] if case["protocol"] == "at cutoff"]

    def beside(metric: str, unit: str = "") -> str:
        """The model's figure of each data set, and the baseline's in brackets."""
        by_model = [{row["model"]: row[metric] for row in case["rows"]} for case in cases]
        ours, theirs = (
            " and ".join(_written(metric, rows[name]) for rows in by_model)
            for name in ("model", _STRONGEST)
        )
        return f"{ours}{unit} ({theirs})"

    data = " and ".join(case["data"] for case in cases)
    return f"""\
{data}, every customer, means over four cutoffs, {_STRONGEST} in brackets:

- dates are off by {beside("capped_mae", " days")}, capped;
- concordance of the ranking is {beside("concordance")};
- Brier score of the probability within 30 days is {beside("brier_30")};
- 80 % intervals hold for {beside("coverage")}, with a width of {beside("width", " days")}.
"""


def _tables(section: str) -> str:
    """A table for each data set and protocol; the best figure of a column is bold."""
    text = ""
    for case in _content()[section]:
        rows = [(row["model"], *(_written(key, row[key]) for key in _COLUMNS))
                for row in case["rows"]]  # fmt: skip
        for column, (key, (_, _, chosen)) in enumerate(_COLUMNS.items(), 1):
            known = [row[key] for row in case["rows"] if row[key] is not None]
            best = _written(key, chosen(known, key=float)) if chosen and known else None
            rows = [
                (*row[:column], f"**{row[column]}**", *row[column + 1 :])
                if row[column] == best
                else row
                for row in rows
            ]
        head = ("", *(title for title, _, _ in _COLUMNS.values()))
        text += f"**{case['data']}, {case['protocol']}**\n\n{table(head, rows)}\n"
    return text


def _content() -> dict[str, Any]:
    """The file, its figures as the text that they are written as."""
    file = ROOT / "docs/data/results.json"
    content: dict[str, Any] = json.loads(file.read_text("utf-8"), parse_float=str, parse_int=str)
    return content


def _written(metric: str, digits: str | None) -> str:
    """A figure as the file has it, with no more decimals than the column shows."""
    if digits is None:
        return "–"
    if metric == "coverage":
        return f"{float(digits):.0%}".replace("%", " %")
    decimals = min(len(digits.partition(".")[2]), _COLUMNS[metric][1])
    return f"{float(digits):.{decimals}f}".removeprefix("0" if float(digits) < 1 else "")
