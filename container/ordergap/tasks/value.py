"""The task "value": what will the customer spend within the days ahead?

See docs/decisions/tasks.md#value-is-orders-times-amount.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, cast

import numpy as np
from typing_extensions import override

from ordergap import features
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, PLAIN, EvaluationProtocol, Metric
from ordergap.errors import AlgorithmError
from ordergap.evaluation.compare import Comparison, Evaluation, compare_each
from ordergap.evaluation.segments import segments
from ordergap.evaluation.value import METRICS, Guess, ValueEvaluation, deviance, spent
from ordergap.evaluation.value_baselines import (
    BG_NBD_GG,
    LAST_DAYS,
    MEAN_RATE,
    TEXTBOOK,
    baselines,
)
from ordergap.histories import Histories, date_of
from ordergap.models.base import ForecastOptions, Head, Snapshot, TaskForecast
from ordergap.models.next_order import NextOrderHead
from ordergap.models.value import GROUPS, LEVELS, ValueForecast, ValueHead
from ordergap.outliers import no_outliers
from ordergap.report.contents import TaskContents
from ordergap.survival.targets import waits_at_cutoff
from ordergap.tasks.base import Findings, Fit, Learning, Split, Task, Validation
from ordergap.tasks.value_contents import contents, findings
from ordergap.trainers.value import (
    LEAST_HISTORY,
    ROUNDS,
    Float,
    ValueRows,
    days_to_learn_from,
    fit_amounts,
    fit_factor,
    quantiles,
    value_rows,
    with_amounts,
)

log = logging.getLogger("ordergap")

AT_CUTOFF = EvaluationProtocol.AT_CUTOFF
_BEYOND_NOISE = 2.0  # standard errors by which the factor must be worse to be left out


class Value(Task):
    """Renewed curve x factor x Gamma-Gamma.

    Everybody is learnt from: without the oddest one in a hundred, who buy for the most, the factor
    was measured to be worse.
    """

    name: ClassVar[str] = "value"
    title: ClassVar[str] = "Value"
    metrics: ClassVar[Mapping[str, Metric]] = METRICS
    rival: ClassVar[str | None] = MEAN_RATE

    @override
    def asked(self, hyperparameters: Hyperparameters) -> bool:
        return hyperparameters.value == "on"

    @override
    def unanswerable(self, hyperparameters: Hyperparameters, histories: Histories) -> str | None:
        if not self.asked(hyperparameters):
            return "value is off"
        known = with_amounts(histories)
        if not len(known):
            return "amounts are unknown: name their column with amount_column"
        if not known.amount.any():
            return "no order has an amount above 0"
        try:
            fit_amounts(known)
        except AlgorithmError as error:
            return f"{error}: give a longer period"
        return None

    @override
    def behind(self, comparison: Comparison) -> str | None:
        """Surely worse than a baseline in D² or Gini, and no better in the other.

        Beside a rule that costs nothing, the textbook and the field's own.
        """
        differences = comparison.differences
        for baseline in (LAST_DAYS, TEXTBOOK, BG_NBD_GG):
            of = differences.get(baseline, {})
            for metric, other in (("d2", "gini"), ("gini", "d2")):
                less, low, high = of.get(metric, (np.nan,) * 3)
                if high < 0 and not of[other][0] > 0:
                    return (
                        f"its {METRICS[metric].title} on later days is {-less:.3f} below that of "
                        f"the baseline {baseline} ({-high:.3f} to {-low:.3f}), and its "
                        f"{METRICS[other].title} is no better"
                    )
        return None

    @override
    def search(self, learning: Learning, split: Split) -> Validation:
        """See `Task.search`. A fit takes seconds, so one that is to stop is finished.

        The quantiles of the interval are those of the days after the cutoff, and the factor is left
        out where these show it to be surely worse than none.
        """
        h, whole = learning.hyperparameters, with_amounts(split.whole)
        if "next_order" not in learning.heads or self.unanswerable(h, learning.histories):
            log.warning("  value was not validated: there was too little data after the cutoff")
            return Validation()
        head, rows = self._learnt(learning, with_factor=True)
        window, model = _window(h, split), _curves(learning).model
        if window < h.value_horizon:
            log.info(
                "  value is judged on %d days, and value_horizon is %d: what it says of more days "
                "is not validated",
                window,
                h.value_horizon,
            )
        amounts, names = head.amounts, head.feature_names
        later = value_rows(whole, [split.cutoff], window, model, amounts, names)
        if head.booster and _is_worse(head, later, h.tweedie_power):
            head = ValueHead(None, head.feature_names, head.amounts, head.quantiles)
            log.info("  the factor of value is left out: later days show it to be worse than none")
        head.quantiles = quantiles(later, _expected(head, later))
        validated = Fit(head, no_outliers(learning.histories))
        chosen = {"rounds": float(ROUNDS if head.booster else 0)}
        if not later.came.sum():
            log.warning("  value was not validated: nobody spent anything after the cutoff")
            return Validation(chosen, validated)
        heads = {MODEL: head, **_plain(learning, head, rows)}
        evaluations = self.evaluate(learning, Validation(), split, heads)
        comparisons = compare_each(evaluations, h.seed, learning.replicates)
        return Validation(chosen, validated, evaluations, comparisons)

    @override
    def fit(self, learning: Learning, validation: Validation) -> Fit:
        if validation.fit and learning.execution.stopping():
            return validation.fit
        with_factor = validation.chosen.get("rounds", ROUNDS) > 0
        head, rows = self._learnt(learning, with_factor=with_factor)
        if validation.fit:
            head.quantiles = cast("ValueHead", validation.fit.head).quantiles
        elif rows:
            head.quantiles = quantiles(rows, _expected(head, rows))
            log.warning("  the interval of value is that of days that were learnt from")
        return Fit(head, no_outliers(learning.histories))

    @staticmethod
    def _learnt(learning: Learning, *, with_factor: bool) -> tuple[ValueHead, ValueRows | None]:
        """A head without quantiles, and the rows that the factor has learnt from, if any."""
        h, known = learning.hyperparameters, with_amounts(learning.histories)
        amounts = fit_amounts(known)
        names = features.names(calendar=False, more=learning.attribute_names)
        days = days_to_learn_from(
            known, learning.as_of, h.value_horizon, h.value_step_days, h.value_cutoffs
        )
        rows = booster = None
        if len(days):
            model = _curves(learning).model
            rows = value_rows(known, days, h.value_horizon, model, amounts, names, h.seed)
            booster = fit_factor(rows, h.tweedie_power, h.seed) if with_factor else None
        else:
            log.warning(
                "  no factor of value was learnt: %d days of history and the %d of value_horizon "
                "after them do not fit before %s",
                LEAST_HISTORY,
                h.value_horizon,
                date_of(learning.as_of),
            )
        return ValueHead(booster, names, amounts, np.ones((len(GROUPS), len(LEVELS)))), rows

    @override
    def evaluate(
        self,
        learning: Learning,
        validation: Validation,
        split: Split,
        heads: Mapping[str, Head],
        caps: Mapping[EvaluationProtocol, float] | None = None,
    ) -> dict[EvaluationProtocol, Evaluation]:
        h, whole = learning.hyperparameters, with_amounts(split.whole)
        past, window = whole.until(split.cutoff), _window(h, split)
        guesses = {
            name: _guess(learning, past, split.cutoff, window, cast("ValueHead", head))
            for name, head in heads.items()
        }
        guesses |= baselines(past, split.cutoff, window, h.seed)
        came, orders = spent(whole, past, split.cutoff, split.cutoff + window)
        earlier, _ = spent(past, past, split.cutoff - window, split.cutoff)
        return {
            AT_CUTOFF: ValueEvaluation(
                np.array(past.customer_ids),
                segments(whole, waits_at_cutoff(whole, split.cutoff, split.as_of)),
                came,
                orders > 0,
                guesses,
                h.tweedie_power,
                h.interval_level,
                window,
                float(earlier.sum()),
                cap=float(window),
            )
        }

    @override
    def contents(
        self,
        histories: Histories,
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        forecast: TaskForecast | None,
    ) -> TaskContents:
        judged = cast("Sequence[ValueEvaluation]", evaluations.get(AT_CUTOFF, []))
        return contents(self.title, comparisons, judged)

    @override
    def findings(
        self,
        cutoffs: Sequence[datetime.date],
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        hyperparameters: Hyperparameters,
    ) -> Findings:
        judged = cast("Sequence[ValueEvaluation]", evaluations[AT_CUTOFF])
        return findings(cutoffs, comparisons[AT_CUTOFF], judged)


def _curves(learning: Learning) -> NextOrderHead:
    return cast("NextOrderHead", learning.heads["next_order"])


def _plain(learning: Learning, head: ValueHead, rows: ValueRows | None) -> dict[str, ValueHead]:
    """The variant whose factor reads no attributes; none where none does or a job is to stop."""
    h, names = learning.hyperparameters, features.names(calendar=False)
    if not (head.booster and rows and learning.attribute_names) or learning.execution.stopping():
        return {}
    columns = [head.feature_names.index(name) for name in names]
    rows = replace(rows, features=rows.features[:, columns])
    booster = fit_factor(rows, h.tweedie_power, h.seed)
    return {PLAIN: ValueHead(booster, names, head.amounts, head.quantiles)}


def _window(hyperparameters: Hyperparameters, split: Split) -> int:
    """Days after the cutoff that are judged: so many as everybody was followed."""
    return min(hyperparameters.value_horizon, split.as_of - split.cutoff)


def _expected(head: ValueHead, rows: ValueRows) -> Float:
    orders = np.maximum(rows.orders * head.factor(rows.features), rows.buys)
    return orders * rows.amount


def _is_worse(head: ValueHead, later: ValueRows, power: float) -> bool:
    """Whether the deviance is higher with the factor than without it, beyond noise.

    Both scaled to what came in all, so that the season does not decide.
    """
    total = later.came.sum()
    if not total:
        return False
    with_it, without = (
        deviance(value * total / value.sum(), later.came, power)
        for value in (_expected(head, later), later.orders * later.amount)
    )
    more = with_it - without
    return bool(more.sum() > _BEYOND_NOISE * more.std() * np.sqrt(len(more)))


def _guess(learning: Learning, past: Histories, cutoff: int, window: int, head: ValueHead) -> Guess:
    """What is answered for every customer of `past`, with the curves of the learning."""
    h, last = learning.hyperparameters, past.last_row
    customers = Snapshot.of(past, cutoff)
    options = ForecastOptions(
        [window], h.interval_level, h.max_horizon_days, value_horizons=[window]
    )
    earlier: dict[str, TaskForecast] = {}
    for name, each in {"next_order": _curves(learning), "value": head}.items():
        matrix = features.compute(past.as_known(cutoff), each.feature_names, last)
        earlier[name] = each.forecast(customers, matrix, options, earlier)
    answer = cast("ValueForecast", earlier["value"])
    return Guess(
        answer.value[window], 1 - answer.buys[window], answer.low[window], answer.high[window]
    )
