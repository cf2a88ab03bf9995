"""Orders and value never contradict one another, whatever the curves, customers and horizons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import features
from ordergap.contract.manifest import TaskSection
from ordergap.errors import AlgorithmError, ModelMismatch
from ordergap.models import trial
from ordergap.models.base import ForecastOptions, Snapshot
from ordergap.models.forecasts import Forecasts
from ordergap.models.gamma_gamma import GammaGamma
from ordergap.models.next_order import NextOrderForecast, forecast
from ordergap.models.value import FILE, LEVELS, ValueForecast, ValueHead
from ordergap.survival.curve import Survival
from ordergap.trainers.value import ValueRows, fit_factor, quantiles

from tests.shop import shop

NAMES = features.names(calendar=False)
SHOP = shop(60)
COUNT = len(SHOP.customer_ids)
LAST = features.compute(SHOP, NAMES, SHOP.last_row)
AMOUNTS = GammaGamma(2.5, 3.3, 40.0)
HORIZONS = st.lists(st.integers(1, 365), min_size=1, max_size=4, unique=True)


def made_up_rows(seed: int = 0) -> ValueRows:
    """Customers of whom those with an even number of orders bring three times what is expected."""
    random = np.random.default_rng(seed)
    orders, amount = random.uniform(0.1, 3, COUNT), random.uniform(10, 90, COUNT)
    times = np.where(SHOP.order_count % 2 == 0, 3.0, 0.3)
    came_orders = random.poisson(orders)
    return ValueRows(
        np.arange(COUNT), LAST, SHOP.order_count, orders, 1 - np.exp(-orders), amount,
        times * amount * came_orders, came_orders.astype(float),
    )  # fmt: skip


def head(seed: int = 0) -> ValueHead:
    rows = made_up_rows(seed)
    table = quantiles(rows, rows.orders * rows.amount)
    return ValueHead(fit_factor(rows, 1.5, seed), NAMES, AMOUNTS, table)


HEAD = head()


def customers(elapsed: np.ndarray, known: bool = True) -> Snapshot:
    last = SHOP.day[SHOP.last_row].astype(np.int64)
    revenue = SHOP.revenue if known else np.where(np.arange(COUNT) % 2, SHOP.revenue, np.nan)
    return Snapshot(SHOP.customer_ids, last + elapsed, last, SHOP.order_count, revenue)


def ask(
    survival: Survival,
    snapshot: Snapshot,
    horizons: list[int],
    level: float = 0.8,
    by: ValueHead = HEAD,
) -> tuple[ValueForecast, NextOrderForecast]:
    options = ForecastOptions(sorted(horizons), level, 365, value_horizons=horizons)
    next_order = forecast(survival, snapshot, options, level, {7: 0.1, 90: 0.5})
    return by.forecast(snapshot, LAST, options, {"next_order": next_order}), next_order


def made_up_curves(seed: int, flat: float = 0.3) -> Survival:
    random = np.random.default_rng(seed)
    days = np.unique([*random.integers(1, 400, random.integers(1, 12)), 500]).astype(float)
    steps = random.exponential(10.0 ** random.uniform(-3, 1), (COUNT, len(days)))
    steps *= random.random(steps.shape) < flat
    return Survival(days, -steps.cumsum(axis=1))


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60)
@given(seeds, seeds, HORIZONS, st.floats(0.01, 0.99), st.sampled_from([0.3, 1.0]), st.booleans())
def test_no_answer_contradicts_another(
    seed: int, waiting: int, horizons: list[int], level: float, flat: float, known: bool
) -> None:
    elapsed = np.random.default_rng(waiting).integers(0, 600, COUNT)
    snapshot = customers(elapsed, known)
    answer, next_order = ask(made_up_curves(seed, flat), snapshot, horizons, level)
    columns: dict[str, Any] = answer.columns()
    buys: dict[str, Any] = next_order.columns()["buy_probability"]  # type: ignore[assignment]
    amount = np.array(columns["expected_order_amount"], float)
    assert np.array_equal(np.isnan(amount), np.isnan(snapshot.revenue))
    paid = ~np.isnan(amount)
    before: dict[str, np.ndarray] = {}
    for days in map(str, sorted(horizons)):
        orders = np.array(columns["expected_orders"][days])
        assert np.all(orders >= np.array(buys[days]))
        value, low, high = (
            np.array(columns[field][days], float)
            for field in ("expected_value", "value_low", "value_high")
        )
        for each in (value, low, high):
            assert np.array_equal(np.isnan(each), ~paid)
            assert np.array_equal(each[paid], np.round(each[paid], 2))
        assert np.all(low[paid] >= 0)
        assert np.all(low[paid] <= value[paid])
        assert np.all(value[paid] <= high[paid])
        slack = 0.006 + 0.006 * orders + 1e-6 * amount
        assert np.all(np.abs(value - orders * amount)[paid] <= slack[paid])
        for name, each in (("orders", orders), ("value", value)):
            assert np.all((each >= before.get(name, 0.0))[paid])
            before[name] = each
    assert answer.contradiction() is None


@settings(max_examples=25)
@given(seeds, HORIZONS)
def test_an_answer_depends_on_no_other_customer_and_on_no_other_horizon(
    seed: int, horizons: list[int]
) -> None:
    random = np.random.default_rng(seed)
    survival, elapsed = made_up_curves(seed), random.integers(0, 300, COUNT)
    snapshot, first = customers(elapsed), horizons[0]
    together, _ = ask(survival, snapshot, horizons)
    alone, _ = ask(survival, snapshot, [first])
    some = np.sort(random.permutation(COUNT)[:3])
    options = ForecastOptions([first], 0.8, 365, value_horizons=[first])
    few = Snapshot(
        [SHOP.customer_ids[i] for i in some],
        snapshot.as_of[some], snapshot.last_day[some], snapshot.order_count[some],
        snapshot.revenue[some],
    )  # fmt: skip
    curves = Survival(survival.days, survival.log_s[some])
    next_order = forecast(curves, few, options, 0.8, {7: 0.1, 90: 0.5})
    three = HEAD.forecast(few, LAST[some], options, {"next_order": next_order})
    for field in ("orders", "value", "low", "high"):
        values = getattr(together, field)[first]
        assert getattr(alone, field)[first] == pytest.approx(values, rel=1e-9)
        assert getattr(three, field)[first] == pytest.approx(values[some], rel=1e-9)


def test_the_factor_multiplies_orders_and_stops_at_the_probability_of_one() -> None:
    survival = Survival(np.array([10.0, 100.0]), np.tile([-0.5, -2.0], (COUNT, 1)))
    snapshot = customers(np.zeros(COUNT, np.int64))
    plain, next_order = ask(survival, snapshot, [60], by=without_trees())
    answer, _ = ask(survival, snapshot, [60])
    times = HEAD.factor(LAST)
    assert times.min() < 0.9
    assert times.max() > 1.1
    expected = np.maximum(plain.orders[60] * times, next_order.probability[60])
    assert answer.orders[60] == pytest.approx(expected)
    assert answer.value[60] == pytest.approx(expected * answer.amount)


def without_trees() -> ValueHead:
    return ValueHead(None, NAMES, AMOUNTS, HEAD.quantiles)


def test_the_interval_is_of_a_share_that_spends_nothing_and_a_table_of_buyers() -> None:
    table = np.tile(2 * LEVELS, (3, 1))  # who buys spends anything from 0 to 2 expected values
    by = ValueHead(None, NAMES, AMOUNTS, table)
    value, buys = np.array([[30.0]]), np.array([[0.6]])
    draws = np.random.default_rng(0)
    spends = np.where(draws.random(10**6) < 0.6, draws.uniform(0, 2 * 50, 10**6), 0.0)
    for level in (0.8, 0.5, 0.95):
        low, high = by.interval(value, buys, np.array([3]), level)
        tail = (1 - level) / 2
        assert low[0, 0] == pytest.approx(min(np.quantile(spends, tail), 30), abs=0.5)
        assert high[0, 0] == pytest.approx(max(np.quantile(spends, 1 - tail), 30), abs=0.5)
    low, high = by.interval(value, np.array([[0.05]]), np.array([3]), 0.8)
    assert (low[0, 0], high[0, 0]) == (0.0, 30.0)  # the ninth decile is 0, and less than expected


def test_each_group_of_customers_has_quantiles_of_its_own() -> None:
    table = np.array([1.0, 2.0, 3.0])[:, None] * np.ones(len(LEVELS))
    by = ValueHead(None, NAMES, AMOUNTS, table)
    value, buys = np.full((1, 5), 10.0), np.full((1, 5), 1.0)
    _, high = by.interval(value, buys, np.array([1, 2, 4, 5, 90]), 0.8)
    assert high[0].tolist() == [10.0, 20.0, 20.0, 30.0, 30.0]


def test_what_is_not_asked_is_not_there() -> None:
    options = ForecastOptions([30], 0.8, 365)
    answer = HEAD.forecast(customers(np.zeros(COUNT, np.int64)), LAST, options, {})
    assert answer.columns() == {}
    assert answer.contradiction() is None


def section(by: ValueHead = HEAD) -> TaskSection:
    return TaskSection(
        kind=by.kind, parameters=by.parameters, feature_names=by.feature_names, files={}
    )


@pytest.mark.parametrize("by", [HEAD, without_trees()], ids=["trees", "no trees"])
def test_what_is_saved_is_what_is_loaded(by: ValueHead) -> None:
    again = ValueHead.load(by.files(), section(by))
    assert again.files() == by.files()
    assert again.parameters == by.parameters
    assert np.array_equal(again.factor(LAST), by.factor(LAST))


def falling(parameters: dict[str, Any]) -> None:
    parameters["quantiles"] = np.array(parameters["quantiles"])[:, ::-1].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.pop("quantiles"), "lacks the parameter 'quantiles'"),
        (lambda p: p.update(gamma_gamma={"p": 1.0, "v": 2.0}), "lacks the parameter 'q'"),
        (lambda p: p.update(gamma_gamma={"p": 1.0, "q": 1.0, "v": 2.0}), "out of their range"),
        (lambda p: p.update(gamma_gamma={"p": 1.0, "q": float("nan"), "v": 2}), "out of their"),
        (lambda p: p.update(quantiles=[[1.0]]), "not (3, 101) numbers"),
        (lambda p: p["quantiles"][0].__setitem__(3, float("inf")), "not (3, 101) numbers"),
        (falling, "do not rise from 0"),
    ],
)
def test_a_damaged_model_is_refused(change: Callable[[dict[str, Any]], None], message: str) -> None:
    parameters = {name: value for name, value in HEAD.parameters.items()}  # noqa: C416
    parameters["quantiles"] = [[*row] for row in HEAD.quantiles.tolist()]
    change(parameters)
    changed = TaskSection.model_construct(
        kind="factor", parameters=parameters, feature_names=NAMES, files={}
    )
    with pytest.raises(ModelMismatch) as error:
        ValueHead.load(HEAD.files(), changed)
    assert message in str(error.value)


def test_a_factor_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ValueHead, "factor", lambda _, rows: np.full(len(rows), np.inf))
    with pytest.raises(AlgorithmError, match="not a number"):
        ask(made_up_curves(1), customers(np.zeros(COUNT, np.int64)), [30])


def test_bytes_that_are_no_trees_are_refused() -> None:
    with pytest.raises(ModelMismatch, match=r"factor\.ubj"):
        ValueHead.load({FILE: b"{"}, section())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: replace(f, value={**f.value, 60: f.value[60] * 0}), "fall with the days"),
        (lambda f: replace(f, orders={**f.orders, 60: f.orders[30] - 1}), "fall with the days"),
        (lambda f: replace(f, buys={**f.buys, 30: f.orders[30] + 1}), "fewer orders"),
        (lambda f: replace(f, low={**f.low, 30: f.value[30] + 1}), "outside its interval"),
        (lambda f: replace(f, high={**f.high, 30: f.value[30] - 1}), "outside its interval"),
        (lambda f: replace(f, low={**f.low, 30: f.low[30] - 999}), "outside its interval"),
    ],
)
def test_the_trial_refuses_answers_that_contradict(
    change: Callable[[ValueForecast], ValueForecast], message: str
) -> None:
    snapshot = customers(np.zeros(COUNT, np.int64))
    answer, _ = ask(made_up_curves(3, 1.0), snapshot, [30, 60])
    trial.check(Forecasts(snapshot, {"value": answer}, "", 0, 1))
    with pytest.raises(AlgorithmError, match=message):
        trial.check(Forecasts(snapshot, {"value": change(answer)}, "", 0, 1))
