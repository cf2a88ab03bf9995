"""Boosting round by round: seeds, patience, progress, and resuming after an interruption.

See docs/decisions/trainers.md#random-choices-of-a-round-depend-on-its-number-alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from ordergap.checkpoints import State
from ordergap.trainers.base import FitRequest
from ordergap.trainers.collective import collective

log = logging.getLogger("ordergap")

_PROGRESS_EVERY = 100  # rounds, and at least after so many seconds:
_PROGRESS_SECONDS = 10
_STRIDE = 1_000_003  # between the seeds of two rounds


def boost(
    xgb: Any,
    parameters: Mapping[str, Any],
    train: Callable[[], Any],
    validation: Callable[[], Any] | None,
    most: int,
    patience: int,
    request: FitRequest,
) -> tuple[Any, list[float]]:
    """A booster of at most so many rounds, and its validation losses, one a round.

    It resumes from where an earlier run left it, and has the trees of an unbroken run.

    xgb                the package, which the caller may import
    parameters         for xgb.train, with "seed"
    train, validation  make the matrices, of this host's rows
    patience           rounds without a better loss before it ends; 0: never
    request            for hosts, stopping and checkpoint
    """
    last = request.checkpoint.last
    booster = xgb.Booster(model_file=bytearray(last.model)) if last else None
    losses = [*last.losses] if last else []
    done = booster.num_boosted_rounds() if booster else 0
    if booster and done > most:
        return booster[:most], losses[:most]
    if done < most and not _out_of_patience(losses, patience):
        if done:
            log.info("  resuming from round %d", done)
        with collective(xgb, request.hosts):
            booster = xgb.train(
                dict(parameters),
                train(),
                num_boost_round=most - done,
                evals=[(validation(), "validation")] if validation else [],
                xgb_model=booster,
                callbacks=[_rounds(xgb, parameters["seed"], done, most, losses, patience, request)],
                verbose_eval=False,
            )
        request.checkpoint.save(_standing(booster, losses))
        log.info("  rounds %d to %d boosted", done + 1, booster.num_boosted_rounds())
    return booster, losses


def _standing(booster: Any, losses: list[float]) -> Callable[[], State]:
    return lambda: State(bytes(booster.save_raw("ubj")), [*losses])


def _out_of_patience(losses: list[float], patience: int) -> bool:
    """Whether the last `patience` rounds were no better than the best before them."""
    return bool(patience and losses) and len(losses) - losses.index(min(losses)) > patience


def _rounds(
    xgb: Any,
    seed: int,
    done: int,
    most: int,
    losses: list[float],
    patience: int,
    request: FitRequest,
) -> Any:
    """What happens around each round; `losses` grows by one, `done` of `most` rounds lie behind."""
    begun = shown = perf_counter()

    class Rounds(xgb.callback.TrainingCallback):  # type: ignore[misc]
        def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            """Have chance depend on the round's number alone, wherever boosting began.

            The sampler of columns has a state of its own, which XGBoost makes anew only after
            another tree method; asking for the number of features has that take effect.
            """
            model.set_param({"tree_method": "approx"})
            model.num_features()
            model.set_param({"tree_method": "hist", "seed": seed + _STRIDE * (done + epoch)})
            return False

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            loss = ""
            for metric, values in evals_log.get("validation", {}).items():
                losses.append(values[-1])
                loss = f", validation {metric} {values[-1]:.5f}"
            nonlocal shown
            number, now = done + epoch + 1, perf_counter()
            if number % _PROGRESS_EVERY == 0 or now - shown > _PROGRESS_SECONDS:
                shown, left = now, most - number
                seconds = (now - begun) / (epoch + 1) * left
                log.info("  round %d%s; at most %d more, %.0f s", number, loss, left, seconds)
            stop = request.step(_standing(model, losses))
            return stop or _out_of_patience(losses, patience)

    return Rounds()
