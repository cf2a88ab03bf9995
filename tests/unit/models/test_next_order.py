"""What a shop reads, from curves drawn by hand and by chance."""

from __future__ import annotations

import datetime
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap.contract.prediction import CustomerFields, NextOrderFields, Status
from ordergap.contract.tasks import prediction_model
from ordergap.contract.versions import ModelVersion
from ordergap.histories import date_of, day_of
from ordergap.models.base import ForecastOptions, Snapshot
from ordergap.models.forecasts import Forecasts
from ordergap.models.levels import uncalibrated_level
from ordergap.models.naive import NaiveModel
from ordergap.models.next_order import (
    NextOrderForecast,
    due_from,
    forecast,
)
from ordergap.models.population import averages, expected, in_parts
from ordergap.survival.curve import Survival
from scipy.stats import binom

AS_OF = day_of(datetime.date(2011, 12, 9))
MODEL = "0123456789ab"
AVERAGE = {7: 0.05, 90: 0.3}
LEVELS = {"0.5": 0.35, "0.8": 0.62, "0.9": 0.81}


class Prediction(CustomerFields, NextOrderFields, ModelVersion):
    """What a prediction is with one task, for the types."""


def waiting(*elapsed: int) -> Snapshot:
    n = len(elapsed)
    as_of = np.full(n, AS_OF)
    names = [f"c{i}" for i in range(n)]
    last = as_of - np.array(elapsed, np.int64)
    return Snapshot(names, as_of, last, np.arange(n) + 1, np.ones(n))


def read_off(
    survival: Survival,
    customers: Snapshot,
    *,
    horizons: tuple[int, ...] = (30, 60, 90),
    level: float = 0.8,
    max_horizon_days: int = 365,
) -> NextOrderForecast:
    options = ForecastOptions(horizons, 0.8, max_horizon_days)
    return forecast(survival, customers, options, level, AVERAGE)


def records(forecast: NextOrderForecast) -> list[dict[str, object]]:
    return Forecasts(forecast.customers, {"next_order": forecast}, MODEL, AS_OF, 365).records()


def one(survival: Survival, elapsed: int, max_horizon_days: int = 365) -> Prediction:
    forecasts = read_off(survival, waiting(elapsed), max_horizon_days=max_horizon_days)
    return Prediction.model_validate(records(forecasts)[0])


def hazards(*steps: tuple[float, float]) -> Survival:
    """One curve from (last day, hazard a day until then) pairs; the last hazard goes on."""
    steps = (*steps, (1e5, steps[-1][1]))
    days = np.array([day for day, _ in steps], float)
    hazard = np.array([hazard for _, hazard in steps])
    return Survival(days, -(hazard * np.diff(days, prepend=0)).cumsum()[None])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Survival, Snapshot]:
    """Customers who have waited up to three years, some with curves that stop falling."""
    days = draw(st.lists(st.integers(1, 400), min_size=1, max_size=6, unique=True).map(sorted))
    n = draw(st.integers(1, 5))
    falls = st.lists(st.sampled_from([0.0, 0.02, 0.4, 3.0]), min_size=len(days), max_size=len(days))
    fall = np.array(draw(st.lists(falls, min_size=n, max_size=n)))
    elapsed = draw(st.lists(st.integers(0, 1000), min_size=n, max_size=n))
    return Survival(np.array(days, float), -fall.cumsum(axis=1)), waiting(*elapsed)


@given(cases())
def test_records_carry_every_field_and_are_the_contracts(case: tuple[Survival, Snapshot]) -> None:
    answers = records(read_off(*case))
    for record, customer in zip(answers, case[1].customer_ids, strict=True):
        assert list(record) == list(prediction_model(["next_order"]).model_fields)
        prediction = Prediction.model_validate(record, strict=False)
        assert json.loads(prediction.model_dump_json()) == json.loads(json.dumps(record))
        assert prediction.customer_id == customer
        assert prediction.model_version == MODEL
        assert prediction.interval_level == 0.8


@given(cases(), st.floats(0.02, 0.98))
def test_dates_come_after_as_of_and_in_sequence(
    case: tuple[Survival, Snapshot], level: float
) -> None:
    forecasts = read_off(*case, level=level)
    for p in map(Prediction.model_validate, records(forecasts)):
        dates = [p.next_order_date_low, p.next_order_date, p.next_order_date_high]
        given_dates = [date for date in dates if date is not None]
        assert dates[: len(given_dates)] == given_dates  # an earlier date is never the open one
        assert given_dates == sorted(given_dates)
        assert all(date > p.as_of for date in given_dates)
        assert p.as_of - p.last_order_date == datetime.timedelta(p.days_since_last_order)
        if p.next_order_date is not None:
            assert p.order_gap_days is not None
            assert p.next_order_date == p.last_order_date + datetime.timedelta(p.order_gap_days)
        assert (p.next_order_date is None) == (p.order_gap_days is None)


