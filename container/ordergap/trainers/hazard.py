"""Fits the discrete-time hazard: trees, what they begin from, and their recalibration.

See docs/decisions/trainers.md#the-hazard-trainer-keeps-its-simple-defaults and
docs/decisions/trainers.md#trees-may-begin-from-half-of-bgnbd.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.errors import AlgorithmError
from ordergap.hosts import Hosts
from ordergap.models import bg_nbd, recalibration
from ordergap.models.xgboost import HazardModel, load_xgboost, predict
from ordergap.trainers.base import FitRequest, Fitted, Float, Sample
from ordergap.trainers.recalibration import recalibrate
from ordergap.trainers.rounds import shifted_log_loss
from ordergap.trainers.vector_leaves import with_vector_leaves
from ordergap.trainers.xgboost import Boosting, Rows

log = logging.getLogger("ordergap")

FROM_BG_NBD = "from BG/NBD"
_BEYOND_NOISE = -2.0  # standard errors by which the validation loss must be lower
_HALF = 0.5  # rows: the least that count for or against an order where none does


@dataclass(frozen=True, eq=False)
class HazardRows:
    """n gaps as r rows, one for each time bin in which a gap was at risk of ending.

    sample  the gaps
    owner   (r,) which gap a row is of
    matrix  (r, F + 1) its features, and the bin's number
    label   (r,) whether the gap ended in the bin
    weight  (r,) share of the bin that was observed, if the gap did not end there
    base    (r,) log odds that the trees add to; None: one level for all
    """

    sample: Sample
    owner: NDArray[np.int64]
    matrix: NDArray[np.float32]
    label: Float
    weight: Float
    base: Float | None = None

    @property
    def bins(self) -> NDArray[np.int64]:
        """(r,) the bins' numbers."""
        return self.matrix[:, -1].astype(np.int64)

    @property
    def rows(self) -> Rows:
        """As the booster is given them."""
        return Rows(self.matrix, self.label, self.weight, base=self.base)

    def log_odds(self, booster: Any) -> Float:
        """(r,) of the trees and what they add to."""
        trees = predict(booster, self.matrix, "margin")
        return trees if self.base is None else trees + self.base


class HazardTrainer(Boosting):
    """Discrete-time hazard: a logistic regression of trees on order x time-bin rows."""

    @override
    def fit(self, request: FitRequest) -> Fitted:
        part, days, validation = request.hosts.part, request.days, request.validation
        data = hazard_rows(request.train[part], days)
        start = None
        if request.chosen or not validation:
            if request.chosen and request.chosen.get(FROM_BG_NBD):
                start = self._half_of_bg_nbd(data, request)
                data = self._from(start, data, days)
            return self._finished(self._grown(data, None, request), start, data, request)
        check = hazard_rows(validation[part], days)
        booster = self._grown(data, check, request)
        half = None if request.stopping() else self._half_of_bg_nbd(data, request)
        if half:
            begun, later = (self._from(half, each, days) for each in (data, check))
            again = self._grown(begun, later, request)
            if _is_better(later, again, check, booster, request.hosts):
                booster, start, data = again, half, begun
        return self._finished(booster, start, data, request)

    def _half_of_bg_nbd(self, data: HazardRows, request: FitRequest) -> bg_nbd.Start | None:
        """Fitted on all customers' last orders; None where BG/NBD finds no maximum."""
        last = ~request.train.observed
        order_count, tenure = self._orders(request.train[last])
        try:
            model = bg_nbd.fit(order_count - 1, tenure, tenure + request.train.gap[last])
        except AlgorithmError as error:
            log.info("  %s", error)
            return None
        ended, weights = request.hosts.sum(
            np.array([(data.weight * data.label).sum(), data.weight.sum()])
        )
        level = math.log(max(ended, _HALF) / max(weights - ended, _HALF))
        return bg_nbd.Start(model, level)

    def _orders(self, sample: Sample) -> tuple[Float, Float]:
        return recalibration.orders(self.feature_names, sample.features)

    def _from(self, start: bg_nbd.Start | None, data: HazardRows, days: Float) -> HazardRows:
        """The rows whose trees add to the `start`, if there is one."""
        if start is None:
            return data
        log_odds = start(*self._orders(data.sample), days)
        return replace(data, base=log_odds[data.owner, data.bins])

    def _mean(self, start: bg_nbd.Start, data: HazardRows, request: FitRequest) -> JsonValue:
        """(m,) the start's log odds, of the mean gap of all hosts."""
        sums = start(*self._orders(data.sample), request.days).sum(axis=0)
        *total, count = request.hosts.sum(np.append(sums, len(data.sample))).tolist()
        return [each / count for each in total]

    def _grown(self, data: HazardRows, check: HazardRows | None, request: FitRequest) -> Any:
        """The trees, which add to what the rows begin from."""
        objective: dict[str, object] = {"objective": "binary:logistic", "eval_metric": "logloss"}
        if data.base is not None:
            request = request.part(FROM_BG_NBD)  # no checkpoint of trees with another start fits
            objective["base_score"] = 0.5  # log odds of 0: the start has the level
        booster, _ = self.boost(
            objective,
            data.rows,
            check.rows if check else None,
            request.rounds,
            request,
            shifted_log_loss(load_xgboost(), request.hosts),
        )
        return booster

    def _finished(
        self, booster: Any, start: bg_nbd.Start | None, data: HazardRows, request: FitRequest
    ) -> Fitted:
        """The model: vector leaves, and the recalibration on the rows that were learnt from."""
        days = request.days
        order_count, tenure = (column[data.owner] for column in self._orders(data.sample))
        correction = recalibrate(
            (order_count, tenure, recalibration.middles(days)[data.bins]),
            data.log_odds(booster),
            data.label,
            data.weight,
            float(np.median(request.train.gap[request.train.observed])),
            request.hosts,
        )
        at_risk = request.hosts.sum(np.bincount(data.bins, data.weight, len(days)))
        model = json.loads(booster.save_raw("json"))
        finished = json.dumps(with_vector_leaves(model, len(days))).encode()
        fitted = HazardModel(
            load_xgboost().Booster(model_file=bytearray(finished)),
            self.feature_names,
            {
                "days": days.tolist(),
                "start": start.content() if start else None,
                "start_mean": self._mean(start, data, request) if start else None,
                "recalibration": correction.content(),
                "at_risk": (at_risk / at_risk.sum()).tolist(),
            },
            bytes(booster.save_raw("ubj")),
        )
        return self.fitted(fitted, booster, data.rows, **({FROM_BG_NBD: 1.0} if start else {}))


