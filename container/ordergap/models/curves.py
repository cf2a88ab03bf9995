"""Survival curves from distributions: the ways in which a few numbers become a curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.survival.curve import Survival

Float = NDArray[np.float64]
_HELD = 65_536  # rows whose answers are made at once: making them takes many times their size


def log_normal_survival(days: Float, location: Float, scale: Float) -> Survival:
    """The n curves of log gap ~ Normal(location (n,), scale (n,)), at `days` (m,)."""
    from scipy.special import log_ndtr  # noqa: PLC0415 - slow to import, and hazards do without

    z = (np.log(days) - location[:, None]) / scale[:, None]
    return Survival(days, np.asarray(log_ndtr(-z)))


def weibull_survival(days: Float, log_scale: Float, shape: Float) -> Survival:
    """The n curves S(t) = exp(-(t / scale) ** shape), at `days` (m,)."""
    return Survival(days, -np.exp(shape[:, None] * (np.log(days) - log_scale[:, None])))


def scaled_survival(days: Float, point: Float, ratio: Float, ratio_log_s: Float) -> Survival:
    """One curve of gap / point, known as log S at `ratio` (k,), stretched by each `point` (n,)."""
    t = days / point[:, None]
    curve = Survival(ratio, ratio_log_s[None])
    return Survival(days, curve.log_at(t.reshape(-1, 1)).reshape(t.shape))


def floats(parameters: Mapping[str, JsonValue], name: str) -> Float:
    """A parameter of a manifest as an array."""
    return np.asarray(parameters[name], float)


def in_blocks(
    answer: Callable[[NDArray[np.float32]], NDArray[np.float64]], features: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The answers for all rows of a matrix, (n, m), made of so many rows as memory holds well."""
    starts = range(0, max(1, len(features)), _HELD)
    return np.concatenate([answer(features[start : start + _HELD]) for start in starts])
