"""What a shop expects of large orders without the thinned curve: rules, textbooks, the field's own.

Each sees the orders until the end of a day alone and answers for every customer of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.contract.metrics import BG_NBD
from ordergap.errors import AlgorithmError
from ordergap.evaluation.baselines import learnt
from ordergap.evaluation.large import Question
from ordergap.histories import Histories
from ordergap.models import gamma_gamma
from ordergap.models.xgboost import load_xgboost
from ordergap.survival.renewal import kind_probability
from ordergap.survival.targets import order_gaps

log = logging.getLogger("ordergap")

Float = NDArray[np.float64]
Answers = Mapping[Question, Float]
SHARE, BG_NBD_GG = "share of large orders", f"{BG_NBD} and Gamma-Gamma"
DIRECT, FOREST = "direct classifier", "random forest on attributes"
_PRIOR = (0.2, 2.0)  # large orders of so many, before the customer's own are counted
_LEAST = 20  # customers with and without a large order that something is learnt from


def large_orders(histories: Histories, question: Question, after: int) -> NDArray[np.bool_]:
    """(c,) whether each customer made such an order in the days after the end of day `after`."""
    within = (histories.day > after) & (histories.day <= after + question.days)
    rows = within & (histories.amount > question.threshold)
    return np.bincount(histories.customer[rows], minlength=len(histories.customer_ids)) > 0


def answers(
    past: Histories,
    as_of: int,
    buys: Mapping[int, Float],
    questions: Sequence[Question],
    seed: int,
) -> dict[str, Answers]:
    """Baseline -> question -> (c,) probability; a baseline without a fit is left out.

    buys  days ahead -> (c,) the model's own probability of an order

    Classifiers are made for the first question alone: each amount and horizon needs one.
    """
    found: dict[str, Answers] = {SHARE: share_of_large(past, buys, questions)}
    if field := bg_nbd_gamma_gamma(past, as_of, questions):
        found[BG_NBD_GG] = field
    waited = (as_of - past.day[past.last_row])[:, None]
    names = features.names(calendar=False)
    own = np.column_stack([features.compute(past, names, past.last_row), waited])
    day = as_of - questions[0].days
    known = past.day[past.offsets[:-1]] <= day
    if known.any():
        then = past.until(day)
        before = np.column_stack([
            features.compute(then, names, then.last_row), (day - then.day[then.last_row])[:, None]
        ])  # fmt: skip
        came = large_orders(past, questions[0], day)[known]
        trees = {"eta": 0.1, "max_depth": 4, "min_child_weight": 5}
        if (p := _classified(before, came, own, trees, 50, seed)) is not None:
            found[DIRECT] = {questions[0]: p}
        forest = {
            "eta": 1, "max_depth": 8, "num_parallel_tree": 200, "subsample": 0.632,
            "colsample_bynode": 0.6,
        }  # fmt: skip
        facts, facts_then = _attributes(past, as_of), _attributes(past, day)
        if facts is not None and facts_then is not None:
            p = _classified(facts_then[known], came, facts, forest, 1, seed)
            if p is not None:
                found[FOREST] = {questions[0]: p}
    return found


def share_of_large(
    past: Histories, buys: Mapping[int, Float], questions: Sequence[Question]
) -> Answers:
    """The share of the customer's orders that were large, times the probability of an order."""
    more, of = _PRIOR
    found = {}
    for question in questions:
        rows = past.amount > question.threshold
        large = np.bincount(past.customer[rows], minlength=len(past.customer_ids))
        found[question] = (large + more) / (past.order_count + of) * buys[question.days]
    return found


def bg_nbd_gamma_gamma(
    past: Histories, as_of: int, questions: Sequence[Question]
) -> Answers | None:
    """BG/NBD's curve thinned by Gamma-Gamma's share of amounts; None where there is no fit."""
    gaps = order_gaps(past, as_of)
    curve = learnt([BG_NBD], past, gaps, as_of).get(BG_NBD)
    count = past.order_count.astype(float)
    known = ~np.isnan(past.revenue)
    mean = np.where(known, past.revenue, 0.0) / count
    repeated = known & (count > 1)
    try:
        amounts = gamma_gamma.fit(count[repeated], mean[repeated])
    except (AlgorithmError, ValueError) as error:
        log.info("  the baseline %s is left out: %s", BG_NBD_GG, error)
        return None
    if curve is None:
        return None
    last = np.zeros(len(past), bool)
    last[past.last_row] = True
    waits = gaps[last]
    survival = curve.survival(past, waits)
    count = np.where(known, count, 0.0)
    return {
        each: kind_probability(
            survival, waits.gap, [each.days], _share_above(amounts, count, mean, each.threshold)
        )[0]
        for each in questions
    }


def _share_above(
    model: gamma_gamma.GammaGamma, order_count: Float, mean_amount: Float, threshold: float
) -> Float:
    """(n,) P(an order is above the threshold | orders so far), whose law is beta prime.

    Given nu an amount is Gamma(p, nu); nu given x orders of mean m is Gamma(q + p x, v + x m).
    """
    from scipy.special import betainc  # noqa: PLC0415 - slow to import

    rate = model.v + order_count * mean_amount
    share = rate / (rate + threshold)
    return np.asarray(betainc(model.q + model.p * order_count, model.p, share))


def _classified(
    before: NDArray[np.floating],
    came: NDArray[np.bool_],
    now: NDArray[np.floating],
    trees: Mapping[str, object],
    rounds: int,
    seed: int,
) -> Float | None:
    """(n,) probability of those `now`, by trees that learnt from those `before` who `came`."""
    if min(np.count_nonzero(came), np.count_nonzero(~came)) < _LEAST:
        return None
    xgb = load_xgboost()
    parameters = {"objective": "binary:logistic", "tree_method": "hist", "seed": seed, **trees}
    booster = xgb.train(parameters, xgb.DMatrix(before, came.astype(float)), rounds)
    return np.asarray(booster.predict(xgb.DMatrix(now)), float)


def _attributes(histories: Histories, as_of: int) -> Float | None:
    """(c, k) what is known on a day of customers besides orders, texts as codes; None: nothing."""
    if histories.attributes is None:
        return None
    table, rows = histories.attributes.table, histories.attributes.rows_on(as_of)
    codes = (np.where(column < 0, np.nan, column) for column in table.codes.values())
    columns = [*table.numbers.values(), *codes]
    return np.column_stack([np.where(rows >= 0, each[rows], np.nan) for each in columns])