@given(cases(), st.data())
def test_a_forecast_is_open_exactly_where_it_lies_beyond_the_longest_horizon(
    case: tuple[Survival, Snapshot], data: st.DataObject
) -> None:
    far = read_off(*case, max_horizon_days=10**6)
    some_wait = data.draw(st.sampled_from([far.gap, far.low, far.high]))[0] - case[1].elapsed[0]
    longest = max(1, int(some_wait) + data.draw(st.integers(-1, 1)))
    near = read_off(*case, max_horizon_days=longest)
    latest = case[1].elapsed + longest
    for some, every in ((near.gap, far.gap), (near.low, far.low), (near.high, far.high)):
        assert some.tolist() == np.where(every <= latest, every, -1).tolist()
    typical = np.where(far.typical <= longest, far.typical, -1)
    assert near.typical.tolist() == typical.tolist()
    assert near.status == far.status


@given(cases(), st.lists(st.integers(1, 3650), min_size=1, max_size=5, unique=True).map(sorted))
def test_probabilities_rise_with_the_days_ahead(
    case: tuple[Survival, Snapshot], horizons: list[int]
) -> None:
    for record in records(read_off(*case, horizons=tuple(horizons))):
        probability = Prediction.model_validate(record).buy_probability
        assert list(probability) == [str(horizon) for horizon in horizons]
        values = list(probability.values())
        assert values == sorted(values)
        assert all(0 <= value <= 1 for value in values)


@given(cases())
def test_what_is_typical_does_not_depend_on_the_days_waited(
    case: tuple[Survival, Snapshot],
) -> None:
    survival, customers = case
    at_the_order = read_off(survival, waiting(*[0] * len(survival)))
    assert read_off(survival, customers).typical.tolist() == at_the_order.typical.tolist()
    assert at_the_order.typical.tolist() == at_the_order.gap.tolist()


@given(cases())
def test_a_customer_is_answered_as_if_alone(case: tuple[Survival, Snapshot]) -> None:
    survival, customers = case
    for i, record in enumerate(records(read_off(survival, customers))):
        only = slice(i, i + 1)
        alone = Snapshot(
            customers.customer_ids[only],
            customers.as_of[only],
            customers.last_day[only],
            customers.order_count[only],
            customers.revenue[only],
        )
        curve = Survival(survival.days, survival.log_s[i : i + 1])
        assert records(read_off(curve, alone)) == [record]


def test_a_constant_hazard_gives_the_figures_of_its_closed_form() -> None:
    hazard = 0.01
    p = one(hazards((50, hazard)), elapsed=20)
    assert p.as_of == date_of(AS_OF)
    assert p.days_since_last_order == 20
    assert p.order_count == 1
    assert p.order_gap_days == 20 + round(math.log(2) / hazard)
    assert p.typical_gap_days == round(math.log(2) / hazard)
    assert p.next_order_date_low == date_of(AS_OF + round(-math.log(0.9) / hazard))
    assert p.next_order_date_high == date_of(AS_OF + round(-math.log(0.1) / hazard))
    for days in (30, 60, 90):
        assert p.buy_probability[str(days)] == pytest.approx(1 - math.exp(-hazard * days), abs=1e-6)


def test_the_interval_is_read_at_the_curves_own_level() -> None:
    survival, customers = hazards((50, 0.01)), waiting(0)
    narrow = read_off(survival, customers, level=0.5)
    assert narrow.low[0] == round(-math.log(0.75) / 0.01)
    assert narrow.high[0] == round(-math.log(0.25) / 0.01)
    assert records(narrow)[0]["interval_level"] == 0.8


def test_an_order_expected_at_once_is_expected_tomorrow() -> None:
    p = one(hazards((1, 50)), elapsed=3)
    tomorrow = date_of(AS_OF + 1)
    assert (p.next_order_date_low, p.next_order_date, p.next_order_date_high) == (tomorrow,) * 3
    assert p.typical_gap_days == 1


