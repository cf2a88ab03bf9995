"""Fits the discrete-time hazard: trees, what they begin from, and their recalibration.

See docs/decisions/trainers.md#the-hazard-trainer-keeps-its-simple-defaults and
docs/decisions/trainers.md#trees-may-begin-from-half-of-bgnbd.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import JsonValue
from typing_extensions import override

from ordergap.errors import AlgorithmError
from ordergap.hosts import Hosts
from ordergap.models import bg_nbd, recalibration
from ordergap.models.xgboost import HazardModel, load_xgboost
from ordergap.trainers.base import FitRequest, Fitted, Float, Sample
from ordergap.trainers.hazard_rows import HazardRows, are_many
from ordergap.trainers.recalibration import recalibrate
from ordergap.trainers.rounds import shifted_log_loss
from ordergap.trainers.rows import blocks
from ordergap.trainers.vector_leaves import with_vector_leaves
from ordergap.trainers.xgboost import Boosting

log = logging.getLogger("ordergap")

FROM_BG_NBD = "from BG/NBD"
_BEYOND_NOISE = -2.0  # standard errors by which the validation loss must be lower
_HALF = 0.5  # rows: the least that count for or against an order where none does


class HazardTrainer(Boosting):
    """Discrete-time hazard: a logistic regression of trees on order x time-bin rows."""

    @override
    def fit(self, request: FitRequest) -> Fitted:
        part, days, validation = request.hosts.part, request.days, request.validation
        many = are_many(request.train, days)
        data = HazardRows(request.train[part], days, drawn=many)
        start = None
        if request.chosen or not validation:
            if request.chosen and request.chosen.get(FROM_BG_NBD):
                start = self._half_of_bg_nbd(data, request)
                data = self._from(start, data)
            return self._finished(self._grown(data, None, request), start, data, request)
        check = HazardRows(validation[part], days)
        booster = self._grown(data, check, request)
        half = None if request.stopping() else self._half_of_bg_nbd(data, request)
        if half:
            begun, later = (self._from(half, each) for each in (data, check))
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
        rows = data.columns()
        sums = np.array([(rows.weight * rows.label).sum(), rows.weight.sum()])
        ended, weights = request.hosts.sum(sums)
        level = math.log(max(ended, _HALF) / max(weights - ended, _HALF))
        return bg_nbd.Start(model, level)

    def _orders(self, sample: Sample) -> tuple[Float, Float]:
        return recalibration.orders(self.feature_names, sample.features)

    def _from(self, start: bg_nbd.Start | None, data: HazardRows) -> HazardRows:
        """The rows whose trees add to the `start`, if there is one."""
        if start is None:
            return data
        return replace(data, start=lambda sample: start(*self._orders(sample), data.days))

    def _mean(self, start: bg_nbd.Start, data: HazardRows, request: FitRequest) -> JsonValue:
        """(m,) the start's log odds, of the mean gap of all hosts."""
        sums = np.zeros(len(data.days))
        for part in blocks(len(data)):
            log_odds = start(*self._orders(data.sample[part]), data.days)
            sums = np.vstack([sums, log_odds]).sum(axis=0)
        *total, count = request.hosts.sum(np.append(sums, len(data.sample))).tolist()
        return [each / count for each in total]

    def _grown(self, data: HazardRows, check: HazardRows | None, request: FitRequest) -> Any:
        """The trees, which add to what the rows begin from."""
        objective: dict[str, object] = {"objective": "binary:logistic", "eval_metric": "logloss"}
        if data.start:
            request = request.part(FROM_BG_NBD)  # no checkpoint of trees with another start fits
            objective["base_score"] = 0.5  # log odds of 0: the start has the level
        booster, _ = self.boost(
            objective,
            data,
            check,
            request.rounds,
            request,
            shifted_log_loss(load_xgboost(), request.hosts),
        )
        return booster

    def _finished(
        self, booster: Any, start: bg_nbd.Start | None, data: HazardRows, request: FitRequest
    ) -> Fitted:
        """The model: vector leaves, and the recalibration on the rows that were learnt from."""
        days, columns = request.days, data.columns()
        order_count, tenure = self._orders(data.sample)
        middle = recalibration.middles(days)

        def rows(some: slice) -> tuple[Float, Float, Float]:
            owner = columns.owner[some]
            return order_count[owner], tenure[owner], middle[columns.bins[some]]

        correction = recalibrate(
            rows,
            data.log_odds(booster),
            columns.label,
            columns.weight,
            float(np.median(request.train.gap[request.train.observed])),
            request.hosts,
        )
        at_risk = request.hosts.sum(np.bincount(columns.bins, columns.weight, len(days)))
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
        return self.fitted(fitted, booster, data, **({FROM_BG_NBD: 1.0} if start else {}))


def _is_better(
    begun: HazardRows, again: Any, check: HazardRows, booster: Any, hosts: Hosts
) -> bool:
    """Whether the log loss of trees with a start, `again`, is lower, gap by gap, beyond noise.

    begun  the validation's rows with the start, as `check` without
    """
    more = begun.losses(again) - check.losses(booster)
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
