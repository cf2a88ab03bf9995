"""Every fit resumes from where it was stopped, and ends as one that was not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from ordergap import features
from ordergap.checkpoints import Checkpoints, FitCheckpoint, State
from ordergap.contract.hyperparameters import parse
from ordergap.stopping import Stopped
from ordergap.survival.targets import order_gaps
from ordergap.trainers.base import FitRequest, Fitted, Sample, time_grid
from ordergap.trainers.factory import make_trainer

from tests.shop import shop

SMALL: dict[str, dict[str, object]] = {
    "xgboost": {"num_round": 12, "eta": 0.3, "early_stopping_rounds": 3},
    "lstm": {"epochs": 4, "hidden_size": 4, "batch_size": 128, "sequence_length": 3,
             "dropout": 0.3, "early_stopping_rounds": 3},
}  # fmt: skip
KINDS: dict[str, dict[str, str]] = {
    "hazard": {},
    "aft": {"objective": "aft"},
    "squared-error": {"objective": "squared-error"},
    "lstm": {"trainer": "lstm"},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


class Steps:
    """Stops after a step, from 1, of a run; counts the steps."""

    def __init__(self, last: int | None = None) -> None:
        self.last, self.made = last, 0

    def stopping(self) -> bool:
        return self.last is not None and self.made >= self.last

    def over(self, request: FitRequest, folder: Path | None) -> FitRequest:
        """The request, counted here, with checkpoints in `folder`."""
        checkpoints = Checkpoints(folder, {}, every=1e9) if folder else None
        steps = self

        class Counted(FitRequest):
            def step(self, state: object) -> bool:
                steps.made += 1
                return super().step(state)  # type: ignore[arg-type]

        values = vars(request) | {
            "stopping": self.stopping, "checkpoint": FitCheckpoint(checkpoints)
        }  # fmt: skip
        return Counted(**values)


@dataclass(frozen=True)
class Samples:
    train: Sample
    later: Sample

    @classmethod
    def of(cls, names: tuple[str, ...]) -> Samples:
        samples = []
        for seed in (0, 1):
            orders = shop(60, 200, seed=seed)
            targets = order_gaps(orders, int(orders.day.max()))
            matrix = features.compute(orders, names)[targets.row]
            samples.append(Sample(matrix, targets.gap, targets.observed, targets.left_truncation))
        return cls(*samples)

    def request(self) -> FitRequest:
        days = time_grid(self.train.gap, self.train.observed, 6)
        return FitRequest(self.train, days, self.later)


def fit(
    kind: str,
    steps: Steps | None = None,
    folder: Path | None = None,
    *,
    final: dict[str, float] | None = None,
    **changes: object,
) -> Fitted:
    settings = SMALL[KINDS[kind].get("trainer", "xgboost")] | KINDS[kind] | changes
    trainer = make_trainer(parse(settings), calendar=False)
    request = Samples.of(trainer.feature_names).request()
    if final:
        request = replace(request, validation=None, chosen=final)
    return trainer.fit((steps or Steps()).over(request, folder))


def made(fitted: Fitted) -> tuple[dict[str, bytes], dict[str, float], dict[str, float]]:
    return fitted.model.files(), fitted.chosen, fitted.drivers


@every_kind
@pytest.mark.parametrize("final", [False, True])
def test_stopped_at_any_step_a_fit_goes_on_and_ends_as_if_it_had_not_been(
    kind: str, final: bool, tmp_path: Path
) -> None:
    chosen = fit(kind).chosen if final else None
    counted = Steps()
    unbroken = made(fit(kind, counted, final=chosen))
    for last in {1, 2, counted.made // 2, counted.made - 1, counted.made}:
        folder = tmp_path / str(last)
        first, second = Steps(last), Steps()
        try:
            fit(kind, first, folder, final=chosen)
        except Stopped:
            assert kind == "lstm"
        assert first.made == last
        assert made(fit(kind, second, folder, final=chosen)) == unbroken
        assert second.made == counted.made - last


@every_kind
def test_stopped_after_every_third_step_it_comes_to_the_same_end(kind: str, tmp_path: Path) -> None:
    counted = Steps()
    unbroken = made(fit(kind, counted))
    total = 0
    while total < counted.made:
        part = Steps(3)
        try:
            fitted = fit(kind, part, tmp_path / "kept")
        except Stopped:
            assert kind == "lstm"
        total += part.made
        assert 0 < part.made <= 3
    assert total == counted.made
    assert made(fitted) == unbroken


@pytest.mark.parametrize(
    ("kind", "budget"),
    [("hazard", "num_round"), ("aft", "num_round"), ("squared-error", "num_round"),
     ("lstm", "epochs")],
)  # fmt: skip
@pytest.mark.parametrize("final", [False, True])
def test_a_larger_budget_goes_on_and_a_smaller_one_is_kept_to(
    kind: str, budget: str, final: bool, tmp_path: Path
) -> None:
    """Whether the earlier job had come to its end or not."""

    def ended(most: int, folder: Path | None, counted: Steps) -> object:
        settled = {"rounds": most, "scale": 0.8} if final else None
        return made(fit(kind, counted, folder, final=settled, **{budget: most}))

    alone = {}
    for most in (2, 5):
        counted = Steps()
        alone[most] = (ended(most, None, counted), counted.made)
    folder, first, second, third = tmp_path / "kept", Steps(), Steps(), Steps()
    assert ended(2, folder, first) == alone[2][0]
    assert ended(5, folder, second) == alone[5][0]
    assert second.made == alone[5][1] - alone[2][1]
    assert ended(2, folder, third) == alone[2][0]


def test_an_lstm_without_an_epoch_behind_it_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="resumes from"):
        fit("lstm", Steps(1), tmp_path / "kept")


@pytest.mark.parametrize("kind", ["hazard", "aft", "squared-error"])
def test_a_booster_that_was_stopped_is_the_best_so_far(kind: str, tmp_path: Path) -> None:
    fitted = fit(kind, Steps(2), tmp_path / "kept")
    assert 1 <= fitted.chosen["rounds"] <= 2
    given = Samples.of(fitted.model.feature_names)
    assert np.isfinite(fitted.model.survival(given.later.features).log_s).all()


def test_chance_in_a_round_depends_on_its_number_and_the_seed() -> None:
    one, other = (made(fit("hazard", seed=seed))[0] for seed in (1, 2))
    assert one != other


def test_a_forest_is_one_step(tmp_path: Path) -> None:
    counted = Steps()
    trainer = make_trainer(parse({"trainer": "random-forest", "num_round": 5}), calendar=False)
    request = Samples.of(trainer.feature_names).request()
    checked = counted.over(request, tmp_path / "kept")
    models = [made(trainer.fit(each)) for each in (request, checked, checked)]
    assert models[0] == models[1] == models[2]
    assert counted.made == 1
    checkpoints = checked.checkpoint.checkpoints
    (state,) = checkpoints.states.values() if checkpoints else [State(b"")]
    assert state.model