def test_the_last_day_of_the_longest_horizon_still_has_a_date() -> None:
    survival = hazards((50, math.log(2) / 100))
    assert one(survival, 30, max_horizon_days=100).next_order_date == date_of(AS_OF + 100)
    assert one(survival, 30, max_horizon_days=99).next_order_date is None
    assert one(survival, 30, max_horizon_days=99).typical_gap_days is None


def test_a_curve_that_never_falls_has_no_dates_and_has_lapsed() -> None:
    p = one(hazards((10, 0.0)), elapsed=5, max_horizon_days=3650)
    assert p.next_order_date_low is None
    assert p.typical_gap_days is None
    assert set(p.buy_probability.values()) == {0}
    assert p.status is Status.LAPSED


def status(survival: Survival, elapsed: int = 5, orders: int = 4) -> Status:
    as_of = np.array([AS_OF])
    customer = Snapshot(["a"], as_of, as_of - elapsed, np.array([orders]), np.ones(1))
    return read_off(survival, customer, horizons=(30,)).status[0]


def constant(probability: float, days: int) -> Survival:
    """A hazard with which an order comes within so many days with this probability."""
    return hazards((50, -math.log1p(-probability) / days))


@pytest.mark.parametrize(
    ("probability", "expected"), [(0.101, Status.DUE), (0.0999, Status.ACTIVE)]
)
def test_due_is_twice_as_likely_within_seven_days_as_the_average_customer(
    probability: float, expected: Status
) -> None:
    assert status(constant(probability, 7)) is expected


@pytest.mark.parametrize(
    ("average", "least"), [(0, 0), (0.1, 0.2), (1 / 3, 2 / 3), (0.6, 0.8), (0.9, 0.95), (1, 1)]
)
def test_who_is_due_is_twice_as_likely_to_order_or_half_as_likely_not_to(
    average: float, least: float
) -> None:
    assert due_from(average) == pytest.approx(least)


@pytest.mark.parametrize(
    ("probability", "expected"), [(0.0999, Status.LAPSED), (0.101, Status.ACTIVE)]
)
def test_lapsed_is_a_third_as_likely_within_ninety_days_as_the_average_customer(
    probability: float, expected: Status
) -> None:
    assert status(constant(probability, 90)) is expected


@pytest.mark.parametrize(("elapsed", "expected"), [(22, Status.ACTIVE), (24, Status.OVERDUE)])
def test_overdue_has_waited_longer_than_four_in_five_such_gaps(
    elapsed: int, expected: Status
) -> None:
    survival = hazards((23, math.log(5) / 23), (100, 0.006))
    assert status(survival, elapsed=elapsed) is (Status.DUE if elapsed < 23 else expected)


def test_new_has_ordered_once_and_is_none_of_the_others() -> None:
    assert status(constant(0.05, 7), orders=1) is Status.NEW
    assert status(constant(0.2, 7), orders=1) is Status.DUE
    assert status(constant(0.05, 90), orders=1) is Status.LAPSED


def test_the_first_status_that_fits_counts() -> None:
    long_silent = hazards((20, 0.2), (400, 0.001))  # overdue as well
    assert status(long_silent, elapsed=60) is Status.LAPSED
    regular = hazards((50, 0.2))  # overdue, and twice as likely as the average
    assert status(regular, elapsed=30) is Status.DUE


def test_where_nobody_orders_nobody_is_due() -> None:
    flat, customers = hazards((10, 0.0)), waiting(5)
    options = ForecastOptions((30,), 0.8, 365)
    assert forecast(flat, customers, options, 0.8, {7: 0, 90: 0}).status == [Status.LAPSED]


def test_the_statuses_of_a_shop_are_those_of_its_average() -> None:
    features = np.zeros((3, 1), np.float32)
    means = averages(in_parts(Steady(), features, np.array([0.0, 50, 100])))
    assert means == {7: pytest.approx(1 - math.exp(-0.07)), 90: pytest.approx(1 - math.exp(-0.9))}


class Steady(NaiveModel):
    """A model whose customers all order at the same constant rate."""

    def __init__(self) -> None:
        """Nothing to learn."""

    def survival(self, features: NDArray[np.float32]) -> Survival:
        return Survival(np.array([1e4]), np.full((len(features), 1), -100.0))


@given(st.lists(st.lists(st.floats(0, 0.3), min_size=3, max_size=3), min_size=1, max_size=5))
def test_expected_customers_add_up_and_an_interval_holds_the_mean(rows: list[list[float]]) -> None:
    probability = np.array(rows).cumsum(axis=1).T
    spans = expected(probability, 0.8, 0.1)
    assert sum(span.mean for span in spans) == pytest.approx(probability[-1].sum())
    assert all(0 <= span.low <= span.mean <= span.high for span in spans)


