"""Gamma-Gamma against integrals over its own story, published estimates, Lifetimes, simulations."""

from __future__ import annotations

import datetime
import importlib
import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap.models.gamma_gamma import GammaGamma, fit
from scipy import integrate, stats

from tests.unit.models.test_bg_nbd import lifetimes_folder

Means = tuple[NDArray[np.float64], NDArray[np.float64]]

PUBLISHED = GammaGamma(p=6.25, q=3.74, v=15.44)  # Fader & Hardie 2013, the tenth of CDNOW

parameter = st.floats(0.3, 15)
models = st.builds(GammaGamma, p=parameter, q=st.floats(1.2, 15), v=st.floats(1, 100))
counts = st.integers(1, 40)
amounts = st.floats(0.5, 500)


def repeat_orders() -> Means:
    """Repeat orders and their mean amount after 39 weeks of the published tenth of CDNOW."""
    file = lifetimes_folder() / "datasets" / "CDNOW_sample.txt"
    days: dict[str, dict[datetime.date, float]] = {}
    for line in file.read_text().splitlines():
        _, customer, date, _, amount = line.split()
        day = datetime.date.fromisoformat(date)
        if day <= datetime.date(1997, 9, 30):
            bought = days.setdefault(customer, {})
            bought[day] = bought.get(day, 0.0) + float(amount)
    repeats = [[bought[day] for day in sorted(bought)[1:]] for bought in days.values()]
    count = np.array([len(each) for each in repeats], float)
    return count, np.array([float(np.mean(each)) if each else 0.0 for each in repeats])


def simulated(model: GammaGamma, count: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Mean amounts, each order's amount drawn by itself."""
    random = np.random.default_rng(seed)
    rate = random.gamma(model.q, 1 / model.v, len(count))
    each = [random.gamma(model.p, 1 / r, n).mean() for r, n in zip(rate, count, strict=True)]
    return np.array(each)


@pytest.mark.parametrize(("count", "mean"), [(1, 30.0), (2, 8.0), (7, 51.0)])
def test_the_likelihood_is_the_average_over_customers_rates(count: int, mean: float) -> None:
    model, rates = GammaGamma(2.3, 3.1, 20.0), stats.gamma(3.1, scale=1 / 20.0)

    def density(rate: float) -> float:  # the mean of Gamma(p, rate) amounts
        return float(rates.pdf(rate) * stats.gamma.pdf(mean, 2.3 * count, scale=1 / rate / count))

    def amount(rate: float) -> float:
        return density(rate) * 2.3 / rate

    expected, weighed = (integrate.quad(f, 0, np.inf)[0] for f in (density, amount))
    known = np.array([float(count)]), np.array([mean])
    assert np.exp(model.log_likelihood(*known)) == pytest.approx(expected, rel=1e-6)
    assert model.expected_amount(*known) == pytest.approx(weighed / expected, rel=1e-6)


@given(models, counts, amounts)
def test_the_gradient_is_the_likelihoods_slope(model: GammaGamma, count: int, mean: float) -> None:
    known = np.array([float(count)]), np.array([mean])
    parameters = np.array([model.p, model.q, model.v])
    for which, slope in zip(np.eye(3), model.gradient(*known)[:, 0], strict=True):
        step = 1e-5 * which * parameters
        up, down = (
            GammaGamma(*each).log_likelihood(*known)[0]
            for each in (parameters + step, parameters - step)
        )
        assert slope == pytest.approx((up - down) / (2 * step.sum()), rel=1e-3, abs=1e-4)


@given(models, counts, amounts)
def test_the_amount_expected_lies_between_everybodys_and_the_customers(
    model: GammaGamma, count: int, mean: float
) -> None:
    everybody = model.expected_amount(np.zeros(1), np.array([np.nan]))[0]
    own = model.expected_amount(np.array([float(count)]), np.array([mean]))[0]
    assert min(mean, everybody) - 1e-9 <= own <= max(mean, everybody) + 1e-9


def test_cdnow_gives_the_published_estimates() -> None:
    count, mean = repeat_orders()
    assert np.count_nonzero(count) == 946
    model = fit(count, mean, penalty=0)
    assert [round(value, 2) for value in vars(model).values()] == [*vars(PUBLISHED).values()]
    penalised = fit(count, mean)
    for name, value in vars(PUBLISHED).items():
        assert getattr(penalised, name) == pytest.approx(value, rel=0.005)


def test_it_agrees_with_lifetimes() -> None:
    count, mean = repeat_orders()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter = importlib.import_module("lifetimes").GammaGammaFitter()
    fitter.params_ = vars(PUBLISHED)
    expected = fitter.conditional_expected_average_profit(count, mean)
    assert PUBLISHED.expected_amount(count, mean) == pytest.approx(expected, abs=1e-10)


def test_simulated_customers_give_their_parameters_back() -> None:
    truth = GammaGamma(4.0, 3.0, 30.0)
    count = np.random.default_rng(3).integers(1, 9, 20_000)
    found = fit(count.astype(float), simulated(truth, count, 5))
    for name, value in vars(truth).items():
        assert getattr(found, name) == pytest.approx(value, rel=0.1)


@given(st.lists(st.tuples(counts, amounts), min_size=1, max_size=4), st.integers(1, 50))
def test_few_or_equal_customers_have_a_fit(some: list[tuple[int, float]], times: int) -> None:
    count, mean = np.array(some * times, float).T
    model = fit(count, mean)
    amount = model.expected_amount(np.append(count, 0), np.append(mean, np.nan))
    assert np.isfinite(amount).all()
    assert (amount > 0).all()


def test_many_who_all_pay_the_same_have_a_fit_whatever_is_rounded() -> None:
    for customers, orders in itertools.product(range(50, 60), range(25, 40)):
        mean = np.full(customers, 9.5)
        fitted = fit(np.full(customers, float(orders)), mean - np.spacing(mean))
        assert fitted.expected_amount(np.array([1.0]), np.array([9.5])) == pytest.approx(
            9.5, rel=0.06
        )


def test_the_unit_of_money_only_scales_v() -> None:
    count, mean = repeat_orders()
    euros, cents = fit(count, mean), fit(count, mean * 100)
    assert cents.v / 100 == pytest.approx(euros.v, rel=1e-4)
    assert (cents.p, cents.q) == pytest.approx((euros.p, euros.q), rel=1e-4)


def test_who_has_no_amount_is_not_learnt_from() -> None:
    count, mean = np.array([1.0, 3.0, 2.0]), np.array([5.0, 9.0, 8.0])
    odd_count = np.append(count, [0, 4, 4, 4])
    odd_mean = np.append(mean, [3, 0, -2, np.nan])
    assert fit(odd_count, odd_mean) == fit(count, mean)
    with pytest.raises(ValueError, match="amount above 0"):
        fit(np.array([3.0]), np.array([0.0]))
