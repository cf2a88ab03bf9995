"""The product-limit estimate against its definition, other libraries and published figures."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.survival.kaplan_meier import kaplan_meier

Row = tuple[int, int, bool]  # entry, gap, observed

rows_of = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 6), st.booleans()).map(
        lambda row: (row[0], row[0] + row[1], row[2])
    ),
    max_size=20,
)


def by_definition(rows: list[Row]) -> dict[int, Fraction]:
    survival = {}
    s = Fraction(1)
    for day in sorted({gap for _, gap, observed in rows if observed}):
        at_risk = sum(entry < day <= gap for entry, gap, _ in rows)
        events = sum(observed and gap == day for _, gap, observed in rows)
        s *= 1 - Fraction(events, at_risk)
        survival[day] = s
    return survival


def estimate(rows: list[Row], *, late: bool) -> dict[int, float]:
    entry, gap, observed = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    days, survival = kaplan_meier(gap, observed.astype(np.bool_), entry if late else None)
    return dict(zip(days.tolist(), survival.tolist(), strict=True))


@given(rows_of)
def test_survival_is_the_product_over_event_days(rows: list[Row]) -> None:
    watched_from_the_start = [(-1, gap, observed) for _, gap, observed in rows]
    assert estimate(rows, late=False) == pytest.approx(
        {day: float(s) for day, s in by_definition(watched_from_the_start).items()}
    )


@given(rows_of)
def test_rows_that_enter_late_are_at_risk_only_after_their_entry(rows: list[Row]) -> None:
    assert estimate(rows, late=True) == pytest.approx(
        {day: float(s) for day, s in by_definition(rows).items()}
    )


def test_remission_of_leukaemia_patients_gives_the_published_survival() -> None:
    # Freireich et al. 1963: weeks in remission under 6-MP.
    relapsed = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    gap = np.array(relapsed + censored)
    days, survival = kaplan_meier(gap, np.arange(len(gap)) < len(relapsed))
    assert days.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert survival.round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]


def test_it_agrees_with_scikit_survival() -> None:
    sksurv = pytest.importorskip("sksurv.nonparametric", reason="scikit-survival is not installed")
    random = np.random.default_rng(1)
    gap = random.integers(1, 90, 2_000)
    observed = random.random(2_000) < 0.5
    all_days, all_survival = sksurv.kaplan_meier_estimator(observed, gap)
    days, survival = kaplan_meier(gap, observed)
    np.testing.assert_allclose(survival, all_survival[np.searchsorted(all_days, days)])


def test_truncation_is_undone_on_simulated_gaps() -> None:
    random = np.random.default_rng(2)
    gap, entry = random.exponential(30, 50_000), random.exponential(5, 50_000)
    seen = gap > entry
    everyone = np.ones(seen.sum(), dtype=np.bool_)
    days, survival = kaplan_meier(gap[seen], everyone, entry[seen])
    np.testing.assert_allclose(
        np.interp([10, 30, 60], days, survival), np.exp([-1 / 3, -1, -2]), atol=0.02
    )
    assert np.interp(10, *kaplan_meier(gap[seen], everyone)) > np.exp(-1 / 3) + 0.05


def test_without_events_there_are_no_days() -> None:
    for gap in (np.empty(0), np.array([3.0, 4.0])):
        days, survival = kaplan_meier(gap, np.zeros(len(gap), dtype=np.bool_))
        assert days.tolist() == survival.tolist() == []


def test_a_row_censored_on_its_entry_day_changes_nothing() -> None:
    gap, observed, entry = np.array([2, 4, 4]), np.array([True, True, False]), np.array([0, 0, 4])
    with_it, without = kaplan_meier(gap, observed, entry), kaplan_meier(gap[:2], observed[:2])
    np.testing.assert_array_equal(with_it, without)


@pytest.mark.parametrize(
    ("gap", "observed", "entry", "message"),
    [
        ([np.nan], [True], None, "gap is NaN"),
        ([1.0, 2.0], [True], None, "equally long"),
        ([1.0, 2.0], [True, True], [0.0], "as long as"),
        ([1.0], [True], [1.0], "before"),
        ([1.0], [False], [2.0], "before"),
        ([1.0], [True], [np.nan], "before"),
    ],
)
def test_rows_that_cannot_have_been_watched_are_refused(
    gap: list[float], observed: list[bool], entry: list[float] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kaplan_meier(np.array(gap), np.array(observed), None if entry is None else np.array(entry))
