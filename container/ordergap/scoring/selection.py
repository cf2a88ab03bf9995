"""Which customers are written, and in which sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.prediction import Status
from ordergap.errors import InvalidRequest, Problem
from ordergap.models.forecasts import Forecasts
from ordergap.scoring.options import Options

By = Literal["probability", "amount", "value"]


@dataclass(frozen=True)
class Selection:
    """Some of the customers, perhaps ranked.

    statuses  only customers with one of them; empty: all
    top       only so many, the first by rank; None: all
    by        what ranks: the probability of an order within the shortest horizon, or that times the
              usual amount, or the value expected within the shortest of value_horizons; where an
              amount is unknown, below the others, by probability. None: nothing, and customers
              stand in the sequence of their ids
    """

    statuses: frozenset[str] = frozenset()
    top: int | None = None
    by: By | None = None

    @classmethod
    def parse(cls, status: object, top: object, by: object) -> Self:
        """From what a caller gave, each of them or None. Raises InvalidRequest.

        status  words, or a text with commas between them
        """
        problems: list[Problem] = []
        names = status.split(",") if isinstance(status, str) else status
        words = [str(each).strip() for each in names] if isinstance(names, Iterable) else []
        allowed = ", ".join(Status)
        if status is not None and (not words or not {*words} <= {*Status}):
            problems.append(
                Problem(f"status = {status!r}: expected one or more of {allowed}", field="status")
            )
        if top is not None and (not isinstance(top, int | np.integer) or top < 1):
            problems.append(
                Problem(f"top = {top!r}: expected a whole number, at least 1", field="top")
            )
        if by is not None and by not in get_args(By):
            expected = "one of " + ", ".join(get_args(By))
            problems.append(Problem(f"by = {by!r}: expected {expected}", field="by"))
        if problems:
            raise InvalidRequest(problems)
        ranked = by or ("probability" if top is not None else None)
        return cls(frozenset(words), cast("int | None", top), cast("By | None", ranked))

    def needed(self, options: Options) -> Options:
        """As much of the options as `score` needs. Raises InvalidRequest where value is off."""
        days = options.value_horizons or ()
        if self.by == "value" and not days:
            hint = "name value_horizons, or rank by amount"
            raise InvalidRequest([Problem("by = 'value': no value is asked", None, "by", hint)])
        some = days[:1] if self.by == "value" else ()
        return replace(options, explain=None, value_horizons=some, large_thresholds=())

    def score(self, forecasts: Forecasts) -> NDArray[np.float64]:
        """(n,) the larger, the earlier in the sequence; NaN: left out."""
        columns = cast("Mapping[str, Any]", forecasts.columns)
        score = np.zeros(len(forecasts))
        if self.by:
            probability = columns["buy_probability"]
            score += probability[min(probability, key=int)]
        if self.by in {"amount", "value"}:
            if self.by == "amount":
                worth = score * np.array(columns["usual_amount"], float)
            else:
                value = columns["expected_value"]
                worth = np.array(value[min(value, key=int)], float)
            score = np.where(np.isnan(worth), score - 2, worth)  # unknown: below 0
        if self.statuses:
            score[[status not in self.statuses for status in columns["status"]]] = np.nan
        return score

    def chosen(self, score: NDArray[np.float64]) -> NDArray[np.int64]:
        """(k,) positions of those who are not left out, in their sequence; of equals the first."""
        ranked = np.argsort(-score, kind="stable")  # which puts NaN last
        return ranked[: np.count_nonzero(~np.isnan(score))][: self.top]


EVERYBODY = Selection()