def test_the_interval_of_expected_customers_is_the_binomials_where_nothing_else_errs() -> None:
    (span,) = expected(np.full((1, 10_000), 0.1), 0.8, 0.0)
    chance = binom(10_000, 0.1)
    assert chance.cdf(span.high) - chance.cdf(span.low) == pytest.approx(0.8, abs=0.01)
    (wide,) = expected(np.full((1, 10_000), 0.1), 0.8, 0.2)
    assert wide.high - wide.mean == pytest.approx(1.2816 * 200, rel=0.02)


def test_customers_keep_their_sequence_and_may_come_twice() -> None:
    days = np.full(3, AS_OF)
    customers = Snapshot(["b", "a", "b"], days, days - [9, 3, 9], np.array([4, 1, 4]), np.ones(3))
    survival = Survival(np.array([50.0]), np.full((3, 1), -1.0))
    answers = records(read_off(survival, customers))
    assert [record["customer_id"] for record in answers] == ["b", "a", "b"]
    assert [record["order_count"] for record in answers] == [4, 1, 4]
    assert answers[0] == answers[2]


def test_every_customer_has_an_as_of_of_its_own() -> None:
    as_of = np.array([AS_OF, AS_OF - 100])
    customers = Snapshot(["a", "b"], as_of, as_of - 5, np.array([1, 1]), np.ones(2))
    survival = Survival(np.array([50.0]), np.full((2, 1), -1.0))
    a, b = map(Prediction.model_validate, records(read_off(survival, customers)))
    assert a.next_order_date is not None
    assert b.next_order_date is not None
    assert a.next_order_date - b.next_order_date == datetime.timedelta(100)


def test_nobody_asked_about_is_nobody_answered() -> None:
    forecasts = read_off(Survival(np.array([5.0]), np.empty((0, 1))), waiting())
    assert len(forecasts) == 0
    assert records(forecasts) == []


def own_level(levels: dict[str, float], nominal: float) -> float:
    (own,) = uncalibrated_level({"1": levels}, nominal, np.array([1]))
    return float(own)


@pytest.mark.parametrize(("nominal", "inner"), [(float(n), i) for n, i in LEVELS.items()])
def test_a_calibrated_level_is_its_own(nominal: float, inner: float) -> None:
    assert own_level(LEVELS, nominal) == pytest.approx(inner)


@pytest.mark.parametrize(
    ("nominal", "inner"), [(0.25, 0.175), (0.65, 0.485), (0.85, 0.715), (0.95, 0.905)]
)
def test_a_level_between_is_on_the_line_between(nominal: float, inner: float) -> None:
    assert own_level(LEVELS, nominal) == pytest.approx(inner)


@given(
    st.dictionaries(st.integers(1, 99), st.floats(0, 1), max_size=6),
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=6).map(sorted),
)
def test_uncalibrated_levels_rise_with_the_nominal_and_stay_levels(
    table: dict[int, float], nominal: list[float]
) -> None:
    inner = sorted(table.values())
    levels = {
        str(percent / 100): value for percent, value in zip(sorted(table), inner, strict=True)
    }
    answers = [own_level(levels, level) for level in nominal]
    assert all(0 <= answer <= 1 for answer in answers)
    assert all(b >= a - 1e-12 for a, b in pairwise(answers))


def test_without_calibration_a_level_is_itself() -> None:
    assert own_level({}, 0.8) == pytest.approx(0.8)
    assert uncalibrated_level({}, 0.8, np.array([1, 7])).tolist() == [0.8, 0.8]


def test_customers_have_the_level_of_their_group() -> None:
    levels = {"1": {"0.8": 0.4}, "2": {"0.8": 0.5}, "5": {"0.8": 0.6}}
    own = uncalibrated_level(levels, 0.8, np.array([1, 2, 4, 5, 99]))
    assert own.tolist() == [0.4, 0.5, 0.5, 0.6, 0.6]
    survival = Survival(np.array([1000.0]), np.full((2, 1), -10.0))
    both = read_off(survival, waiting(0, 0), level=0.5)
    mixed = forecast(
        survival, waiting(0, 0), ForecastOptions((30,), 0.8, 365), np.array([0.5, 0.9]), AVERAGE
    )
    assert mixed.low[0] == both.low[0]
    assert mixed.low[1] < both.low[1]
    assert mixed.high[1] > both.high[1]
