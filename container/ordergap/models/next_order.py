"""The head of the task "next order": from survival curves and days waited to what a shop reads.

See docs/decisions/packages.md#forecast-stands-above-survival and
docs/decisions/survival.md#a-forecast-is-at-least-tomorrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.contract.manifest import TaskSection
from ordergap.contract.prediction import (
    DUE_TIMES,
    DUE_WITHIN,
    LAPSED_SHARE,
    LAPSED_WITHIN,
    OVERDUE_SHARE,
    Status,
)
from ordergap.errors import AlgorithmError, ModelMismatch
from ordergap.histories import iso_dates
from ordergap.models.base import (
    Column,
    Days,
    ForecastOptions,
    Head,
    Model,
    Snapshot,
    TaskForecast,
)
from ordergap.models.kinds import model_class
from ordergap.models.levels import parse_levels, uncalibrated_level
from ordergap.models.population import Population
from ordergap.models.reasons import reasons
from ordergap.survival.curve import Survival, central_levels

_FAR = 1e6  # days; a quantile beyond it is as good as never
_NEVER = np.iinfo(np.int64).max
_BATCH = 8192  # customers that are explained at once


@dataclass(frozen=True, eq=False)
class NextOrderForecast(TaskForecast):
    """The next order of n customers; days since the last order, -1 where beyond the horizon.

    survival  their curves, from the last order on
    """

    customers: Snapshot
    survival: Survival
    gap: Days
    low: Days
    high: Days
    typical: Days
    probability: dict[int, NDArray[np.float64]]
    status: list[Status]
    interval_level: float
    reasons: list[list[dict[str, object]]] | None = None

    def __len__(self) -> int:
        """The number of forecasts, n."""
        return len(self.gap)

    @override
    def columns(self) -> dict[str, Column]:
        last = self.customers.last_day
        asked: dict[str, Column] = {} if self.reasons is None else {"reasons": self.reasons}
        return {
            "order_gap_days": days_or_null(self.gap),
            "next_order_date": _dates(last, self.gap),
            "next_order_date_low": _dates(last, self.low),
            "next_order_date_high": _dates(last, self.high),
            "interval_level": [self.interval_level] * len(self),
            "typical_gap_days": days_or_null(self.typical),
            "buy_probability": {
                str(horizon): np.round(p, 6).tolist() for horizon, p in self.probability.items()
            },
            "status": self.status,
            **asked,
        }

    @override
    def constants(self) -> dict[str, object]:
        return {"interval_level": self.interval_level}

    @override
    def counts(self) -> Counter[str]:
        """Status -> customers."""
        return Counter(str(status) for status in self.status)


class NextOrderHead(Head):
    """A survival model, and what its intervals have to be to hold.

    interval_levels  least orders of a group -> nominal level -> the curve's own central level that
                     covers it on later data
    population       what customers are compared with
    """

    def __init__(
        self,
        model: Model,
        interval_levels: Mapping[str, Mapping[str, float]],
        population: Population,
    ) -> None:
        self.model, self.interval_levels = model, dict(interval_levels)
        self.population = population
        self.feature_names = model.feature_names

    @property
    @override
    def kind(self) -> str:
        return self.model.kind

    @property
    @override
    def parameters(self) -> dict[str, JsonValue]:
        levels = cast("JsonValue", self.interval_levels)
        return {
            **self.model.parameters,
            "days": self.model.days.tolist(),
            "interval_levels": levels,
            "population": self.population.content(),
        }

    @override
    def forecast(
        self,
        customers: Snapshot,
        features: NDArray[np.float32],
        options: ForecastOptions,
        earlier: Mapping[str, TaskForecast],
    ) -> NextOrderForecast:
        level = uncalibrated_level(
            self.interval_levels, options.interval_level, customers.order_count
        )
        survival = self.model.survival(features)
        answer = forecast(survival, customers, options, level, self.population.average)
        if options.explain:
            answer = replace(answer, reasons=self._reasons(customers, features, options))
        return answer

    def _reasons(
        self, customers: Snapshot, features: NDArray[np.float32], options: ForecastOptions
    ) -> list[list[dict[str, object]]]:
        """Why an order within the shortest horizon is likely or not."""
        horizon = min(options.horizons)
        answers: list[list[dict[str, object]]] = []
        for start in range(0, len(features), _BATCH):
            some = slice(start, start + _BATCH)
            own, elapsed = features[some], customers.elapsed[some]
            shares = self.model.contributions(own, elapsed, horizon)
            answers += reasons(self.feature_names, own, elapsed, shares, options.explain)
        return answers

    @override
    def files(self) -> dict[str, bytes]:
        return self.model.files()

    @classmethod
    @override
    def load(cls, files: Mapping[str, bytes], section: TaskSection) -> Self:
        kind = model_class(section.kind)
        try:
            model = kind.load(files, section.feature_names, section.parameters)
            levels = parse_levels(section.parameters["interval_levels"])
            population = Population.parse(section.parameters["population"])
        except KeyError as error:
            raise ModelMismatch(
                f"its manifest lacks the model parameter {error}; train again"
            ) from error
        if model.feature_names != section.feature_names:
            raise ModelMismatch(
                f"{kind.file_name} reads {', '.join(model.feature_names)}, its manifest names "
                "other features; copy the whole model again"
            )
        grid = model.days
        rising = np.diff(grid, prepend=0.0) > 0 if grid.ndim == 1 else np.zeros(1)
        if not grid.size or not rising.all() or not np.isfinite(grid).all():
            raise ModelMismatch("its time grid is not of rising days; copy the whole model again")
        return cls(model, levels, population)

    @classmethod
    @override
    def file_names(cls, kind: str) -> tuple[str, ...]:
        model = model_class(kind)
        return (model.file_name, *model.side_files)


def days_or_null(days: Days) -> list[int | None]:
    """JSON-ready; null for -1, which lies beyond the horizon."""
    return [None if day < 0 else day for day in days.tolist()]


def _dates(last: Days, days: Days) -> list[str | None]:
    """`days` after each of `last`, as ISO dates."""
    texts = iso_dates(last + np.maximum(days, 0))
    return [None if gap < 0 else text for text, gap in zip(texts, days.tolist(), strict=True)]


def forecast(
    survival: Survival,
    customers: Snapshot,
    options: ForecastOptions,
    level: float | NDArray[np.float64],
    average: Mapping[int, float],
) -> NextOrderForecast:
    """Read date, interval, probabilities and status off the curves, given the days waited.

    survival  n curves, one for each customer, from the last order on
    level     the curve's own central level that has the coverage `options.interval_level`, one for
              all or (n,)
    average   days ahead -> the average customer's probability

    A gap is a whole number of days, and the days up to as_of have passed without an order: the
    earliest next order is the day after. So low <= gap <= high, and no date lies before as_of.
    Raises AlgorithmError where the model's answers are not numbers.
    """
    elapsed = customers.elapsed
    if survival.log_s.shape != (len(elapsed), len(survival.days)) or np.isnan(survival.log_s).any():
        raise AlgorithmError("the model's curves are not of numbers, one for each day of its grid")
    waited = np.array([elapsed, np.zeros_like(elapsed)])  # given the days waited, and typically
    levels = central_levels(level, len(elapsed))[:, None]
    days = _whole_days(survival.quantile(levels, waited), waited)
    (gap, typical), (low, _), (high, _) = np.where(
        days <= waited + options.max_horizon_days, days, -1
    )
    ahead = np.array([*options.horizons, DUE_WITHIN, LAPSED_WITHIN])
    chances = survival.probability_within(ahead[:, None], elapsed)
    if not np.all((chances >= 0) & (chances <= 1)):
        raise AlgorithmError("the model gives a probability that is not a number from 0 to 1")
    *probabilities, soon, later = chances
    return NextOrderForecast(
        customers=customers,
        survival=survival,
        gap=gap,
        low=low,
        high=high,
        typical=typical,
        probability=dict(zip(options.horizons, probabilities, strict=True)),
        status=statuses(soon, later, survival.log_at(elapsed), customers.order_count, average),
        interval_level=options.interval_level,
    )


def _whole_days(t: NDArray[np.float64], elapsed: Days) -> Days:
    """Quantiles as whole days, at least a day after those elapsed."""
    finite = t < _FAR
    whole = np.rint(np.where(finite, t, 0.0)).astype(np.int64)
    return np.where(finite, np.maximum(whole, elapsed + 1), _NEVER)


def due_from(average: float) -> float:
    """The least probability of who is due, where the average customer's is so much.

    Twice as likely to order; from an average of a third on, half as likely not to.
    """
    return min(DUE_TIMES * average, 1 - (1 - average) / DUE_TIMES)


def statuses(
    soon: NDArray[np.float64],
    later: NDArray[np.float64],
    log_waited: NDArray[np.float64],
    order_count: Days,
    average: Mapping[int, float],
) -> list[Status]:
    """The first status that fits each of n customers, in the enum's sequence, or the last.

    soon, later  (n,) probabilities of an order within DUE_WITHIN and LAPSED_WITHIN days
    log_waited   (n,) log probability of a wait as long as the customer's
    average      days ahead -> the average customer's probability
    """
    fits = [
        (soon > 0) & (soon >= due_from(average[DUE_WITHIN])),
        later <= LAPSED_SHARE * average[LAPSED_WITHIN],
        log_waited < np.log(1 - OVERDUE_SHARE),
        order_count == 1,
    ]
    words = [*Status]
    return [words[i] for i in np.select(fits, range(len(fits)), len(fits)).tolist()]
