"""Boosting round by round: seeds, patience, progress, and resuming after an interruption.

See docs/decisions/trainers.md#random-choices-of-a-round-depend-on-its-number-alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ordergap.checkpoints import State
from ordergap.hosts import Hosts
from ordergap.trainers.base import FitRequest
from ordergap.trainers.collective import collective

log = logging.getLogger("ordergap")

_PROGRESS_EVERY = 100  # rounds, and at least after so many seconds:
_PROGRESS_SECONDS = 10
_STRIDE = 1_000_003  # between the seeds of two rounds
_NEWTON_STEPS = 3
_LEAST_CURVATURE = 1e-9
Loss = Callable[[Any, Any], float]
"""The loss of a booster on a DMatrix of rows."""


def boost(
    xgb: Any,
    parameters: Mapping[str, Any],
    train: Callable[[], Any],
    validation: Callable[[Any], Any] | None,
    most: int,
    patience: int,
    request: FitRequest,
    second_loss: Loss | None = None,
) -> tuple[Any, list[list[float]]]:
    """A booster of at most so many rounds, and the validation losses of each round.

    It resumes from where an earlier run left it, and has the trees of an unbroken run.

    xgb                the package, which the caller may import
    parameters         for xgb.train, with "seed"
    train, validation  make the matrices, of this host's rows; the latter given the former
    patience           rounds without a better loss of any kind before it ends; 0: never
    request            for hosts, stopping and checkpoint
    second_loss        besides the objective's own
    """
    last = request.checkpoint.last
    with request.checkpoint.resuming(xgb.core.XGBoostError):
        booster = xgb.Booster(model_file=bytearray(last.model)) if last else None
    losses = [*last.losses] if last else []
    done = booster.num_boosted_rounds() if booster else 0
    if booster and done > most:
        return booster[:most], losses[:most]
    if done < most and not _out_of_patience(losses, patience):
        if done:
            log.info("  resuming from round %d", done)
        with collective(xgb, request.hosts):
            learnt = train()
            check = validation(learnt) if validation else None
            further = (lambda model: second_loss(model, check)) if check and second_loss else None
            seed = parameters["seed"]
            booster = xgb.train(
                dict(parameters),
                learnt,
                num_boost_round=most - done,
                evals=[(check, "validation")] if check else [],
                xgb_model=booster,
                callbacks=[_rounds(xgb, seed, done, most, losses, patience, request, further)],
                verbose_eval=False,
            )
        request.checkpoint.save(_standing(booster, losses))
        log.info("  rounds %d to %d boosted", done + 1, booster.num_boosted_rounds())
    return booster, losses


def best_round(losses: list[list[float]]) -> int:
    """The number of the round, from 1, where the last of the kinds of losses was at its least."""
    return 1 + max(kind.index(min(kind)) for kind in zip(*losses, strict=True))


def shifted_log_loss(xgb: Any, hosts: Hosts) -> Loss:
    """The log loss after the one shift of all log odds that fits the rows of all hosts best.

    It tells how well rows are told apart where the season moves the level.
    """

    def loss(booster: Any, rows: Any) -> float:
        margin = booster.predict(rows, output_margin=True).astype(float)
        label, weight = rows.get_label().astype(float), rows.get_weight().astype(float)

        def total(*columns: NDArray[np.float64]) -> NDArray[np.float64]:
            sums = np.array([(weight * column).sum() for column in columns])
            if hosts.size == 1:
                return sums
            together: NDArray[np.float64] = xgb.collective.allreduce(sums, xgb.collective.Op.SUM)
            return together

        shift = 0.0
        for _ in range(_NEWTON_STEPS):
            p = expit(margin + shift)
            gradient, curvature = total(label - p, p * (1 - p))
            shift += gradient / max(curvature, _LEAST_CURVATURE)
        margin += shift
        lost, weights = total(np.logaddexp(0, margin) - label * margin, np.ones(len(margin)))
        return float(lost / weights)

    return loss


def _standing(booster: Any, losses: list[list[float]]) -> Callable[[], State]:
    return lambda: State(bytes(booster.save_raw("ubj")), [*losses])


def _out_of_patience(losses: list[list[float]], patience: int) -> bool:
    """Whether the last `patience` rounds were no better than the best before them."""
    return bool(patience and losses) and len(losses) - best_round(losses) >= patience


def _rounds(
    xgb: Any,
    seed: int,
    done: int,
    most: int,
    losses: list[list[float]],
    patience: int,
    request: FitRequest,
    further: Callable[[Any], float] | None,
) -> Any:
    """What happens around each round; `losses` grows by one, `done` of `most` rounds lie behind."""
    begun = shown = perf_counter()

    def before(model: Any, epoch: int) -> None:
        """Seed the round by its number alone, so that a checkpoint changes nothing.

        The sampler of columns has a state of its own, which XGBoost makes anew only after
        another tree method; asking for the number of features has that take effect.
        """
        model.set_param({"tree_method": "approx"})
        model.num_features()
        model.set_param({"tree_method": "hist", "seed": seed + _STRIDE * (done + epoch)})

    def after(model: Any, epoch: int, evals_log: Any) -> bool:
        loss = ""
        for metric, values in evals_log.get("validation", {}).items():
            losses.append([values[-1], *([further(model)] if further else [])])
            loss = f", validation {metric} {values[-1]:.5f}"
        nonlocal shown
        number, now = done + epoch + 1, perf_counter()
        if number % _PROGRESS_EVERY == 0 or now - shown > _PROGRESS_SECONDS:
            shown, left = now, most - number
            seconds = (now - begun) / (epoch + 1) * left
            log.info("  round %d%s; at most %d more, %.0f s", number, loss, left, seconds)
        stop = request.step(_standing(model, losses))
        return stop or _out_of_patience(losses, patience)

    return _callback(xgb)(before, after)


@cache
def _callback(xgb: Any) -> Any:
    """The class of what happens around a round; made once, since classes are freed late."""

    class Rounds(xgb.callback.TrainingCallback):  # type: ignore[misc]
        def __init__(self, before: Callable[..., None], after: Callable[..., bool]) -> None:
            super().__init__()
            self._before, self._after = before, after

        def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            self._before(model, epoch)
            return False

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return self._after(model, epoch, evals_log)

    return Rounds
