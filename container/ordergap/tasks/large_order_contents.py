"""What the report and the backtest say of the task "large order"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.compare import Comparison
from ordergap.evaluation.large import METRICS, LargeEvaluation, Question
from ordergap.evaluation.metrics import calibration
from ordergap.models.text import amount_text
from ordergap.report.contents import Diagonal, Judged, Section, Table, TaskContents
from ordergap.report.numbers import fixed, percent, plain
from ordergap.tasks import variants
from ordergap.tasks.verdicts import beside

USE = "reserving stock, credit or a visit for those who are likely to order for a large amount"
LIMITS = {
    "amounts beyond all": (
        "Above the largest amount that was learnt from, probabilities fall as 1 / amount, by "
        "convention: nothing was seen there. Below the least, every order is large."
    ),
}


def contents(
    title: str,
    comparisons: Mapping[EvaluationProtocol, Comparison],
    evaluations: Sequence[LargeEvaluation],
) -> TaskContents:
    """See `Task.contents`."""
    return TaskContents(
        title,
        METRICS,
        {
            protocol: Judged(
                float("nan"),
                each.metrics,
                each.differences,
                {segment: models[MODEL] for segment, models in each.segments.items()},
                [*_diagonals(evaluations)],
            )
            for protocol, each in comparisons.items()
        },
        [
            *variants.sections(comparisons, METRICS, ("auc", "brier"), variants.OF_ONE_CURVE),
            Section(
                "large",
                "Who orders for a large amount",
                _table(evaluations),
                "Of every customer at the cutoff: the mean probability of an order above the "
                "amount within the days, and the share who made one.",
                absent="Left out: no later days were looked at.",
            ),
        ],
        USE,
        LIMITS,
    )


def _diagonals(evaluations: Sequence[LargeEvaluation]) -> Iterator[Diagonal]:
    """The model's probabilities of all cutoffs together, for each question."""
    for ending in evaluations[0].questions if evaluations else ():
        asked = [(each, each.questions[ending]) for each in evaluations]
        p = np.concatenate([each.forecasts[MODEL][question] for each, question in asked])
        came = np.concatenate([each.came[question] for each, question in asked])
        error, bins = calibration(p, came)
        yield Diagonal(
            f"At cutoff: {_said(question for _, question in asked)}",
            list(zip(bins.predicted.tolist(), bins.observed.tolist(), strict=True)),
            "probability forecast",
            "ordered",
            bins.rows.tolist(),
            error,
        )


def _said(questions: Iterator[Question]) -> str:
    """Such as "an order above 820 within 90 days"; of several cutoffs with each amount."""
    several = [*questions]
    amounts = dict.fromkeys(amount_text(each.threshold) for each in several)
    return f"an order above {' or '.join(amounts)} within {several[0].days} days"


def _table(evaluations: Sequence[LargeEvaluation]) -> list[Table]:
    rows = [
        [
            fixed(number),
            amount_text(question.threshold),
            fixed(question.days),
            fixed(len(each.customer)),
            percent(float(each.forecasts[MODEL][question].mean())),
            percent(float(each.came[question].mean())),
        ]
        for number, each in enumerate(evaluations, 1)
        for question in each.questions.values()
    ]
    head = ["Cutoff", "Above", "Days", "Customers", "Foreseen", "Came"]
    title = "Customers with a large order, foreseen and come"
    return [Table(title, head, rows, ())] if rows else []


def verdict(comparison: Comparison, evaluations: Sequence[LargeEvaluation]) -> list[str]:
    """Ranking and probabilities beside the baselines, and what they are of: a line each."""
    judged = _said(each.questions[""] for each in evaluations)
    error = plain(comparison.metrics[MODEL]["ece"], 4)
    return [
        f"Question: {judged}",
        f"Ranking: {_beside(comparison, 'auc', 3)}",
        f"Probabilities: {_beside(comparison, 'brier', 4)}; off by {error} on average",
    ]


def _beside(comparison: Comparison, key: str, digits: int) -> str:
    nobody = "nobody, or everybody, made a large order"
    return beside(comparison, key, METRICS[key], digits, nobody)
