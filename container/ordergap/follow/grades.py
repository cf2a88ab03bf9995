"""One cohort's grades: of each number of days ahead that has passed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import Manifest
from ordergap.contract.metrics import MODEL, EvaluationProtocol, TrainingMetrics
from ordergap.evaluation import cohorts
from ordergap.evaluation.cohorts import Ageing, Level, Rank
from ordergap.evaluation.compare import Metrics
from ordergap.evaluation.large import LargeEvaluation, Question
from ordergap.evaluation.large_baselines import large_orders
from ordergap.evaluation.metrics import Predicted, evaluate
from ordergap.evaluation.value import Guess, ValueEvaluation, spent_by
from ordergap.follow.models import Models
from ordergap.follow.outcomes import Came, Orders, came
from ordergap.histories import day_of
from ordergap.models.text import amount_text
from ordergap.scoring.cohorts import About, Cohort, Float

Rows = NDArray[np.int64]
_NONE = float("nan")


@dataclass(frozen=True)
class Grade:
    """How forecasts of so many days ahead did.

    rank     beside the model's own validation
    metrics  as in a backtest whose follow-up is as long
    ageing   beside the challenger's forecasts of the same day; None: there are none
    earlier  the rank beside that of earlier cohorts; None: there are none
    """

    days: int
    level: Level
    rank: Rank
    metrics: Metrics
    ageing: Ageing | None = None
    earlier: Rank | None = None


@dataclass(frozen=True)
class Graded:
    """A cohort with the grades of those days ahead that have passed.

    customers  who are judged
    age        days from the last day that the model learnt from; None: the model was not given
    grades     days ahead -> of the next order
    value      days ahead -> metrics of what was spent
    large      amount -> days ahead -> metrics of orders above it
    awaited    days ahead of the next order that have not passed yet
    """

    about: About
    customers: int
    age: int | None
    grades: Mapping[int, Grade]
    value: Mapping[int, Metrics] = field(default_factory=dict)
    large: Mapping[str, Mapping[int, Metrics]] = field(default_factory=dict)
    awaited: Sequence[int] = ()


def grade(
    cohort: Cohort, orders: Orders, models: Models, challenger: Cohort | None = None
) -> tuple[Graded, list[str]]:
    """The grades of a cohort, and sentences on who is not judged.

    challenger  another model's forecasts of the same day
    """
    about, (result, notes) = cohort.about, came(cohort, orders)
    model = models.get(about.model_version)
    validated, power = _validated(model), _power(model)
    both = _both(cohort, challenger, result) if challenger else None
    value = cohort.money.get("expected_value", {})
    grades = {}
    for days in _passed(cohort, orders, cohort.probability):
        what, p = result.within(days), cohort.probability[days][result.rows]
        predicted = Predicted(
            cohort.wait[result.rows], cohort.low[result.rows], cohort.high[result.rows],
            {days: p}, p,
        )  # fmt: skip
        ageing = None
        if both and challenger and days in challenger.probability:
            own, others = both
            event = what.observed[own]
            ageing = cohorts.ageing(p[own], challenger.probability[days][others], event)
        grades[days] = Grade(
            days,
            cohorts.level(p, what.observed, days),
            cohorts.rank(p, what.observed, validated.get(f"auc_{days}") or _NONE),
            evaluate(predicted, what, days),
            ageing,
        )
    age = None if model is None else about.as_of - day_of(model.as_of)
    return Graded(
        about,
        len(result.rows),
        age,
        grades,
        {
            days: _value(cohort, result, orders, days, power)
            for days in _passed(cohort, orders, value)
        },
        {
            amount_text(amount): {
                days: _large(cohort, result, orders, Question(amount, days))
                for days in _passed(cohort, orders, by_days)
            }
            for amount, by_days in cohort.large.items()
        },
        sorted(cohort.probability.keys() - grades.keys()),
    ), notes


def _passed(cohort: Cohort, orders: Orders, by_days: Iterable[int]) -> list[int]:
    """Those of the days ahead that are known in full: an outcome is one from then on."""
    return [days for days in sorted(by_days) if cohort.about.as_of + days <= orders.watermark]


def _validated(model: Manifest | None) -> Metrics:
    """What the model scored at its own validation; empty where that is not known."""
    if model is None or not model.metrics:
        return {}
    task = TrainingMetrics.model_validate(model.metrics).tasks.get("next_order")
    scores = task.scores.get(EvaluationProtocol.AT_CUTOFF, {}) if task else {}
    return {name: each for name, each in scores.get(MODEL, {}).items() if each is not None}


def _power(model: Manifest | None) -> float:
    return (model.hyperparameters if model else Hyperparameters()).tweedie_power


def _both(cohort: Cohort, challenger: Cohort, result: Came) -> tuple[Rows, Rows]:
    """Among the rows that are judged and among the challenger's, those of the same customers."""
    place = {customer: i for i, customer in enumerate(challenger.customer_ids)}
    ids = cohort.customer_ids
    others = np.array([place.get(ids[row], -1) for row in result.rows.tolist()], np.int64)
    return np.flatnonzero(others >= 0), others[others >= 0]


def _amounts_known(result: Came, orders: Orders) -> NDArray[np.bool_]:
    """(k,) whether all amounts of each customer are known; of one without an order they are."""
    unknown = np.isnan(orders.histories.revenue)[np.maximum(result.places, 0)]
    return ~(unknown & (result.places >= 0))


def _value(cohort: Cohort, result: Came, orders: Orders, days: int, power: float) -> Metrics:
    """What was spent within so many days beside what was expected, of whose amounts are known."""
    rows, as_of = result.rows, cohort.about.as_of
    value = cohort.money["expected_value"][days]
    some = _amounts_known(result, orders) & ~np.isnan(value[rows])
    owner, count = result.owner(orders.histories), len(rows)
    spent, visits = spent_by(orders.histories, owner, count, as_of, as_of + days)

    def of(by_days: Mapping[int, Float]) -> Float | None:
        return by_days[days][rows][some] if days in by_days else None

    buys = of(cohort.probability)
    guess = Guess(
        value[rows][some],
        None if buys is None else 1 - buys,
        of(cohort.money.get("value_low", {})),
        of(cohort.money.get("value_high", {})),
    )
    return ValueEvaluation(
        np.flatnonzero(some), {}, spent[some], visits[some] > 0, {MODEL: guess}, power,
        cohort.about.interval_level, days, _NONE,
    ).metrics(MODEL)  # fmt: skip


def _large(cohort: Cohort, result: Came, orders: Orders, question: Question) -> Metrics:
    """Whether such an order came, of whose amounts are known."""
    p = cohort.large[question.threshold][question.days][result.rows]
    some = _amounts_known(result, orders) & ~np.isnan(p)
    made = large_orders(orders.histories, question, cohort.about.as_of)
    what = made[np.maximum(result.places, 0)] & (result.places >= 0)
    return LargeEvaluation(
        np.flatnonzero(some), {}, {"": question}, {question: what[some]},
        {MODEL: {question: p[some]}},
    ).metrics(MODEL)  # fmt: skip
