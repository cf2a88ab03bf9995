"""The task "large order": will an order above an amount come within the days ahead?

See docs/decisions/tasks.md#a-large-order-is-a-thinned-curve.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap import features
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.metrics import MODEL, PLAIN, EvaluationProtocol, Metric
from ordergap.evaluation.compare import Comparison, Evaluation, compare_each
from ordergap.evaluation.large import METRICS, LargeEvaluation, Question
from ordergap.evaluation.large_baselines import BG_NBD_GG, SHARE, answers, large_orders
from ordergap.evaluation.segments import segments
from ordergap.histories import Histories
from ordergap.models.base import ForecastOptions, Head, Snapshot, TaskForecast
from ordergap.models.large_order import LargeOrderForecast, LargeOrderHead
from ordergap.models.next_order import NextOrderForecast
from ordergap.models.text import amount_text
from ordergap.outliers import no_outliers
from ordergap.report.contents import TaskContents
from ordergap.survival.targets import waits_at_cutoff
from ordergap.tasks.base import Findings, Fit, Learning, Split, Task, Validation
from ordergap.tasks.large_order_contents import contents, verdict
from ordergap.trainers.large_order import (
    MOST_ROUNDS,
    USUAL_ROUNDS,
    exceedance_rows,
    fit,
    followed,
    positive_amounts,
)

log = logging.getLogger("ordergap")

AT_CUTOFF = EvaluationProtocol.AT_CUTOFF
OWN_LEVELS = (0.8, 0.9)
"""Quantiles of the amounts learnt from above which an order is large, where nothing is said."""
LEAST_ORDERS = 30
_SHORT = 30  # days: the horizon that is judged besides the longest


class LargeOrder(Task):
    """The share of orders above an amount, by which the curve of the next order is thinned.

    Everybody is learnt from: what is learnt is whether an amount is exceeded, never by how much.
    """

    name: ClassVar[str] = "large_order"
    title: ClassVar[str] = "Large orders"
    rival: ClassVar[str | None] = SHARE
    metrics: ClassVar[Mapping[str, Metric]] = METRICS

    @override
    def asked(self, hyperparameters: Hyperparameters) -> bool:
        return hyperparameters.large_orders == "on"

    @override
    def unanswerable(self, hyperparameters: Hyperparameters, histories: Histories) -> str | None:
        if not self.asked(hyperparameters):
            return "large_orders is off"
        if not len(positive_amounts(histories)):
            return "no order has an amount above 0: name the column with amount_column"
        if (known := len(followed(histories))) < LEAST_ORDERS:
            return (
                f"{known} orders that follow another have a known amount, {LEAST_ORDERS} are "
                "needed: give a longer period"
            )
        return None

    @override
    def behind(self, comparison: Comparison) -> str | None:
        """Surely worse in the Brier score than a rule or the field's own, and no better ranked."""
        differences = comparison.differences
        for baseline in (SHARE, BG_NBD_GG):
            if baseline not in differences:
                continue
            more, low, high = differences[baseline]["brier"]
            if low > 0 and differences[baseline]["auc"][0] <= 0:  # neither is NaN
                return (
                    f"its Brier score on later days is {more:.4f} above that of the baseline "
                    f"{baseline} ({low:.4f} to {high:.4f}), and it ranks no better"
                )
        return None

    @override
    def search(self, learning: Learning, split: Split) -> Validation:
        """See `Task.search`. A fit takes seconds, so one that is to stop is finished."""
        h, past, whole = learning.hyperparameters, learning.histories, split.whole
        opened = followed(whole)
        later = opened[whole.day[opened + 1] > split.cutoff]
        judge, rounds = ((whole, later), MOST_ROUNDS) if len(later) else (None, USUAL_ROUNDS)
        head = self._fitted(h, past, judge, rounds)
        chosen = {"rounds": float(head.booster.num_boosted_rounds())}
        validated = Fit(head, no_outliers(past))
        if "next_order" not in learning.heads:
            return Validation(chosen, validated)
        heads = {MODEL: head}
        if learning.attribute_names and not learning.execution.stopping():
            plain = replace(past, attributes=None)
            heads[PLAIN] = self._fitted(h, plain, None, int(chosen["rounds"]))
        evaluations = self.evaluate(learning, Validation(), split, heads)
        comparisons = compare_each(evaluations, h.seed, learning.replicates)
        return Validation(chosen, validated, evaluations, comparisons)

    @override
    def fit(self, learning: Learning, validation: Validation) -> Fit:
        if validation.fit and learning.execution.stopping():
            return validation.fit
        rounds = int(validation.chosen.get("rounds", USUAL_ROUNDS))
        past = learning.histories
        head = self._fitted(learning.hyperparameters, past, None, rounds)
        for threshold in head.thresholds:
            if not head.amounts[0] <= threshold <= head.amounts[1]:
                log.warning(
                    "Large orders: %s of large_thresholds is not between the least and the largest "
                    "amount learnt from, %s and %s: above it is every order, or hardly any.",
                    *(amount_text(each) for each in (threshold, *head.amounts)),
                )
        return Fit(head, no_outliers(past))

    @staticmethod
    def _fitted(
        hyperparameters: Hyperparameters,
        past: Histories,
        later: tuple[Histories, NDArray[np.int64]] | None,
        rounds: int,
    ) -> LargeOrderHead:
        """Learnt from `past`; `later`: histories, and rows of those that choose the rounds."""
        names = features.names(calendar=False, more=features.attribute_names(past))
        amounts = positive_amounts(past)
        rows = exceedance_rows(past, names, followed(past), amounts)
        check = exceedance_rows(later[0], names, later[1], amounts) if later else None
        booster = fit(rows, check, rounds, hyperparameters.seed)
        thresholds = hyperparameters.large_thresholds or _usual(amounts)
        return LargeOrderHead(booster, names, thresholds, (float(amounts[0]), float(amounts[-1])))

    @override
    def evaluate(
        self,
        learning: Learning,
        validation: Validation,
        split: Split,
        heads: Mapping[str, Head],
        caps: Mapping[EvaluationProtocol, float] | None = None,
    ) -> dict[EvaluationProtocol, Evaluation]:
        h, past, whole = learning.hyperparameters, learning.histories, split.whole
        model = cast("LargeOrderHead", heads[MODEL])
        least, largest = model.amounts
        # Beyond all amounts there is nothing to judge.
        within = [each for each in model.thresholds if least <= each < largest]
        thresholds = within or _usual(positive_amounts(past))
        questions = _questions(thresholds, h.value_horizon, split)
        asked = [*questions.values()]
        options = ForecastOptions(
            sorted({each.days for each in asked}),
            h.interval_level,
            h.max_horizon_days,
            large_thresholds=[each.threshold for each in asked],
        )
        last = past.last_row
        customers = Snapshot.of(past, split.cutoff)

        def forecast(head: Head, earlier: Mapping[str, TaskForecast]) -> TaskForecast:
            matrix = features.compute(past.as_known(split.cutoff), head.feature_names, last)
            return head.forecast(customers, matrix, options, earlier)

        next_order = cast("NextOrderForecast", forecast(learning.heads["next_order"], {}))
        forecasts: dict[str, Mapping[Question, NDArray[np.float64]]] = {}
        for name, head in heads.items():
            own = cast("LargeOrderForecast", forecast(head, {"next_order": next_order}))
            forecasts[name] = {each: own.probability[each.threshold][each.days] for each in asked}
        forecasts |= answers(past, split.cutoff, next_order.probability, asked, h.seed)
        known = whole.day[whole.offsets[:-1]] <= split.cutoff
        return {
            AT_CUTOFF: LargeEvaluation(
                np.array(past.customer_ids),
                segments(whole, waits_at_cutoff(whole, split.cutoff, split.as_of)),
                questions,
                {each: large_orders(whole, each, split.cutoff)[known] for each in asked},
                forecasts,
                cap=float(questions[""].days),
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
        judged = cast("Sequence[LargeEvaluation]", evaluations.get(AT_CUTOFF, []))
        return contents(self.title, comparisons, judged)

    @override
    def findings(
        self,
        cutoffs: Sequence[datetime.date],
        comparisons: Mapping[EvaluationProtocol, Comparison],
        evaluations: Mapping[EvaluationProtocol, Sequence[Evaluation]],
        hyperparameters: Hyperparameters,
    ) -> Findings:
        judged = cast("Sequence[LargeEvaluation]", evaluations[AT_CUTOFF])
        return Findings(verdict=verdict(comparisons[AT_CUTOFF], judged))


def _usual(amounts: NDArray[np.float64]) -> list[float]:
    """What is large where nothing is said: quantiles of the amounts, to four digits."""
    return sorted({float(f"{each:.4g}") for each in np.quantile(amounts, OWN_LEVELS)})


def _questions(thresholds: Sequence[float], horizon: int, split: Split) -> dict[str, Question]:
    """The largest and the least of the thresholds, each at the longest horizon and a short one.

    Everybody is followed until the end of the split, and no horizon goes beyond.
    """
    window = split.as_of - split.cutoff
    longest, short = min(horizon, window), min(_SHORT, window)
    return {
        f"{which}{ending}": Question(threshold, days)
        for which, threshold in {"": thresholds[-1], "_least": thresholds[0]}.items()
        for ending, days in {"": longest, f"_{short}": short}.items()
        if not (which and thresholds[0] == thresholds[-1]) and not (ending and short == longest)
    }
