"""What the task "next order" learns from and is judged by: gaps, seen as of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.contract.metrics import PLAIN, EvaluationProtocol
from ordergap.contract.trainers import TreeParameters
from ordergap.histories import Histories
from ordergap.outliers import OutlierStudy, no_outliers
from ordergap.survival.targets import Targets, gaps_at_order, order_gaps, waits_at_cutoff
from ordergap.tasks import variants
from ordergap.tasks.base import Learning, Split
from ordergap.trainers.base import Sample


def past_gaps(split: Split) -> Targets:
    """Every past order, and the gap it opened as far as it was known at the cutoff."""
    gaps = order_gaps(split.past, split.cutoff)
    return replace(gaps, row=np.flatnonzero(split.whole.day <= split.cutoff))


def protocols(split: Split) -> dict[EvaluationProtocol, Targets]:
    """What is forecast, and what came, under each protocol."""
    return {
        EvaluationProtocol.AT_CUTOFF: waits_at_cutoff(split.whole, split.cutoff, split.as_of),
        EvaluationProtocol.AT_ORDER: gaps_at_order(split.whole, split.cutoff, split.as_of),
    }


def kept(learning: Learning, targets: Targets) -> tuple[Targets, OutlierStudy]:
    """The gaps to learn from: without the outliers', unless only they have gaps that ended."""
    histories, outliers = learning.histories, learning.outliers
    kept = targets[np.repeat(outliers.keep, histories.order_count)]
    if not kept.observed.any():
        return targets, no_outliers(histories)
    return kept, outliers


def sample(histories: Histories, names: Sequence[str], targets: Targets) -> Sample:
    """The gaps with the features of the orders that opened them, of which alone they are held."""
    matrix = features.compute(histories, names, targets.row)
    return Sample(matrix, targets.gap, targets.observed, targets.left_truncation)


def known(split: Split) -> dict[EvaluationProtocol, Histories]:
    """The orders under each protocol: attributes are known until its forecast."""
    whole = split.whole
    return {
        EvaluationProtocol.AT_CUTOFF: whole.as_known(split.cutoff),
        EvaluationProtocol.AT_ORDER: whole,
    }


def matrices(split: Split, names: Sequence[str]) -> dict[EvaluationProtocol, NDArray[np.float32]]:
    """The features of every order, under each protocol."""
    orders = known(split)
    at_order = at_cutoff = features.compute(split.whole, names)
    if split.whole.attributes:
        at_cutoff = features.compute(orders[EvaluationProtocol.AT_CUTOFF], names)
    return {EvaluationProtocol.AT_CUTOFF: at_cutoff, EvaluationProtocol.AT_ORDER: at_order}


def plainer(learning: Learning) -> dict[str, Learning]:
    """Variants of what is learnt from: without hashed columns and without attributes, if any."""
    found, h = {}, learning.hyperparameters
    if plain := variants.without(h):
        found[variants.WITHOUT] = replace(learning, hyperparameters=plain)
    if learning.attribute_names and isinstance(h.trainer, TreeParameters):
        past = replace(learning.histories, attributes=None)
        found[PLAIN] = replace(learning, histories=past)
    return found
