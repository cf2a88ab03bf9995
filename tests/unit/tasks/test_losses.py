"""A question is lost by the same rule, whatever it asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ordergap.contract.metrics import EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.first_order import LeadEvaluation
from ordergap.evaluation.large_baselines import SHARE
from ordergap.evaluation.segments import LEAST_CUSTOMERS
from ordergap.evaluation.value_baselines import LAST_DAYS
from ordergap.tasks.base import Task, Validation
from ordergap.tasks.first_order import SHARE as SHARE_OF_LEADS
from ordergap.tasks.first_order import FirstOrder
from ordergap.tasks.large_order import LargeOrder
from ordergap.tasks.value import Value

AT_CUTOFF = EvaluationProtocol.AT_CUTOFF
LESS, MORE = (-0.1, -0.2, -0.05), (0.1, 0.05, 0.2)
LOSSES: list[tuple[Task, dict[str, Any]]] = [
    (Value(), {LAST_DAYS: {"d2": LESS, "gini": LESS}}),
    (LargeOrder(), {SHARE: {"brier": MORE, "auc": LESS}}),
    (FirstOrder(), {SHARE_OF_LEADS: {"brier": MORE}}),
]


def validation(customers: int, differences: Any) -> Validation:
    ids = np.arange(customers).astype(np.str_)
    judged = LeadEvaluation(ids, {}, np.zeros(customers, bool), 30)
    comparison = Comparison({}, {}, differences, {})
    return Validation(evaluations={AT_CUTOFF: judged}, comparisons={AT_CUTOFF: comparison})


@pytest.mark.parametrize(
    ("task", "differences"), LOSSES, ids=lambda each: getattr(each, "name", "")
)
def test_a_loss_is_one_of_enough_customers(task: Task, differences: Any) -> None:
    assert task.lost(validation(LEAST_CUSTOMERS, differences))
    few = validation(LEAST_CUSTOMERS - 1, differences)
    assert task.lost(few) is None
    twice = np.repeat(np.arange(LEAST_CUSTOMERS - 1), 2).astype(np.str_)
    judged = replace(few.evaluations[AT_CUTOFF], customer=twice)  # type: ignore[type-var]
    assert task.lost(replace(few, evaluations={AT_CUTOFF: judged})) is None, "customers, not rows"


@pytest.mark.parametrize("task", [Value(), LargeOrder()], ids=lambda each: each.name)
def test_what_was_not_judged_has_not_lost(task: Task) -> None:
    assert task.lost(Validation()) is None
