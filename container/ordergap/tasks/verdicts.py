"""How a model's figure stands beside the baselines', in a line."""

from __future__ import annotations

import math

from ordergap.contract.metrics import MODEL, Metric
from ordergap.evaluation.compare import Comparison
from ordergap.report.numbers import plain


def beside(comparison: Comparison, key: str, metric: Metric, digits: int, not_judged: str) -> str:
    """The figure `key`, each baseline's, and whether the model is surely ahead or behind."""
    if math.isnan(comparison.metrics[MODEL][key]):
        return f"not judged: {not_judged}"
    better = 1 if metric.better == "higher" else -1
    parts = [f"{metric.title} {plain(comparison.metrics[MODEL][key], digits)}"]
    for baseline, differences in comparison.differences.items():
        if math.isnan(differences[key][0]):
            continue
        gain, low, high = (better * each for each in differences[key])
        low, high = min(low, high), max(low, high)
        sure = "ahead" if low > 0 else "behind" if high < 0 else "level within chance"
        value = plain(comparison.metrics[baseline][key], digits)
        parts.append(f"{baseline} {value}, by {plain(gain, digits, sign=True)} {sure}")
    return "; ".join(parts)
