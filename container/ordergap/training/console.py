"""What the training job prints: the metrics beside the baseline."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from ordergap.training.fitting import Findings

TITLES = {
    "capped_mae": "capped MAE",
    "concordance": "C",
    "auc_30": "AUC30",
    "brier_30": "Brier30",
    "coverage": "coverage",
    "width": "width",
}


def metric_lines(findings: Findings) -> Iterator[str]:
    """The model's metrics as the platform reads them: a line each, `validation:NAME=VALUE`.

    metric_definitions.json, beside this file, has the regular expressions that find them.
    """
    for protocol, models in findings.scores.items():
        *_, metrics = models.values()
        for key in TITLES:
            if not isnan(metrics[key]):
                yield f"validation:{protocol.replace(' ', '_')}:{key}={metrics[key]:.6f}"


def scores_table(findings: Findings) -> str:
    """The metrics on later data, model beside naive baseline; days where not a share."""
    if not findings.scores:
        return "  too little data after the cutoff to validate on: nothing was searched"
    lines = [f"  {'':24}" + "".join(f"{title:>12}" for title in TITLES.values())]
    for protocol, models in findings.scores.items():
        lines.append(f"  {protocol}")
        for name, metrics in models.items():
            numbers = "".join(f"{metrics[key]:12.3f}" for key in TITLES)
            lines.append(f"    {name:<22}{numbers}")
    lines += [
        "  settled: calendar features "
        + ("on" if findings.calendar else "off")
        + "".join(f", {name} {value:g}" for name, value in (findings.found or {}).items()),
        "  (interval levels were chosen on these rows: coverage holds for them by choice)",
    ]
    return "\n".join(lines)
