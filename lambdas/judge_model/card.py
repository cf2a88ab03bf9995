"""The model card of a package: what the model is, is for, was made from, and how it did.

The form is that of Amazon SageMaker's model cards, of which a package's overview has the creator
and the artifact alone: https://docs.aws.amazon.com/sagemaker/latest/dg/model-cards.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from ordergap.contract.metrics import EvaluationProtocol, TaskMetrics, TrainingMetrics

from lambdas.judge_model.gains import task_title
from lambdas.judge_model.gate import Decision

LONGEST = 100_000
_OBSERVATION, _NAME, _DETAIL = 2_000, 63, 1024
_PURPOSE = "Forecasts when each customer of a shop orders next, and how likely within days ahead."
_USES = (
    "Lists of customers for mailings and plans of stock. Not for decisions on persons, such as "
    "credit or prices of one's own."
)
_FACTORS = (
    "It knows the orders until its last day. Its probabilities follow the season that it was "
    "validated in, and age with the shop."
)


def content(
    metrics: TrainingMetrics, decision: Decision, artifact: str, details: Mapping[str, str]
) -> str:
    """The card as JSON of at most 100,000 characters; evaluations that do not fit are counted."""
    if metrics.inputs:
        details = {**details, "inputs": metrics.inputs.sentence}
    evaluations = [
        _evaluation(name, protocol, task, decision.questions.get(name, ""))
        for name, task in metrics.tasks.items()
        for protocol in task.protocols
    ]
    for kept in range(len(evaluations), -1, -1):
        left_out = len(evaluations) - kept
        also = f" Left out, as they do not fit: {left_out} evaluations." if left_out else ""
        text = _card(evaluations[:kept], f"{decision.reason}{also}", artifact, details)
        if len(text) <= LONGEST:
            break
    return text


def _card(
    evaluations: list[dict[str, Any]], reason: str, artifact: str, details: Mapping[str, str]
) -> str:
    card = {
        "model_overview": {"model_creator": "Ordergap", "model_artifact": [artifact]},
        "intended_uses": {
            "purpose_of_model": _PURPOSE,
            "intended_uses": _USES,
            "factors_affecting_model_efficiency": _FACTORS,
        },
        "evaluation_details": evaluations,
        "additional_information": {
            "caveats_and_recommendations": reason,
            "custom_details": {name: value[:_DETAIL] for name, value in details.items()},
        },
    }
    return json.dumps(card, allow_nan=False)


def _evaluation(
    name: str, protocol: EvaluationProtocol, task: TaskMetrics, verdict: str
) -> dict[str, Any]:
    scores = task.protocols[protocol].scores
    titles = {key: metric.title for key, metric in task.definitions.items()}
    groups = [
        {
            "name": who[:_NAME],
            "metric_data": [
                {"name": titles[key], "type": "number", "value": value}
                for key, value in values.items()
                if key in titles and value is not None and isfinite(value)
            ],
        }
        for who, values in scores.items()
    ]
    return {
        "name": f"{task_title(name)}, {protocol}"[:_NAME],
        "evaluation_observation": verdict[:_OBSERVATION],
        "metric_groups": groups,
    }
