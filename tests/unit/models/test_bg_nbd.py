"""BG/NBD against integrals over its own story, published estimates, Lifetimes and simulations."""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap import ingest
from ordergap.contract.orders import Columns
from ordergap.models.bg_nbd import BgNbd, fit
from scipy import stats

Customers = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

RETAIL = Path(__file__).parents[4] / "shared" / "data" / "online_retail.csv.gz"
PUBLISHED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie & Lee 2005, weeks

parameter = st.floats(0.1, 20)
models = st.builds(BgNbd, r=parameter, alpha=parameter, a=parameter, b=parameter)


@st.composite
def customers(draw: st.DrawFn) -> Customers:
    frequency = np.array(draw(st.lists(st.integers(0, 30), min_size=1, max_size=5)), float)
    share = st.floats(0.02, 1)
    recency = [draw(share) * 50 if x else 0.0 for x in frequency]
    age = [t + draw(st.floats(0, 50)) for t in recency]
    return frequency, np.array(recency), np.array(age)


def one(frequency: float, recency: float, age: float) -> Customers:
    return np.array([frequency], float), np.array([recency], float), np.array([age], float)


def probability_of_history(
    model: BgNbd, frequency: float, recency: float, age: float, days: float = 0
) -> float:
    """P(this history, and no order for `days` more): the average over rates and coins."""
    rate = stats.gamma(model.r, scale=1 / model.alpha)
    coin = stats.beta(model.a, model.b)
    x = int(frequency)
    stayed = float(coin.expect(lambda p: (1 - p) ** x))
    silent = float(rate.expect(lambda rate: rate**x * np.exp(-rate * (age + days))))
    if x == 0:
        return stayed * silent
    left = float(coin.expect(lambda p: p * (1 - p) ** (x - 1)))
    return stayed * silent + left * float(
        rate.expect(lambda rate: rate**x * np.exp(-rate * recency))
    )


def alive(model: BgNbd, known: Customers) -> NDArray[np.float64]:
    """P(a further order, ever), which only who has left never makes."""
    return 1 - np.exp(model.log_survival(*known, np.array([1e300])))[:, 0]


