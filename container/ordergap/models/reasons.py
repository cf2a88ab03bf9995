"""The strongest reasons of forecasts: from contributions of features to words.

See docs/decisions/features.md#a-reason-is-a-group-of-features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap.features.words import DAYS_WAITED, said, words_of

_MEAN_GAP = "RollingAvgGap"
_DIGITS = 4  # of a weight


def reasons(
    names: Sequence[str],
    features: NDArray[np.float32],
    elapsed: NDArray[np.int64],
    contributions: NDArray[np.float64],
    most: int,
) -> list[list[dict[str, object]]]:
    """For each of n customers the fields of `contract.prediction.Reason`, the strongest first.

    names          of the F features (n, F)
    elapsed        (n,) days waited
    contributions  (n, F + 1) of the features, and last of the days waited; above 0 for sooner
    most           reasons of a customer; there are fewer where no more groups have a weight

    Contributions to a group are summed. The feature that contributes most to the sum, in the sum's
    direction, speaks for the group.
    """
    names = (*names, DAYS_WAITED)
    values = np.column_stack([features, elapsed]).astype(float)
    groups = [words_of(name).group for name in names]
    members = [np.array([g == group for g in groups]) for group in dict.fromkeys(groups)]
    weights = np.stack([contributions[:, some].sum(axis=1) for some in members], axis=1)
    weights = weights.round(_DIGITS)
    strongest = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :most]
    answers = []
    for value, own, weight, order in zip(values, contributions, weights, strongest, strict=True):
        answer: list[dict[str, object]] = []
        for group in order[weight[order] != 0].tolist():
            directed = np.where(members[group], own * np.sign(weight[group]), -np.inf)
            speaker = int(directed.argmax())
            text = said(names[speaker], float(value[speaker]))
            if names[speaker] == DAYS_WAITED and _MEAN_GAP in names:
                text += _beside(float(value[names.index(_MEAN_GAP)]))
            answer.append({
                "feature": names[speaker],
                "value": _plain(float(value[speaker])),
                "text": text,
                "weight": float(weight[group]),
            })  # fmt: skip
        answers.append(answer)
    return answers


def _beside(mean_gap: float) -> str:
    """What the days waited are to be compared with."""
    return "" if np.isnan(mean_gap) else f"; {said(_MEAN_GAP, mean_gap)}"


def _plain(value: float) -> float | None:
    """As JSON: whole where it is, and with the digits that a 32-bit float has."""
    if np.isnan(value):
        return None
    return int(value) if value.is_integer() else float(f"{value:.7g}")
