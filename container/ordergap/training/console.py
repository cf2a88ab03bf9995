"""What the training job prints: the metrics beside the baseline."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from ordergap.contract.metrics import MODEL
from ordergap.report.numbers import described, plain
from ordergap.tasks.base import Task, Validation

CAUTION = "Coverage was tuned on these rows and is optimistic; run backtest for an honest figure."
WIDTH = 15


def metric_lines(task: Task, validation: Validation) -> Iterator[str]:
    """The model's metrics as the platform reads them: a line each, `validation:NAME=VALUE`.

    metric_definitions.json, beside this file, has the regular expressions that find them.
    """
    for protocol, models in validation.scores.items():
        for key in task.metrics:
            if not isnan(value := models[MODEL][key]):
                name = f"{task.name}:{protocol.replace(' ', '_')}:{key}"
                yield f"validation:{name}={value:.6f}"


def scores_table(task: Task, validation: Validation) -> str:
    """The metrics on later data, model beside naive baseline."""
    if not validation.scores:
        return "  Too little data after the cutoff to validate on: nothing was chosen there."
    widths = {key: max(WIDTH, len(each.title) + 2) for key, each in task.metrics.items()}
    titles = "".join(f"{each.title:>{widths[key]}}" for key, each in task.metrics.items())
    lines = [f"  {task.title:24}{titles}"]
    for protocol, models in validation.scores.items():
        lines.append(f"  {protocol}")
        for name, metrics in models.items():
            numbers = "".join(f"{plain(metrics[key], 3):>{width}}" for key, width in widths.items())
            lines.append(f"    {name:<22}{numbers}")
    lines.append(f"  Chosen on validation: {described(validation.chosen)}.")
    if "coverage" in task.metrics:
        lines.append(f"  {CAUTION}")
    return "\n".join(lines)