def published_alive(
    model: BgNbd, frequency: NDArray[np.float64], recency: NDArray[np.float64],
    age: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Fader, Hardie & Lee 2008, Computing P(alive) using the BG/NBD model."""
    odds = model.a / (model.b + np.maximum(frequency - 1, 0))
    odds *= ((model.alpha + age) / (model.alpha + recency)) ** (model.r + frequency)
    return np.where(frequency > 0, 1 / (1 + odds), 1.0)


def sample_of_cdnow() -> Customers:
    """Repeat orders, recency and age in weeks after 39 weeks of the published tenth."""
    file = lifetimes_folder() / "datasets" / "CDNOW_sample.txt"
    end = datetime.date(1997, 9, 30)
    days: dict[str, set[int]] = {}
    for _, customer, date, *_ in (line.split() for line in file.read_text().splitlines()):
        day = datetime.date.fromisoformat(date)
        if day <= end:
            days.setdefault(customer, set()).add(day.toordinal())
    each = [(len(d) - 1, max(d) - min(d), end.toordinal() - min(d)) for d in days.values()]
    frequency, recency, age = np.array(each, float).T
    return frequency, recency / 7, age / 7


def lifetimes_folder() -> Path:
    spec = importlib.util.find_spec("lifetimes")
    if spec is None or spec.origin is None:
        pytest.skip("Lifetimes, which carries CDNOW, is not installed")
    return Path(spec.origin).parent


def simulated(model: BgNbd, n: int, age: float, seed: int) -> Customers:
    """Histories told one order after the other."""
    random = np.random.default_rng(seed)
    rate = random.gamma(model.r, 1 / model.alpha, n)
    leaves = random.beta(model.a, model.b, n)
    frequency, recency = np.zeros(n), np.zeros(n)
    alive = np.full(n, fill_value=True)
    while alive.any():
        next_order = recency + random.exponential(1, n) / rate
        alive &= next_order <= age
        recency[alive] = next_order[alive]
        frequency[alive] += 1
        alive &= random.random(n) >= leaves
    return frequency, recency, np.full(n, age)


@pytest.mark.parametrize("frequency", [0, 1, 2, 7])
def test_the_likelihood_is_the_average_over_rates_and_coins(frequency: int) -> None:
    model, recency, age = BgNbd(1.3, 6.0, 1.4, 2.5), 5.0 if frequency else 0.0, 9.0
    known = one(frequency, recency, age)
    expected = probability_of_history(model, frequency, recency, age)
    assert np.exp(model.log_likelihood(*known)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("frequency", [0, 1, 2, 7])
def test_no_order_for_some_days_is_the_history_going_on_without_one(frequency: int) -> None:
    model, recency, age = BgNbd(1.3, 6.0, 1.4, 2.5), 5.0 if frequency else 0.0, 9.0
    known = one(frequency, recency, age)
    days = np.array([0.5, 4.0, 30.0])
    history = probability_of_history(model, frequency, recency, age)
    longer = [probability_of_history(model, frequency, recency, age, t) for t in days]
    survival = np.exp(model.log_survival(*known, days))[0]
    assert survival == pytest.approx(np.array(longer) / history, rel=1e-5)


@given(models, customers(), st.floats(0.1, 100))
def test_silence_since_an_order_says_what_the_curve_at_the_order_said(
    model: BgNbd, known: Customers, days: float
) -> None:
    frequency, recency, age = known
    for x, last, today in zip(frequency, recency, age, strict=True):
        waited = np.array([today - last, today - last + days])
        first, then = model.log_survival(*one(x, last, last), waited)[0]
        now = model.log_survival(*one(x, last, today), np.array([days]))[0, 0]
        assert now == pytest.approx(then - first, abs=1e-8)


@given(models, customers())
def test_survival_starts_below_1_and_never_rises(model: BgNbd, known: Customers) -> None:
    log_s = model.log_survival(*known, np.geomspace(1e-3, 1e6, 50))
    assert (log_s <= 0).all()
    assert (np.diff(log_s) <= 0).all()


@given(models, customers())
def test_who_has_left_never_orders(model: BgNbd, known: Customers) -> None:
    assert alive(model, known) == pytest.approx(published_alive(model, *known), abs=1e-9)


@given(models, customers())
def test_the_gradient_is_the_likelihoods_slope(model: BgNbd, known: Customers) -> None:
    parameters = np.array([model.r, model.alpha, model.a, model.b])
    for which, slope in zip(np.eye(4), model.gradient(*known), strict=True):
        step = 1e-5 * which * parameters
        up, down = (
            BgNbd(*each).log_likelihood(*known) for each in (parameters + step, parameters - step)
        )
        assert slope == pytest.approx((up - down) / (2 * step.sum()), rel=1e-3, abs=1e-4)


def test_cdnow_gives_the_published_estimates() -> None:
    known = sample_of_cdnow()
    assert len(known[0]) == 2357
    model = fit(*known, penalty=0)
    found = [round(value, 3) for value in (model.r, model.alpha, model.a, model.b)]
    assert found == [PUBLISHED.r, PUBLISHED.alpha, PUBLISHED.a, PUBLISHED.b]
    assert model.log_likelihood(*known).sum() == pytest.approx(-9582.4, abs=0.05)


def test_the_default_penalty_hardly_moves_the_published_estimates() -> None:
    model = fit(*sample_of_cdnow())
    for name, value in vars(PUBLISHED).items():
        assert getattr(model, name) == pytest.approx(value, rel=0.002)


def test_it_agrees_with_lifetimes() -> None:
    lifetimes_folder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter = importlib.import_module("lifetimes").BetaGeoFitter()
    known = sample_of_cdnow()
    fitter.params_ = vars(PUBLISHED)
    expected = fitter.conditional_probability_alive(*known)
    assert alive(PUBLISHED, known) == pytest.approx(expected, abs=1e-9)
    orders = fitter.conditional_expected_number_of_purchases_up_to_time(13.0, *known)
    assert PUBLISHED.expected_orders(*known, 13.0) == pytest.approx(orders, rel=1e-9)
    log_parameters = np.log(list(vars(PUBLISHED).values()))
    mean = -fitter._negative_log_likelihood(log_parameters, *known, np.ones(len(known[0])), 0)
    assert PUBLISHED.log_likelihood(*known).mean() == pytest.approx(mean, abs=1e-9)


def test_simulated_customers_give_their_parameters_back() -> None:
    truth = BgNbd(r=0.8, alpha=20.0, a=0.7, b=2.0)
    found = fit(*simulated(truth, n=20_000, age=300, seed=4))
    for name, value in vars(truth).items():
        assert getattr(found, name) == pytest.approx(value, rel=0.1)


@settings(max_examples=20)
@given(customers())
def test_any_customers_have_a_finite_fit(known: Customers) -> None:
    model = fit(*known)
    assert np.isfinite(model.log_likelihood(*known)).all()


@pytest.mark.parametrize("seed", [91, 291, 478])
def test_a_search_that_rounding_ends_early_has_found_the_top(seed: int) -> None:
    random = np.random.default_rng(seed)
    age = random.integers(1, 700, 3000).astype(float)
    frequency = random.poisson(8, 3000).astype(float)
    recency = np.where(frequency > 0, np.round(age * random.beta(2, 1, 3000)), 0)
    model = fit(frequency, recency, age)
    by_r, by_alpha = model.gradient(frequency, recency, age).mean(axis=1)[:2]
    assert (by_r * model.r, by_alpha * model.alpha) == pytest.approx((0, 0), abs=1e-3)


@pytest.mark.parametrize("unit", [1e-3, 7.0, 86_400.0])
def test_the_unit_of_time_only_scales_alpha(unit: float) -> None:
    frequency, recency, age = simulated(BgNbd(0.8, 20.0, 0.7, 2.0), n=2000, age=300, seed=1)
    days, scaled = fit(frequency, recency, age), fit(frequency, recency * unit, age * unit)
    assert scaled.alpha / unit == pytest.approx(days.alpha, rel=1e-3)
    assert (scaled.r, scaled.a, scaled.b) == pytest.approx((days.r, days.a, days.b), rel=1e-3)


@pytest.mark.parametrize(
    "known", [(1, 5, 4), (-1, 0, 4), (1, -1, 4), (1, np.nan, 4), (np.nan, 1, 4), (1, 1, np.nan)]
)
def test_impossible_customers_are_refused(known: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="0 <= recency <= age"):
        fit(*one(*known))


def test_nobody_to_learn_from_is_refused() -> None:
    with pytest.raises(ValueError, match="give customers"):
        fit(np.empty(0), np.empty(0), np.empty(0))


@pytest.mark.skipif(not RETAIL.exists(), reason="the Online Retail file is not there")
def test_online_retail_where_hardly_anybody_leaves_is_fitted() -> None:
    histories = ingest.read(RETAIL, Columns()).histories
    first, last = histories.day[histories.offsets[:-1]], histories.day[histories.last_row]
    age = (histories.day.max() - first).astype(float)
    model = fit((histories.order_count - 1).astype(float), (last - first).astype(float), age)
    assert model.a / (model.a + model.b) < 0.05


def test_expected_orders_are_those_of_histories_that_go_on() -> None:
    model, age, days = BgNbd(1.3, 6.0, 0.8, 2.5), 9.0, 12.0
    known = simulated(model, 40_000, age, seed=1)
    later, _, _ = simulated(model, 40_000, age + days, seed=1)
    frequency, expected = known[0], model.expected_orders(*known, days)
    noise = 4 * later.std() / np.sqrt(len(later))
    assert expected.mean() == pytest.approx(later.mean() - frequency.mean(), abs=noise)
    at_once = np.zeros(1)
    fresh = model.expected_orders(at_once, at_once, at_once, age)
    assert fresh[0] == pytest.approx(frequency.mean(), abs=noise)


@given(models.filter(lambda m: abs(m.a - 1) > 0.01), customers(), st.floats(0.1, 100))
def test_expected_orders_rise_and_are_no_fewer_than_the_probability_of_one(
    model: BgNbd, known: Customers, days: float
) -> None:
    some, more = (model.expected_orders(*known, each) for each in (days, 2 * days))
    one = -np.expm1(model.log_survival(*known, np.array([days])))[:, 0]
    # Expected orders come of a difference from one, whose rounding is all that is left of 1e-14.
    assert np.all(some >= one * (1 - 1e-6) - 1e-10)
    assert np.all(more >= some * (1 - 1e-6) - 1e-10)
