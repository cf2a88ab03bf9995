"""Whether a run trains, or scores with the champion; and the sentence that says why.

See docs/decisions/pipeline.md#a-night-scores-and-trains-when-there-is-a-reason.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any, NamedTuple

from lambdas.shared.events import Asked
from lambdas.shared.flags import Flags
from lambdas.shared.registry import Package

_ACCESS = {"name", "secret_id", "database", "incremental"}
"""Fields of a market that say how its rows are read, and not which."""


class Cadence(NamedTuple):
    """Whether to train, and why or why not, in a sentence."""

    train: bool
    reason: str


def cadence(
    asked: Asked,
    champion: Package | None,
    flags: Flags | None,
    as_of: datetime.date,
    settings: str,
    retrain_days: int,
    held: str | None,
    newest: Package | None,
    retry_days: int,
) -> Cadence:
    """The first reason to train; flags that the champion was trained after are none.

    held    why promotion is held, so that a new model would not be used; None where it is not
    newest  the newest package: if it is not approved, then for `retry_days` what it was trained for
            is no reason to train with the same settings
    """
    if champion is None or champion.artifact is None or champion.image is None:
        return Cadence(True, "Trained: there is no approved model.")
    age, limit = (as_of - champion.as_of).days, asked.retrain_days
    limit = retrain_days if limit is None else limit
    tried = newest if newest and not newest.approved and newest.settings == settings else None
    if tried and (as_of - tried.as_of).days >= retry_days:
        tried = None
    learnt = max(champion.as_of, tried.as_of) if tried else champion.as_of
    newer = flags if flags and flags.as_of > learnt else None
    found = [each for each in (newer.inputs, newer.rank, newer.ageing) if each] if newer else []
    if asked.train:
        why, tried = "it was asked for.", None
    elif held is not None:
        return Cadence(False, f"Not trained: promotion is held: {held}.")
    elif found:
        why, tried = " ".join(found), None
    elif champion.settings != settings:
        why = "the champion has other settings, or is of another image."
    elif age > limit:
        why = f"the champion is {age:,} days old, more than {limit:,}."
    else:
        return Cadence(
            False,
            f"Not trained: the champion is {max(age, 0):,} days old, and is replaced after "
            f"{limit:,} days, on drift, or where train is asked for.",
        )
    if tried:
        return Cadence(
            False,
            f"Not trained: {why} A model as of {tried.as_of} was not promoted, and the next one is "
            f"trained {retry_days:,} days after it, on drift since then, or where train is asked "
            "for.",
        )
    return Cadence(True, f"Trained: {why}")


def digest(image: str, hyperparameters: dict[str, Any], market: dict[str, Any]) -> str:
    """The digest of what a model is trained with, besides the orders."""
    rows = {name: value for name, value in market.items() if name not in _ACCESS}
    text = json.dumps([image, hyperparameters, rows], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
