"""Metrics of forecasts against outcomes that were partly cut off by the end of the data.

A row is one forecast: of an order's gap, or of the days a customer still waits. `gap` (n,) is the
days until the next order where `observed` (n,) is true, else the days it was followed.
`follow_up` (n,) is how many days it could be followed at all, order or no order. Metrics that need
an outcome for certain use only the rows followed up long enough, which asks nothing about the
outcome itself, so censoring cannot bias them.

Every function refuses columns of unequal length and NaN with a ValueError, and returns NaN where
no row, or no pair of rows, can be judged. Infinity is a prediction of "never".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.floating | np.integer]
Rows = NDArray[np.int64] | NDArray[np.bool_]  # numbers, some of them several times, or a mask


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What happened: `gap` and `follow_up` (n,) days, `observed` (n,) true where the gap ended."""

    gap: Column
    observed: NDArray[np.bool_]
    follow_up: Column

    def __getitem__(self, rows: Rows) -> Outcomes:
        """Those of some rows."""
        return Outcomes(self.gap[rows], self.observed[rows], self.follow_up[rows])


@dataclass(frozen=True, eq=False)
class Predicted:
    """What was forecast, one row an outcome.

    `median`, and the interval's ends `low` and `high`, are (n,) days; `probability` maps a horizon
    in days to P(order within it) (n,). `risk_score` (n,) ranks rows: the larger, the sooner an
    order is expected; without it the medians rank them.
    """

    median: Column
    low: Column
    high: Column
    probability: dict[int, Column]
    risk_score: Column | None = None

    def __getitem__(self, rows: Rows) -> Predicted:
        """Those of some rows."""
        probability = {horizon: p[rows] for horizon, p in self.probability.items()}
        risk_score = None if self.risk_score is None else self.risk_score[rows]
        return Predicted(
            self.median[rows], self.low[rows], self.high[rows], probability, risk_score
        )

    @classmethod
    def joined(cls, parts: Sequence[Predicted]) -> Predicted:
        """The rows of all parts, which have the same horizons and all a risk score or none."""
        risk = [each.risk_score for each in parts if each.risk_score is not None]
        return Predicted(
            np.concatenate([each.median for each in parts]),
            np.concatenate([each.low for each in parts]),
            np.concatenate([each.high for each in parts]),
            {
                horizon: np.concatenate([each.probability[horizon] for each in parts])
                for horizon in parts[0].probability
            },
            np.concatenate(risk) if risk else None,
        )


class CalibrationBins(NamedTuple):
    """Each (bins,): mean predicted probability, share of events, rows; NaN means where no rows."""

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    rows: NDArray[np.int64]


def evaluate(predicted: Predicted, outcomes: Outcomes, cap: float) -> dict[str, float]:
    """Every metric of one set of forecasts.

    Keys: capped_mae, concordance (of the ranks, over all rows); auc_30, brier_30 and ece_30 (the
    expected calibration error) for each horizon of `predicted`; coverage, width, and rows: how many
    were followed up for `cap` days, the rows behind capped_mae, coverage and width.
    """
    gap, observed, follow_up = outcomes.gap, outcomes.observed, outcomes.follow_up
    at_horizons: dict[str, float] = {}
    for horizon, probability in predicted.probability.items():
        _check(probability=probability, gap=gap)
        rows, event = event_within(gap, observed, follow_up, horizon)
        at_horizons |= {
            f"auc_{horizon}": auc(probability[rows], event[rows]),
            f"brier_{horizon}": brier(probability[rows], event[rows]),
            f"ece_{horizon}": calibration(probability[rows], event[rows])[0],
        }
    rank = predicted.median if predicted.risk_score is None else -predicted.risk_score
    coverage, width = coverage_and_width(predicted.low, predicted.high, gap, follow_up, cap)
    return {
        "capped_mae": capped_mae(predicted.median, gap, follow_up, cap),
        "concordance": concordance(rank, gap, observed),
        **at_horizons,
        "coverage": coverage,
        "width": width,
        "rows": float(np.count_nonzero(follow_up >= cap)),
    }


def capped_mae(predicted: Column, gap: Column, follow_up: Column, cap: float) -> float:
    """Mean of |min(predicted, cap) − min(gap, cap)|, in days, over rows with follow_up >= cap.

    >>> capped_mae(np.array([9.0, np.inf]), np.array([7, 20]), np.array([90, 90]), cap=60)
    21.0
    """
    _check(predicted=predicted, gap=gap, follow_up=follow_up)
    followed = follow_up >= cap
    error = np.minimum(predicted[followed], cap) - np.minimum(gap[followed], cap)
    return _mean(np.abs(error))


def coverage_and_width(
    low: Column, high: Column, gap: Column, follow_up: Column, cap: float
) -> tuple[float, float]:
    """How often an interval holds the gap, and its mean width in days; all capped at `cap`.

    Both ends count as inside; over rows with follow_up >= cap.
    """
    _check(low=low, high=high, gap=gap, follow_up=follow_up)
    followed = follow_up >= cap
    low, high, gap = (np.minimum(column[followed], cap) for column in (low, high, gap))
    return _mean((low <= gap) & (gap <= high)), _mean(high - low)


