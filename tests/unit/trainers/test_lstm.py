import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap.contract.hyperparameters import parse
from ordergap.errors import AlgorithmError
from ordergap.features import sequence_names
from ordergap.trainers.base import FitRequest, Fitted, Sample
from ordergap.trainers.lstm import LstmTrainer, curve_days, log_likelihood
from scipy import stats

DAYS = np.array([3.0, 10, 40, 200])
SMALL = {"trainer": "lstm", "sequence_length": 3, "hidden_size": 8, "batch_size": 128, "epochs": 3}
NOISES = {"log-normal": stats.norm, "weibull": stats.gumbel_l}
"""Noise of log gap; the logarithm of a Weibull variable is a Gumbel variable, mirrored."""
SCIPY: dict[str, Callable[[Any, float], Any]] = {
    "log-normal": lambda location, scale: stats.lognorm(scale, scale=np.exp(location)),
    "weibull": lambda location, scale: stats.weibull_min(1 / scale, scale=np.exp(location)),
}
SCALE = 0.4


def location_of(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The truth of the made-up customers: the last gap repeats, but not after a large amount."""
    steady = np.log(np.nan_to_num(features[:, 1], nan=20))
    return np.where(features[:, 4] > 50, 3.0, steady)


def customers(rows: int, seed: int, likelihood: str = "log-normal") -> Sample:
    """Gaps of which some are watched late and many end after the watching does."""
    random = np.random.default_rng(seed)
    features = random.lognormal(3, 1, (rows, 7)).astype(np.float32)
    features[:, 4:] *= 2.5
    count = random.integers(1, 6, rows)
    features[:, 0] = count
    for gaps in range(3):
        features[count <= gaps + 1, 1 + gaps] = np.nan
        features[count <= gaps, 4 + gaps] = np.nan
    noise = NOISES[likelihood].rvs(size=rows, random_state=random)
    gap = np.exp(location_of(features) + SCALE * noise)
    entry = np.where(random.random(rows) < 0.3, random.uniform(0, 30, rows), 0.0)
    seen = gap > entry
    until = entry + random.uniform(1, 60, rows)
    return Sample(features[seen], np.minimum(gap, until)[seen], (gap <= until)[seen], entry[seen])


def fit(
    sample: Sample,
    validation: Sample | None = None,
    chosen: dict[str, float] | None = None,
    **changes: object,
) -> Fitted:
    trainer = LstmTrainer(parse(SMALL | changes), calendar=False)
    return trainer.fit(FitRequest(sample, DAYS, validation, chosen))


def written(fitted: Fitted) -> bytes:
    return fitted.model.files()["model.safetensors"]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return customers(400, seed=1)


@pytest.mark.parametrize("likelihood", NOISES)
def test_learns_the_gaps_that_the_history_foretells_from_censored_and_late_watched_ones(
    likelihood: str,
) -> None:
    train, later = customers(4000, 0, likelihood), customers(500, 1, likelihood)
    assert 0.2 < train.observed.mean() < 0.8
    fitted = fit(train, epochs=25, learning_rate=0.01, likelihood=likelihood)
    curves = fitted.model.survival(later.features)
    truth = np.log(SCIPY[likelihood](location_of(later.features), SCALE).median())
    error = np.log(curves.quantile(0.5)) - truth
    assert np.abs(error).mean() < 0.6 * np.abs(truth - np.median(truth)).mean()
    assert abs(error.mean()) < 0.05
    spread = np.log(curves.quantile(0.9) / curves.quantile(0.1))
    expected = np.diff(NOISES[likelihood].ppf([0.1, 0.9])) * SCALE
    assert np.median(spread) == pytest.approx(expected[0], rel=0.1)


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(SCIPY)),
    st.floats(0, 5),
    st.floats(0.3, 2),
    st.floats(1, 300),
    st.booleans(),
    st.floats(0, 0.99),
)
def test_the_likelihood_is_that_of_scipys_distributions(
    likelihood: str, location: float, scale: float, gap: float, observed: bool, waited: float
) -> None:
    entry = waited * gap if waited > 0.1 else 0.0
    columns = (location, scale, gap, observed, entry)
    found = log_likelihood(
        likelihood,
        *(torch.tensor([x], dtype=None if x is observed else torch.float64) for x in columns),
    )
    truth = SCIPY[likelihood](location, scale)
    expected = (truth.logpdf(gap) if observed else truth.logsf(gap)) - truth.logsf(entry)
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("likelihood", SCIPY)
def test_the_likelihood_has_a_gradient_at_the_most_unlikely_gaps(likelihood: str) -> None:
    location = torch.tensor([-1.0, 12.0] * 4, requires_grad=True)
    scale = torch.full((8,), 0.05, requires_grad=True)
    gap = torch.tensor([3650.0, 1.0] * 4)
    observed = torch.tensor([True, True, False, False] * 2)
    entry = torch.tensor([0.0] * 4 + [3649.0, 0.5] * 2)
    torch.autograd.backward(
        log_likelihood(likelihood, location, scale, gap, observed, entry).mean()
    )
    for weights in (location, scale):
        assert weights.grad is not None
        assert weights.grad.isfinite().all()


def test_a_gap_that_nobody_watched_for_a_day_says_nothing(sample: Sample) -> None:
    unwatched = Sample(
        sample.features[:2], np.array([0.0, 5]), np.zeros(2, bool), np.array([0.0, 5])
    )
    validated = [fit(sample, check) for check in (sample, sample + unwatched)]
    assert written(validated[0]) == written(validated[1])
    assert np.isfinite(fit(sample + unwatched).model.survival(sample.features).log_s).all()


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(sample: Sample) -> None:
    one, same, other = (written(fit(sample, seed=seed)) for seed in (7, 7, 8))
    assert one == same
    assert one != other


def test_a_fit_leaves_the_global_random_state_and_settings_alone(sample: Sample) -> None:
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = written(fit(sample))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(6)
    assert written(fit(sample)) == first


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 4),
        ("batch_size", 64),
        ("learning_rate", 0.01),
        ("hidden_size", 9),
        ("layers", 2),
        ("dropout", 0.5),
        ("likelihood", "weibull"),
        ("sequence_length", 2),
    ],
)
def test_each_of_its_hyperparameters_changes_the_model(
    name: str, value: object, sample: Sample
) -> None:
    changed = LstmTrainer(parse(SMALL | {name: value}), calendar=False)
    features = sample.features
    if name == "sequence_length":
        assert changed.feature_names == sequence_names(2)
        features = features[:, [0, 1, 2, 4, 5]]
    same = sample.gap, sample.observed, sample.left_truncation
    fitted = changed.fit(FitRequest(Sample(features, *same), DAYS))
    assert written(fitted) != written(fit(sample))


def test_dropout_between_stacked_layers_draws_no_warning(sample: Sample) -> None:
    assert fit(sample, layers=2, dropout=0.3).chosen == {"rounds": 3}


def test_validation_keeps_the_best_epoch_and_a_refit_takes_exactly_so_many() -> None:
    train, later = customers(60, seed=2), customers(300, seed=3)
    searched = fit(train, later, epochs=200, learning_rate=0.05)
    best = searched.chosen["rounds"]
    assert 1 <= best < 200
    refits = [
        fit(train, epochs=best, learning_rate=0.05),
        fit(train, None, {"rounds": best}, learning_rate=0.05),
    ]
    for refit in refits:
        assert refit.chosen == searched.chosen
        assert written(refit) == written(searched)
    longer = {"rounds": best + 1}
    assert fit(train, later, longer, learning_rate=0.05).chosen == longer


def test_early_stopping_rounds_are_its_patience_and_none_is_endless(
    caplog: pytest.LogCaptureFixture,
) -> None:
    train, later = customers(60, seed=2), customers(300, seed=3)
    epochs = {}
    for rounds in (0, 1, 30):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="ordergap"):
            fit(train, later, epochs=100, learning_rate=0.05, early_stopping_rounds=rounds)
        epochs[rounds] = len(caplog.messages) - 1  # without the last, which is of all epochs
    assert epochs[1] < epochs[30] < epochs[0] == 20
    assert caplog.messages[0].startswith("  epoch 5, validation loss ")


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20, unique=True))
def test_the_curves_days_hold_the_grids_and_reach_twice_as_far_and_two_years(
    grid: list[int],
) -> None:
    days = curve_days(np.sort(np.array(grid, float)))
    assert set(grid) <= set(days)
    assert days[0] == 1
    assert days[-1] >= max(2 * max(grid), 730)
    assert (np.diff(days) > 0).all()
    # The curve bends slowly enough to be a line between days this close.
    assert (days[1:] - days[:-1] <= np.maximum(2, 0.25 * days[:-1])).all()


def test_weights_that_are_no_numbers_are_an_error_and_no_model(sample: Sample) -> None:
    wild = Sample(sample.features.copy(), sample.gap, sample.observed, sample.left_truncation)
    wild.features[0, 0] = np.nan
    with pytest.raises(AlgorithmError, match="no longer numbers"):
        fit(wild)