def _is_better(
    begun: HazardRows, again: Any, check: HazardRows, booster: Any, hosts: Hosts
) -> bool:
    """Whether the log loss of trees with a start, `again`, is lower, gap by gap, beyond noise.

    begun  the validation's rows with the start, as `check` without
    """

    def losses(rows: HazardRows, grown: Any) -> Float:
        log_odds = rows.log_odds(grown)
        of_rows = rows.weight * (np.logaddexp(0, log_odds) - rows.label * log_odds)
        return np.bincount(rows.owner, of_rows, len(rows.sample)).astype(float)

    more = losses(begun, again) - losses(check, booster)
    total, squares, count = hosts.sum(np.array([more.sum(), (more**2).sum(), float(len(more))]))
    deviation = math.sqrt(max(squares - total**2 / count, 0.0))
    better = total < _BEYOND_NOISE * deviation
    log.info(
        "  trees that begin from half of BG/NBD: validation loss %+.2f standard errors, %s",
        total / deviation if deviation else 0.0,
        "taken" if better else "not taken",
    )
    return bool(better)


class RandomForestTrainer(HazardTrainer):
    """The same hazard by one round of `num_round` trees grown side by side."""

    @override
    def _tree_parameters(self) -> dict[str, object]:
        trees = self._parameters.num_round
        return super()._tree_parameters() | {"eta": 1, "num_parallel_tree": trees}

    @override
    def fit(self, request: FitRequest) -> Fitted:
        return super().fit(replace(request, validation=None, chosen={"rounds": 1}))


def hazard_rows(sample: Sample, days: Float) -> HazardRows:
    """A row for each time bin in which a gap was at risk of ending, labelled whether it ended.

    The matrix is the features and the bin's number. A bin that was observed only in part without
    an order weighs as much as was observed.
    """
    starts = np.concatenate([[0.0], days[:-1]])
    first = np.searchsorted(days, sample.left_truncation, side="right")
    last = np.minimum(np.searchsorted(days, sample.gap, side="left"), len(days) - 1)
    count = np.where(sample.gap > sample.left_truncation, np.maximum(last - first + 1, 0), 0)
    owner = np.repeat(np.arange(len(sample)), count)
    bins = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    matrix = np.empty((len(owner), sample.features.shape[1] + 1), np.float32)
    matrix[:, :-1] = sample.features[owner]
    matrix[:, -1] = bins
    ended = sample.observed[owner] & (bins == last[owner])
    start = np.maximum(sample.left_truncation[owner], starts[bins])
    exposure = np.minimum(sample.gap[owner], days[bins]) - start
    weight = np.where(ended, 1.0, exposure / (days - starts)[bins])
    return HazardRows(sample, owner, matrix, ended.astype(float), weight)