def event_within(
    gap: Column, observed: NDArray[np.bool_], follow_up: Column, horizon: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows were followed up for `horizon` days (n,), and which gaps ended by then (n,).

    The events are known only on the rows of the first answer: ``event[rows]``.
    """
    _check_outcomes(gap, observed, follow_up)
    return follow_up >= horizon, observed & (gap <= horizon)


def concordance(predicted: Column, gap: Column, observed: NDArray[np.bool_]) -> float:
    """Harrell's C: the share of comparable pairs whose predicted gaps stand in the right order.

    A pair is comparable if the shorter gap was observed. Of two equal gaps exactly one must be
    observed, and counts as the shorter: the other lasted beyond it. Equal predictions count 1/2.
    O(n log n).

    Source: Harrell et al. 1982, Evaluating the yield of medical tests.
    """
    _check(predicted=predicted, gap=gap, observed=observed)
    lasting = 2 * np.unique(gap, return_inverse=True)[1] + ~observed
    rank = np.unique(predicted, return_inverse=True)[1]
    longest_first = np.argsort(-lasting)
    longer = np.searchsorted(np.sort(-lasting), -lasting[observed])
    pairs = int(longer.sum())
    if pairs == 0:
        return float("nan")
    below, equal = _below_and_equal(rank[longest_first], longer, rank[observed])
    return (pairs - below - equal / 2) / pairs


def _below_and_equal(
    sequence: NDArray[np.int64], ends: NDArray[np.int64], values: NDArray[np.int64]
) -> tuple[int, int]:
    """How many of sequence[:end] are below, and how many equal, its value: sums over the queries.

    The sequence is partitioned by one bit after the other, highest first, while [start, end)
    follows each query into the part that shares its value's bits; a part of zeros beside a value
    whose bit is one is below it. O((n + q) log n).

    Source: Claude, Navarro & Ordóñez 2015, The wavelet matrix.
    """
    starts = np.zeros_like(ends)
    below = 0
    for bit in reversed(range(int(sequence.max()).bit_length())):
        is_one = (sequence >> bit & 1).astype(bool)
        ones = np.concatenate([[0], np.cumsum(is_one)])
        ones_before_start, ones_before_end = ones[starts], ones[ends]
        zeros = len(sequence) - int(ones[-1])
        up = (values >> bit & 1).astype(bool)
        below += int(((ends - ones_before_end) - (starts - ones_before_start))[up].sum())
        starts = np.where(up, zeros + ones_before_start, starts - ones_before_start)
        ends = np.where(up, zeros + ones_before_end, ends - ones_before_end)
        sequence = np.concatenate([sequence[~is_one], sequence[is_one]])
    return below, int((ends - starts).sum())


def auc(probability: Column, event: NDArray[np.bool_]) -> float:
    """P(a row with the event has the higher probability than one without); ties count 1/2."""
    _check(probability=probability, event=event)
    others, those = np.sort(probability[~event]), probability[event]
    pairs = len(those) * len(others)
    if pairs == 0:
        return float("nan")
    below, up_to = (np.searchsorted(others, those, side).sum() for side in ("left", "right"))
    return float(below + up_to) / 2 / pairs


def brier(probability: Column, event: NDArray[np.bool_]) -> float:
    """Mean squared distance of the probability from what happened (Brier 1950)."""
    _check_probability(probability, event)
    return _mean((probability.astype(np.float64) - event) ** 2)


def calibration(
    probability: Column, event: NDArray[np.bool_], bins: int = 10
) -> tuple[float, CalibrationBins]:
    """Expected calibration error, and the equally wide bins of probability it was taken over.

    The error is the mean over rows of |mean probability − share of events| of the row's bin. A
    probability on the edge of two bins belongs to the lower one.

    Source: Naeini, Cooper & Hauskrecht 2015, Obtaining well calibrated probabilities.
    """
    _check_probability(probability, event)
    bin_of = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], probability)
    rows = np.bincount(bin_of, minlength=bins)
    share = np.where(rows > 0, rows, np.nan)
    predicted = np.bincount(bin_of, weights=probability, minlength=bins) / share
    observed = np.bincount(bin_of, weights=event, minlength=bins) / share
    error = _mean(np.abs(predicted - observed)[bin_of])
    return error, CalibrationBins(predicted, observed, rows)


def draws(
    tables: Sequence[NDArray[np.generic]], replicates: int, seed: int
) -> Iterator[list[NDArray[np.int64]]]:
    """Rows of each table, customers drawn with replacement, the same ones in every table.

    A table is given as the customer of each of its rows (n,); a draw takes all rows of a customer.

    Source: Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 13.
    """
    everybody = np.unique(np.concatenate(tables))
    places = [np.searchsorted(everybody, table) for table in tables]
    random = np.random.default_rng(seed)
    for _ in range(replicates):
        drawn = random.integers(len(everybody), size=len(everybody))
        times = np.bincount(drawn, minlength=len(everybody))
        yield [np.repeat(np.arange(len(place)), times[place]) for place in places]


def interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """The central interval of the values that are not NaN; NaN where all are."""
    judged = [value for value in values if not np.isnan(value)]
    if not judged:
        return float("nan"), float("nan")
    low, high = np.quantile(judged, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _mean(values: NDArray[np.bool_ | np.number]) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")


def _check(**columns: NDArray[np.bool_ | np.number]) -> None:
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"metrics take columns of one length, not {shapes}")
    for name, column in columns.items():
        if np.isnan(column).any():
            raise ValueError(f"{name} has NaN; a gap predicted never to end is infinite instead")


def _check_outcomes(gap: Column, observed: NDArray[np.bool_], follow_up: Column) -> None:
    _check(gap=gap, observed=observed, follow_up=follow_up)
    if not np.all(np.where(observed, gap <= follow_up, gap == follow_up)):
        raise ValueError(
            "an observed gap must end within its follow_up, and a censored one be equal to it"
        )


def _check_probability(probability: Column, event: NDArray[np.bool_]) -> None:
    _check(probability=probability, event=event)
    if np.any((probability < 0) | (probability > 1)):
        raise ValueError("a probability lies outside [0, 1]")
