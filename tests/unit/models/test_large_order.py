"""Probabilities of a large order never contradict one another, whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import features
from ordergap.contract.manifest import TaskSection
from ordergap.errors import AlgorithmError, ModelMismatch
from ordergap.histories import Histories
from ordergap.models.base import ForecastOptions, Snapshot
from ordergap.models.large_order import (
    FILE,
    MONOTONE,
    LargeOrderForecast,
    LargeOrderHead,
    exceedance_matrix,
)
from ordergap.models.next_order import NextOrderForecast, forecast
from ordergap.models.text import amount_text
from ordergap.survival.curve import Survival
from ordergap.trainers.large_order import exceedance_rows, fit, followed, positive_amounts

from tests.shop import shop

NAMES = features.names(calendar=False)
SHOP = shop(200)
LAST = features.compute(SHOP, NAMES, SHOP.last_row)
AMOUNTS = positive_amounts(SHOP)
COUNT = len(SHOP.customer_ids)


@pytest.fixture(scope="module")
def head() -> LargeOrderHead:
    rows = exceedance_rows(SHOP, NAMES, followed(SHOP), AMOUNTS)
    return LargeOrderHead(fit(rows, None, 60, 1), NAMES, [40.0, 80.0], (AMOUNTS[0], AMOUNTS[-1]))


def customers(elapsed: np.ndarray) -> Snapshot:
    last = SHOP.day[SHOP.last_row].astype(np.int64)
    return Snapshot(SHOP.customer_ids, last + elapsed, last, SHOP.order_count, SHOP.revenue)


def options(horizons: list[int], thresholds: list[float] | None = None) -> ForecastOptions:
    return ForecastOptions(horizons, 0.8, 365, large_thresholds=thresholds)


def ask(
    head: LargeOrderHead, survival: Survival, elapsed: np.ndarray, asked: ForecastOptions
) -> tuple[LargeOrderForecast, NextOrderForecast]:
    next_order = forecast(survival, customers(elapsed), asked, 0.8, {7: 0.1, 90: 0.5})
    return (
        head.forecast(customers(elapsed), LAST, asked, {"next_order": next_order}),
        next_order,
    )


@st.composite
def curves(draw: st.DrawFn) -> Survival:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    days = np.unique(random.integers(1, 400, draw(st.integers(2, 12)))).astype(float)
    if len(days) < 2:
        days = np.array([7.0, 90.0])
    steps = random.exponential(10.0 ** random.uniform(-3, 1), (COUNT, len(days)))
    steps *= random.random(steps.shape) < draw(st.sampled_from([0.3, 1.0]))
    return Survival(days, -steps.cumsum(axis=1))


@given(
    survival=curves(),
    seed=st.integers(0, 1000),
    horizons=st.lists(st.integers(1, 120), min_size=1, max_size=4, unique=True).map(sorted),
    thresholds=st.lists(
        st.floats(0.001, 1e6) | st.floats(20, 90), min_size=1, max_size=5, unique=True
    ),
)
@settings(max_examples=40, deadline=None)
def test_no_answer_contradicts_another(
    head: LargeOrderHead,
    survival: Survival,
    seed: int,
    horizons: list[int],
    thresholds: list[float],
) -> None:
    elapsed = np.random.default_rng(seed).integers(0, 300, COUNT)
    large, next_order = ask(head, survival, elapsed, options(horizons, thresholds))
    assert large.contradiction() is None
    answer: Any = large.columns()["large_order_probability"]
    buys: Any = next_order.columns()["buy_probability"]
    p = np.array([[answer[amount_text(t)][str(n)] for n in horizons] for t in sorted(thresholds)])
    of_any = np.array([buys[str(n)] for n in horizons])
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(np.diff(p, axis=1) >= 0)
    assert np.all(np.diff(p, axis=0) <= 0)
    assert np.all(p <= of_any)
    if min(thresholds) < head.amounts[0]:  # every order is larger
        assert np.allclose(p[0], of_any, atol=1.5e-6)


CURVE = Survival(
    np.array([10.0, 30, 90]),
    -np.random.default_rng(3).exponential(0.5, (COUNT, 3)).cumsum(axis=1),
)
WAITED = np.random.default_rng(4).integers(0, 60, COUNT)


def test_an_answer_depends_on_no_other_question(head: LargeOrderHead) -> None:
    together, _ = ask(head, CURVE, WAITED, options([7, 30, 90], [25.0, 60.0, 5000.0]))
    for threshold in (25.0, 60.0, 5000.0):
        for days in (7, 30, 90):
            alone, _ = ask(head, CURVE, WAITED, options([days], [threshold]))
            assert np.array_equal(
                alone.probability[threshold][days].round(6),
                together.probability[threshold][days].round(6),
            )


def test_beyond_all_amounts_the_probability_falls_towards_none(head: LargeOrderHead) -> None:
    top = AMOUNTS[-1]
    large, _ = ask(head, CURVE, WAITED, options([90], [top, 10 * top, 1e6 * top]))
    at, ten, million = (each[90] for each in large.probability.values())
    assert np.all(ten <= at)
    assert million.max() < 1e-4
    share = head.share(LAST, top)
    assert np.allclose(head.share(LAST, 10 * top) * 10, share, rtol=0.5)


def test_who_ordered_for_more_is_more_likely_to_order_for_more(head: LargeOrderHead) -> None:
    for column in ("amount", "amount_mean"):
        more = LAST.copy()
        more[:, NAMES.index(column)] *= 3
        matrix, larger = (exceedance_matrix(each, NAMES, 60.0) for each in (LAST, more))
        kept = larger.copy()
        kept[:, : len(NAMES)] = matrix[:, : len(NAMES)]
        p, q = (head.booster.inplace_predict(each) for each in (matrix, kept))
        assert np.all(q >= p)
        assert np.any(q > p)


def test_what_is_not_asked_is_not_computed(head: LargeOrderHead) -> None:
    nothing = head.forecast(customers(WAITED), LAST, options([30], []), {})
    assert nothing.columns() == {}
    assert nothing.contradiction() is None
    own, _ = ask(head, CURVE, WAITED, options([30, 400]))
    assert [*own.columns()["large_order_probability"]] == ["40", "80"]
    assert [*own.columns()["large_order_probability"]["40"]] == ["30"]  # type: ignore[call-overload]
    far, _ = ask(head, CURVE, WAITED, options([400]))
    assert far.columns() == {}


def test_unknown_amounts_have_no_answer(head: LargeOrderHead) -> None:
    asked, revenue = options([30], [60.0]), SHOP.revenue.copy()
    features = LAST.copy()
    revenue[3] = np.nan
    features[5, NAMES.index("amount_mean")] = features[7, NAMES.index("amount")] = np.nan
    some = replace(customers(WAITED), revenue=revenue)
    next_order = forecast(CURVE, some, asked, 0.8, {7: 0.1, 90: 0.5})
    large = head.forecast(some, features, asked, {"next_order": next_order})
    whole: Any = ask(head, CURVE, WAITED, asked)[0].columns()
    own: Any = large.columns()
    answered = own["large_order_probability"]["60"]["30"]
    assert large.contradiction() is None
    assert [i for i, each in enumerate(answered) if each is None] == [3, 5, 7]
    for i, each in enumerate(whole["large_order_probability"]["60"]["30"]):
        assert answered[i] in (each, None)


def test_a_contradiction_is_named() -> None:
    one, more = np.array([0.2]), np.array([0.3])
    for probability, words in (
        ({50.0: {7: more, 30: one}}, "falls with the days"),
        ({50.0: {7: one}, 60.0: {7: more}}, "rises with its amount"),
        ({50.0: {7: one + 0.5}}, "more probable than any order"),
    ):
        wrong = LargeOrderForecast(probability, {7: more, 30: more})
        assert words in (wrong.contradiction() or "")


def test_trees_that_give_no_numbers_are_refused(head: LargeOrderHead) -> None:
    class Odd:
        def inplace_predict(self, matrix: np.ndarray, **_: object) -> np.ndarray:
            return np.full(len(matrix), np.nan)

    odd = LargeOrderHead(Odd(), NAMES, [40.0], head.amounts)
    with pytest.raises(AlgorithmError, match="share of large orders"):
        ask(odd, CURVE, WAITED, options([30]))


def section(head: LargeOrderHead, **changed: object) -> TaskSection:
    return TaskSection(
        kind=head.kind,
        parameters={**head.parameters, **changed},
        feature_names=head.feature_names,
        files={},
    )


def test_what_was_saved_answers_the_same(head: LargeOrderHead) -> None:
    again = LargeOrderHead.load(head.files(), section(head))
    asked = options([7, 90], [30.0, 70.0])
    assert (
        ask(again, CURVE, WAITED, asked)[0].columns()
        == ask(head, CURVE, WAITED, asked)[0].columns()
    )
    assert again.parameters == head.parameters
    assert again.files() == head.files()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"thresholds": []}, "rising numbers"),
        ({"thresholds": [80.0, 40.0]}, "rising numbers"),
        ({"thresholds": [0.0]}, "rising numbers"),
        ({"amounts": [5.0, float("nan")]}, "rising numbers"),
        ({"amounts": [5.0]}, "not two amounts"),
    ],
)
def test_parameters_that_cannot_be_are_refused(
    head: LargeOrderHead, changed: dict[str, object], words: str
) -> None:
    with pytest.raises(ModelMismatch, match=words):
        LargeOrderHead.load(head.files(), section(head, **changed))


def test_a_manifest_without_what_it_needs_is_refused(head: LargeOrderHead) -> None:
    bare = section(head).model_copy(update={"parameters": {}})
    with pytest.raises(ModelMismatch, match="lacks the parameter 'thresholds'"):
        LargeOrderHead.load(head.files(), bare)
    fewer = section(head).model_copy(update={"feature_names": ("order_count",)})
    with pytest.raises(ModelMismatch, match="lack the feature"):
        LargeOrderHead.load(head.files(), fewer)
    with pytest.raises(ModelMismatch, match=FILE):
        LargeOrderHead.load({FILE: b"no trees"}, section(head))


@given(st.floats(1e-6, 1e12))
def test_an_amount_as_text_is_that_amount(amount: float) -> None:
    text = amount_text(amount)
    assert float(text) == amount
    assert "e" not in text.lower()
    assert not ("." in text and text.endswith(("0", ".")))


def test_rows_are_the_definition() -> None:
    history = Histories.from_orders(
        ["a", "b", "c"],
        np.array([0, 0, 0, 1, 2, 2]),
        np.array([0, 5, 9, 3, 1, 4], np.int32),
        np.array([10.0, 20, np.nan, 5, 0, 40]),
    )
    assert followed(history).tolist() == [0, 4]
    amounts = positive_amounts(history)
    assert amounts.tolist() == [5, 10, 20, 40]
    rows = exceedance_rows(history, NAMES, followed(history), amounts)
    threshold = np.exp(rows.matrix[:, -1])
    assert rows.label is not None
    assert rows.label.tolist() == (np.tile([20.0, 40.0], 4) > threshold).tolist()
    log_last = rows.matrix[:, -2] + rows.matrix[:, -1]
    assert np.allclose(log_last, np.tile(np.log([10, 0.01]), 4), atol=1e-5)
    assert rows.matrix.shape[1] == len(NAMES) + len(MONOTONE)
    assert np.all(np.diff(threshold.reshape(4, 2), axis=0) > 0)
