"""The tables of results, from docs/data/results.json and docs/data/targets.json."""

from __future__ import annotations

import json
from typing import Any

from ordergap.contract.metrics import Metric
from ordergap.evaluation.large import METRICS as LARGE_METRICS
from ordergap.evaluation.value import METRICS as VALUE_METRICS
from ordergap.report.numbers import fixed

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

_VALUE = ("d2", "gini", "top_decile", "decile_error", "rmse", "total", "coverage", "pinball",
          "brier_none")  # fmt: skip
_LARGE = ("auc", "brier", "ece")
_OPENING = {">= ": "≥ ", "<= ": "≤ "}
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


def value() -> str:
    """What customers spend, at the cutoffs that have goals."""
    return _targets("value", {key: VALUE_METRICS[key] for key in _VALUE})


def large() -> str:
    """Orders above the model's largest amount, at the cutoffs that have goals."""
    return _targets("large_order", {key: LARGE_METRICS[key] for key in _LARGE})


def gains() -> str:
    """The model less each baseline, at every cutoff that was judged."""
    text = ""
    for key in ("d2", "gini"):
        rows = []
        for case in _cases():
            cells = (_difference(*each[key]) for each in case["differences"].values())
            rows.append((f"{case['data']} {case['cutoff']}", *cells))
        head = ("", *_cases()[0]["differences"])
        text += f"**{VALUE_METRICS[key].title}**\n\n{table(head, rows)}\n"
    return text


def _cases() -> list[dict[str, Any]]:
    """Those of 90 days, the earlier cutoff of a data set first."""
    file = ROOT / "docs/data/targets.json"
    cases = [case for case in json.loads(file.read_text("utf-8")) if case["horizon"] == 90]
    return sorted(cases, key=lambda case: (case["data"] == "CDNOW", case["cutoff"]))


def _targets(question: str, metrics: dict[str, Metric]) -> str:
    """A table for each cutoff with goals: the model, its goals and the baselines."""
    text = ""
    for case in _cases():
        if not case["goals"]:
            continue
        judged = case["scores"][question]
        best = {
            key: (min if metric.better == "lower" else max)(
                each[key] for each in judged.values() if key in each
            )
            for key, metric in metrics.items()
            if metric.better
        }
        rows = [
            (
                name,
                *(
                    f"**{text}**" if key in scores and scores[key] == best.get(key) else text
                    for key, metric in metrics.items()
                    for text in [fixed(scores.get(key), metric.digits)]
                ),
            )
            for name, scores in judged.items()
        ]
        goals = [case["goals"].get(key, "") for key in metrics]
        for ours, theirs in _OPENING.items():
            goals = [goal.replace(ours, theirs) for goal in goals]
        rows.insert(1, ("goal", *goals))
        head = ("", *(metric.title for metric in metrics.values()))
        text += f"**{case['data']} {case['cutoff']}**\n\n{table(head, rows)}\n"
    return text


def _difference(less: float, low: float, high: float) -> str:
    return "{} ({} to {})".format(*(fixed(each, 4, sign=True) for each in (less, low, high)))


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
