"""What the training job prints of a validation."""

from __future__ import annotations

import pytest
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.tasks.base import Validation
from ordergap.tasks.registry import tasks
from ordergap.training.console import CAUTION, scores_table


@pytest.mark.parametrize("name", tasks())
def test_each_metric_has_a_column_and_coverage_alone_its_caution(name: str) -> None:
    task = tasks()[name]
    scores = {MODEL: {key: float(i) for i, key in enumerate(task.metrics)}}
    comparison = Comparison(scores, {}, {}, {})
    text = scores_table(task, Validation(comparisons={EvaluationProtocol.AT_CUTOFF: comparison}))
    head, _, figures, *_ = text.splitlines()
    assert len(head) == len(figures)
    places = [head.index(f"  {metric.title}") for metric in task.metrics.values()]
    assert places == sorted(places)
    assert (CAUTION in text) == (name in {"next_order", "value"})
